#include "pg/pg.h"

#include "server/settings.h"
#include "server/store/knowledge.h"
#include "server/store/learned_rows.h"
#include "server/store/row_knowledge.h"

namespace query_shaper {

namespace {

void SetText(const char* clauses, char* out) {
  // Of a row that has its text the caller need not make it again.
  if (clauses[0] == '\0') return;
  strlcpy(out, clauses, kRowClauseBytes);
}

void LearnFact(const RowFact& fact, double now_s) {
  uint64_t names[kRowRelations];
  NameRelations(fact.relations, fact.relation_count, names);
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  RowEntry* const entry = EnterRow(MyDatabaseId, fact.key);
  if (entry == nullptr) {
    LWLockRelease(shared_rows->lock);
    return;
  }
  entry->kind = fact.kind;
  entry->relation_count = Max(fact.relation_count, 0);
  memcpy(entry->relations, fact.relations, sizeof entry->relations);
  memcpy(entry->names, names, sizeof entry->names);
  SetText(fact.clauses, entry->clauses);
  LearnRows(&entry->profile, fact.constants, fact.natural_rows, fact.planner_rows, fact.actual_rows, fact.relation_rows,
            now_s, settings::half_life_s);
  MarkRelations(*entry);
  entry->dirty = true;
  ++entry->change;
  LWLockRelease(shared_rows->lock);
}

}  // namespace

void NoteKnowledgeChange() {
  LWLockAcquire(shared->lock, LW_SHARED);
  DatabaseSlot* const slot = FindDatabase(MyDatabaseId);
  if (slot != nullptr) {
    const uint32 before = pg_atomic_fetch_add_u32(&slot->row_changes, 1);
    if (before == pg_atomic_read_u32(&slot->row_changes_done) && slot->learner_pid == 0) WakeLauncher();
  }
  LWLockRelease(shared->lock);
}

RowGuess RecallRows(uint64_t key, const RowConstants& constants, double natural_rows, double relation_rows) {
  RowGuess guess;
  if (shared_rows == nullptr) return guess;
  const double now_s = EpochSeconds(GetCurrentTimestamp());
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const RowEntry* const entry = FindRow(MyDatabaseId, key);
  if (entry != nullptr)
    guess = GuessRows(entry->profile, constants, natural_rows, relation_rows, now_s, settings::half_life_s);
  LWLockRelease(shared_rows->lock);
  return guess;
}

void LearnRowFacts(const RowFact* facts, int count) {
  if (count <= 0 || !OutcomesWanted()) return;
  const double now_s = EpochSeconds(GetCurrentTimestamp());
  for (int i = 0; i < count; ++i) LearnFact(facts[i], now_s);
  Count(kMetricRowsLearned, static_cast<uint64_t>(count));
  NoteKnowledgeChange();
}

bool RowKeyKnown(uint64_t key) {
  if (shared_rows == nullptr) return false;
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const RowEntry* const entry = FindRow(MyDatabaseId, key);
  const bool known = entry != nullptr && entry->clauses[0] != '\0';
  LWLockRelease(shared_rows->lock);
  return known;
}

bool RecallPlans(int64_t query_id, KnownPlans* plans) {
  if (shared_rows == nullptr || query_id == 0) return false;
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const PlansEntry* const entry = FindPlans(MyDatabaseId, query_id);
  if (entry != nullptr) *plans = entry->plans;
  LWLockRelease(shared_rows->lock);
  return entry != nullptr;
}

void ChangePlans(int64_t query_id, void (*change)(KnownPlans* plans, void* context), void* context) {
  if (query_id == 0 || !OutcomesWanted()) return;
  const double now_s = EpochSeconds(GetCurrentTimestamp());
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  PlansEntry* const entry = EnterPlans(MyDatabaseId, query_id);
  if (entry != nullptr) {
    change(&entry->plans, context);
    entry->changed_s = now_s;
    entry->dirty = true;
    ++entry->change;
  }
  LWLockRelease(shared_rows->lock);
  if (entry != nullptr) NoteKnowledgeChange();
}

}  // namespace query_shaper
