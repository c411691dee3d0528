#include "pg/pg.h"

#include "server/query/unseen_joins.h"

#include <cmath>

#include "server/store/row_knowledge.h"
extern "C" {
#include "optimizer/joininfo.h"
#include "optimizer/optimizer.h"
}

namespace query_shaper {

// What is learned of joins before the planner comes to them. Errors are log(rows / natural rows); NaN: unknown.
struct LearnedErrors {
  double whole;  // of all relations of the level
  int count;
  double* pairs;  // count x count, by range table index
  bool* asked;
};

namespace {

constexpr double kDamping = 0.5;

double LearnedError(const Planning* planning, const RelationRows* rows) {
  const PlanningOrder* order = planning->order;
  if (planning->secured || (order != nullptr && !order->use_learned)) return NAN;
  RowGuess guess = RecallRows(rows->name.key, rows->name.constants, 1, rows->relation_rows);
  return guess.source == RowSource::kNone ? NAN : guess.log_factor;
}

LearnedErrors* ErrorsOf(const Planning* planning, QueryLevel* level) {
  if (level->errors != nullptr) return level->errors;
  MemoryContext caller = MemoryContextSwitchTo(planning->names.memory);
  auto* errors = static_cast<LearnedErrors*>(palloc0(sizeof(LearnedErrors)));
  auto count = static_cast<size_t>(level->root->simple_rel_array_size);
  errors->count = static_cast<int>(count);
  errors->pairs = static_cast<double*>(palloc0(count * count * sizeof(double)));
  errors->asked = static_cast<bool*>(palloc0(count * count * sizeof(bool)));
  level->errors = errors;
  MemoryContextSwitchTo(caller);
  NamedPlanning* names = const_cast<NamedPlanning*>(&planning->names);
  Relids all = level->root->all_baserels;
  errors->whole = bms_num_members(all) < 3 ? NAN : LearnedError(planning, RowsOf(names, level, all));
  return errors;
}

double PairError(const Planning* planning, QueryLevel* level, LearnedErrors* errors, int one, int other) {
  int low = Min(one, other), high = Max(one, other);
  int at = low * errors->count + high;
  if (errors->asked[at]) return errors->pairs[at];
  errors->asked[at] = true;
  PlannerInfo* root = level->root;
  double error = NAN;
  if (have_relevant_joinclause(root, root->simple_rel_array[low], root->simple_rel_array[high])) {
    Relids both = bms_add_member(bms_make_singleton(low), high);
    error = LearnedError(planning, RowsOf(const_cast<NamedPlanning*>(&planning->names), level, both));
    bms_free(both);
  }
  errors->pairs[at] = error;
  return error;
}

double BaseError(const QueryLevel* level, int relation) {
  Relids only = bms_make_singleton(relation);
  double error = std::log(Ratio(FindRows(level, only)));
  bms_free(only);
  return error;
}

double BaseErrors(const QueryLevel* level, Relids relids) {
  double sum = 0;
  int relation = -1;
  while ((relation = bms_next_member(relids, relation)) >= 0) sum += BaseError(level, relation);
  return sum;
}

// What is outside of the join explains: relations join one by one what is there already, where that pair is known.
// steps: relations that remain, whose own error counts.
double ExplainedOutside(const Planning* planning, QueryLevel* level, LearnedErrors* errors, Relids join, int* steps) {
  double explained = 0;
  Relids joined = bms_copy(join);
  Relids open = bms_difference(level->root->all_baserels, join);
  for (bool grown = true; grown;) {
    grown = false;
    int relation = -1;
    while ((relation = bms_next_member(open, relation)) >= 0) {
      double sum = 0;
      int known = 0, neighbour = -1;
      while ((neighbour = bms_next_member(joined, neighbour)) >= 0) {
        double pair = PairError(planning, level, errors, relation, neighbour);
        if (std::isnan(pair)) continue;
        sum += pair - BaseError(level, neighbour);
        ++known;
      }
      if (known == 0) continue;
      explained += sum / known;
      joined = bms_add_member(joined, relation);
      open = bms_del_member(open, relation);
      grown = true;
    }
  }
  *steps = bms_num_members(open);
  explained += BaseErrors(level, open);
  bms_free(joined);
  bms_free(open);
  return explained;
}

}  // namespace

double Ratio(const RelationRows* rows) {
  return rows != nullptr && rows->natural_rows > 0 && rows->used_rows > 0 ? rows->used_rows / rows->natural_rows : 1;
}

double UnseenRows(const Planning* planning, QueryLevel* level, const RelationRows* join) {
  const RelationRows* parts[64];
  int part_count = 0, seen = 0;
  double error_sum = 0;
  LearnedErrors* errors = ErrorsOf(planning, level);
  for (int i = 0; i < level->table_size; ++i) {
    const RelationRows* other = level->table[i];
    if (other == nullptr || other == join || !other->known || other->natural_rows <= 0) continue;
    int members = bms_num_members(other->relids);
    if (members < 2) continue;
    ++seen;
    error_sum += Max(0.0, (std::log(Ratio(other)) - BaseErrors(level, other->relids)) / (members - 1));
    if (part_count < static_cast<int>(lengthof(parts)) && bms_is_subset(other->relids, join->relids))
      parts[part_count++] = other;
  }
  if (seen == 0 && std::isnan(errors->whole)) return -1;
  Relids open = bms_copy(join->relids);
  double error = 0;
  int steps = bms_num_members(open) - 1;
  for (;;) {
    const RelationRows* best = nullptr;
    int best_members = 0;
    for (int i = 0; i < part_count; ++i) {
      int members = bms_num_members(parts[i]->relids);
      if (members > best_members && bms_is_subset(parts[i]->relids, open)) {
        best = parts[i];
        best_members = members;
      }
    }
    if (best == nullptr) break;
    error += std::log(Ratio(best));
    steps -= best_members - 1;
    open = bms_del_members(open, best->relids);
  }
  error += BaseErrors(level, open);
  bms_free(open);
  double per_step = seen > 0 ? kDamping * error_sum / seen : 0;
  if (steps > 0 && !std::isnan(errors->whole)) {
    int outside = 0;
    double explained = ExplainedOutside(planning, level, errors, join->relids, &outside);
    per_step = Max(per_step, (errors->whole - error - explained) / (steps + outside));
  }
  return clamp_row_est(join->natural_rows * std::exp(error + Max(0, steps) * per_step));
}

}  // namespace query_shaper
