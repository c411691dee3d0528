#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/decide/plan_doubt.h"
#include "core/decide/plan_guard.h"
#include "core/decide/replan_policy.h"
#include "core/plan/fingerprint.h"
#include "server/query/replan.h"

#include <cmath>

#include "pg/fault_point.h"
#include "pg/guard.h"
#include "server/query/carry_out.h"
#include "server/query/counting.h"
#include "server/query/kept_work.h"
#include "server/query/outcome.h"
#include "server/plain_explain.h"
#include "server/query/plan_trial.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
#include "server/store/learned_rows.h"
extern "C" {
#include "access/parallel.h"
#include "optimizer/optimizer.h"
#include "utils/timestamp.h"
}

namespace query_shaper {

namespace {

constexpr int kObserved = 64;
constexpr double kNoticedTimes = 5;  // replan_min_time: what it takes for a difference to be noticed

// One at a time: planning may run functions whose statements reach limits of their own.
bool asking = false;

struct NewPlan {
  MemoryContext context;  // null: none
  PlannedStmt* statement;
  PlanTree tree;
  StatementFacts facts;
  double planning_ms;  // and of the plans tried before it
  double kept_rows;
};

struct Answer {
  bool swap;
  const char* verdict;  // of the event
  const char* reason;
  double old_cost, new_cost;  // in the planner's units, both under the rows now believed
  ReplanVerdict judged;
  UncertainTime left, fresh;
  Probation trial;  // known_ms 0: none
};

bool Forced() { return pg::FaultIs("replan", "force"); }

void StopAsking(Tracker* tracker) {
  tracker->changes.note = nullptr;
  for (int i = 0; i < tracker->plan.count; ++i) SetRowLimit(tracker->nodes[i].wrapper, kNoRowLimit);
}

void Tell(const Tracker* tracker, int node_id, const Answer& answer, const NewPlan* plan) {
  char details[kEventTextBytes];
  if (plan == nullptr || plan->statement == nullptr) {
    snprintf(details, sizeof details, "{\"elapsed_ms\": %.1f}", ElapsedMs(tracker));
  } else {
    snprintf(details, sizeof details,
             "{\"elapsed_ms\": %.1f, \"planning_ms\": %.2f, \"left_ms\": %.1f, \"new_ms\": %.1f, \"old_cost\": %.0f, "
             "\"new_cost\": %.0f, \"finished_rows\": %.0f, \"kept_rows\": %.0f, \"probability\": %.3f, "
             "\"confidence\": %.3f, \"regret\": %.3f, \"penalty_ms\": %.1f, \"replans\": %d}",
             ElapsedMs(tracker), plan->planning_ms, answer.left.ms, answer.fresh.ms, answer.old_cost, answer.new_cost,
             FinishedRows(tracker), plan->kept_rows, answer.judged.probability, answer.judged.confidence,
             answer.judged.regret, answer.judged.penalty_ms, tracker->changes.swaps);
  }
  RecordEvent("replan", answer.verdict, tracker->plan.query_id, node_id, answer.reason, details);
}

double Interruptions(int64_t query_id) {
  static KnownPlans plans;
  if (!RecallPlans(query_id, &plans)) return 0;
  return DecayedInterruptions(plans.interruptions, plans.interrupted_s, EpochSeconds(GetCurrentTimestamp()),
                              settings::half_life_s);
}

UncertainTime Blend(const UncertainTime& a, const UncertainTime& b) {
  if (!(a.ms >= 0)) return b;
  if (!(b.ms >= 0)) return a;
  double weight_a = 1 / (a.log_sd * a.log_sd), weight_b = 1 / (b.log_sd * b.log_sd);
  double log_ms = (weight_a * std::log(a.ms + 1e-3) + weight_b * std::log(b.ms + 1e-3)) / (weight_a + weight_b);
  // The witnesses are not independent, and where they disagree neither is to be believed that much.
  double apart = std::log(a.ms + 1e-3) - std::log(b.ms + 1e-3);
  double log_sd = std::sqrt(2 / (weight_a + weight_b) + 0.05 * apart * apart);
  return {std::exp(log_ms), log_sd};
}

double BandLogSd(const TimeLeft& left) {
  constexpr double kHalfBand = 1.28;  // of the central 80 %
  double low = Max(left.low_ms, 0.1), high = Max(left.high_ms, low);
  return Max(0.1, std::log(high / low) / (2 * kHalfBand));
}

// Names of the nodes that return the whole of a set of rows, once.
void NameSets(const PlanNote* note, const PlanTree& plan, SetName* names) {
  for (int i = 0; i < plan.count; ++i) {
    names[i] = {};
    int id = plan.nodes[i].node_id;
    if (note == nullptr || id < 0 || id >= note->key_count) continue;
    const NodeKey& key = note->keys[id];
    if (!key.parameterised && !key.partial && !key.repeated) names[i] = {key.key, key.constants.hash};
  }
}

void Judge(Tracker* tracker, const double* believed, const NewPlan& plan, bool rows_counted, Answer* answer) {
  PlanChanges* changes = &tracker->changes;
  double elapsed_ms = PlanElapsedMs(tracker);
  TimeSeen seen = {elapsed_ms, tracker->time_left.eta_ms};
  answer->old_cost = CostUnder(tracker->plan, believed);
  const double noticed_ms = Max(1.0, kNoticedTimes * settings::replan_min_time_ms);
  const bool runs_away = EndRunsAway(changes->judged, seen, noticed_ms);
  answer->left = {BelievedLeftMs(changes->judged, seen), BandLogSd(tracker->time_left)};
  // Judgements in quick succession tell nothing of how the end moves.
  if (changes->judged.elapsed_ms <= 0 || seen.elapsed_ms >= 2 * changes->judged.elapsed_ms) changes->judged = seen;
  // A time of complete runs is better than any that is tracked.
  constexpr double kKnownLogSd = 0.1;
  if (answer->trial.known_ms > 0) answer->left = {Max(0.0, answer->trial.known_ms - elapsed_ms), kKnownLogSd};
  // What the running plan will take in all by its tracked end, and by the new plan's prediction scaled to its cost.
  UncertainTime total = {elapsed_ms + answer->left.ms, answer->left.log_sd};
  const double fresh_cost = answer->new_cost;
  UncertainTime predicted = {plan.facts.estimate.targets[kTimeMs].value, Max(0.1, plan.facts.estimate.log_sd)};
  answer->fresh = Blend(TimeOfCost(fresh_cost, answer->old_cost, total), predicted);
  UncertainTime old_by_cost = TimeOfCost(answer->old_cost, fresh_cost, predicted);
  old_by_cost.ms *= 1 - Min(0.999, Max(0.0, tracker->progress.work_share()));
  if (!(answer->trial.known_ms > 0)) {
    answer->left = Blend(answer->left, old_by_cost);
    // Both times are made of the same witnesses. Where these are shown to be wrong to one side, what they are wrong by
    // is in the ratio of the two times only as far as costs are; elsewhere the doubt stands for what costs conceal.
    if (runs_away) {
      answer->left.log_sd = RunawayLogSd(answer->left.log_sd);
      answer->fresh.log_sd = CostLogSd(fresh_cost, answer->old_cost);
    }
  }
  ReplanSituation situation;
  situation.left = answer->left;
  situation.fresh = answer->fresh;
  situation.interruption_ms = 1 + 0.2 * plan.planning_ms;  // it has been planned already: nodes end and start
  if (tracker->has_gather) situation.interruption_ms += settings::tick_interval_ms;  // and workers, at their tick
  situation.elapsed_ms = elapsed_ms;
  situation.wasted_ms = tracker->changes.swapped_ms - tracker->changes.carried_ms;
  situation.replans = changes->swaps;
  // Those of this run have been counted when they happened.
  situation.interruptions = Interruptions(tracker->plan.query_id) - changes->swaps;
  situation.forced = rows_counted;
  situation.noticed_ms = noticed_ms;
  answer->judged = JudgeReplan(situation);
  answer->swap = answer->judged.replan;
}

bool SamePlan(const Tracker* tracker, const NewPlan& plan) {
  return plan.facts.fingerprint == tracker->fingerprint && plan.facts.fingerprint != 0;
}

void Decide(Tracker* tracker, const double* believed, const NewPlan& plan, bool rows_counted, Answer* answer) {
  answer->verdict = "declined";
  answer->reason = PlanMisfit(tracker, plan.statement);
  if (answer->reason != nullptr) return;
  if (Forced()) {
    answer->swap = true;
  } else if (SamePlan(tracker, plan)) {
    answer->reason = "the plan stays the same with the rows seen";
    return;
  } else if ((answer->reason = GuardAgainst(tracker, plan.facts.fingerprint, &answer->trial)) != nullptr) {
    return;
  } else {
    Judge(tracker, believed, plan, rows_counted, answer);
  }
  if (!answer->swap) {
    answer->reason = "the new plan is not enough better than what is left of the running one";
    return;
  }
  answer->reason = answer->trial.known_ms > 0 ? "a plan that is unknown promises more than the one known: it is tried"
                   : rows_counted             ? "a node has delivered more rows than planned"
                                              : "the tracked end lies far beyond the prediction";
  if (!Does(settings::replan)) {
    answer->swap = false;
    answer->verdict = "advised";
    return;
  }
  answer->verdict = "done";
}

void MakePlan(Tracker* tracker, const PlanningOrder& order, NewPlan* plan) {
  plan->kept_rows = 0;
  plan->context = NewPlanContext(tracker);
  MemoryContext caller = MemoryContextSwitchTo(plan->context);
  plan->statement = PlanAnew(tracker, tracker->changes.note, order);
  if (plan->statement != nullptr)
    DescribeStatement(plan->statement, tracker->query->sourceText, &plan->tree, &plan->facts);
  MemoryContextSwitchTo(caller);
}

void DropPlan(NewPlan* plan) {
  if (plan->context != nullptr) MemoryContextDelete(plan->context);
  plan->context = nullptr;
}

// Plans once more with what is finished on offer; *plan is the better of both.
void UseKeptWork(Tracker* tracker, PlanningOrder* order, NewPlan* plan) {
  static NewPlan keeping;
  CollectKeptWork(tracker);
  if (!AnyKeptWork(tracker)) return;
  order->offer = OfferKeptWork;
  order->offer_context = tracker;
  MakePlan(tracker, *order, &keeping);
  if (keeping.statement != nullptr) keeping.kept_rows = KeptRows(tracker, keeping.statement);
  if (keeping.kept_rows > 0) {
    DropPlan(plan);
    *plan = keeping;
  } else {
    DropPlan(&keeping);
  }
}

// Observes, plans, judges. The plan is left in *plan when it is to be swapped to.
void Ask(Tracker* tracker, TrackedNode* node, NewPlan* plan, Answer* answer) {
  static RowOverride overrides[kObserved];
  static double believed[kMaxPlanNodes];
  *answer = Answer{};
  answer->verdict = "failed";
  answer->reason = "the statement could not be planned again";
  TickTracker(tracker);
  NameLateStatement(tracker);
  PlanningOrder order;
  order.overrides = overrides;
  order.override_count = ObserveRows(tracker, overrides, kObserved, believed);
  int64_t begun_ns = NowNs();
  MakePlan(tracker, order, plan);
  // Only another plan is worth the search for finished work.
  if (plan->statement != nullptr && (Forced() || !SamePlan(tracker, *plan))) UseKeptWork(tracker, &order, plan);
  plan->planning_ms = static_cast<double>(NowNs() - begun_ns) / 1e6;
  if (plan->statement == nullptr) return;
  static SetName running[kMaxPlanNodes], fresh[kMaxPlanNodes];
  NameSets(tracker->changes.note, tracker->plan, running);
  NameSets(NoteOf(plan->statement), plan->tree, fresh);
  ShareBeliefs(tracker->plan, running, plan->tree, fresh, believed);
  answer->new_cost = CostUnder(plan->tree, nullptr) - CostNotRun(plan->statement);
  Decide(tracker, believed, *plan, node != nullptr, answer);
}

// Planning takes time, whatever it finds: the next question waits until more has been seen.
void GoOn(Tracker* tracker, TrackedNode* node) {
  if (node != nullptr && node->wrapper >= 0)
    SetRowLimit(node->wrapper, RaisedRowLimit(WrapperAt(node->wrapper).rows, settings::replan_factor));
}

}  // namespace

// Each plan is interrupted at other nodes and other rows.
static uint64_t forced_turn = 0;
static uint64_t ForcedLimit(int i) {
  uint64_t dice = MixBits(forced_turn * kMaxPlanNodes + static_cast<uint64_t>(i));
  return dice % 2 == 0 ? 1 + (dice >> 8) % (uint64_t{1} << (dice >> 4) % 12) : kNoRowLimit;
}

void PrepareReplan(Tracker* tracker) {
  PlanChanges* changes = &tracker->changes;
  changes->note = nullptr;
  ++forced_turn;
  FindStarter(tracker);
  if (tracker->worker || ExplainsPlainly() || (!Does(settings::replan) && !Advises(settings::replan))) return;
  const PlannedStmt* statement = tracker->query->plannedstmt;
  if (statement->commandType != CMD_SELECT || statement->rowMarks != NIL || statement->hasModifyingCTE ||
      statement->hasReturning || changes->swaps >= settings::replan_limit)
    return;
  const PlanNote* note = NoteOf(statement);
  if (note != nullptr && note->query != nullptr) changes->note = note;
}

uint64_t FirstRowLimit(const Tracker* tracker, int i) {
  const PlanNote* note = tracker->changes.note;
  if (note == nullptr) return kNoRowLimit;
  const PlanNode& node = tracker->plan.nodes[i];
  if (node.under_gather) return kNoRowLimit;
  if (Forced()) return ForcedLimit(i);
  if (node.node_id < 0 || node.node_id >= note->key_count) return kNoRowLimit;
  const NodeKey& key = note->keys[node.node_id];
  if (key.key == 0 || key.parameterised || key.partial) return kNoRowLimit;
  return RowLimit(node.rows, settings::replan_factor);
}

// Spent on asking, the next question included: it takes what planning has taken before.
static double AskingMs(const PlanChanges* changes) { return changes->asking_ms + changes->note->planning_ms; }

bool PlanInDoubt(Tracker* tracker, double elapsed_ms) {
  PlanChanges* changes = &tracker->changes;
  if (changes->note == nullptr || tracker->query->estate->es_processed > 0 || tracker->rows_before > 0) return false;
  TimeQuestion question;
  question.elapsed_ms = elapsed_ms;
  question.eta_ms = tracker->time_left.eta_ms;
  question.predicted_ms = tracker->estimate.targets[kTimeMs].value;
  question.predicted_log_sd = tracker->estimate.log_sd;
  question.predicted = tracker->predicted;
  question.min_ms = settings::replan_min_time_ms;
  question.asked_ms = changes->asked_ms;
  question.asking_ms = AskingMs(changes);
  if (!TimeExploded(question)) return false;
  changes->asked_ms = elapsed_ms;
  return true;
}

const char* PlanMisfit(const Tracker* tracker, const PlannedStmt* plan) {
  const QueryDesc* query = tracker->query;
  if (plan->commandType != CMD_SELECT || plan->rowMarks != NIL || plan->hasModifyingCTE || plan->hasReturning)
    return "the new plan does more than read";
  bool backward = (query->estate->es_top_eflags & (EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK)) != 0;
  if (backward && !ExecSupportsBackwardScan(plan->planTree)) return "the new plan cannot be read backward";
  TupleDesc rows = ExecCleanTypeFromTL(plan->planTree->targetlist);
  bool alike = query->tupDesc != nullptr && equalTupleDescs(rows, query->tupDesc);
  FreeTupleDesc(rows);
  if (!alike) return "the new plan returns rows of another type";
  // A right that was lost meanwhile is no reason to fail a statement that had it when it began.
  if (!ExecCheckRTPerms(plan->rtable, false)) return "rights have changed since the statement began";
  return nullptr;
}

void ConsiderReplan(Tracker* tracker, TrackedNode* node) {
  static NewPlan plan;
  PlanChanges* changes = &tracker->changes;
  if (asking || changes->note == nullptr) {
    if (node != nullptr) SetRowLimit(node->wrapper, kNoRowLimit);
    return;
  }
  // It has been read to its end before: nothing about it is a surprise.
  if (node != nullptr && WrapperAt(node->wrapper).ends > 0) {
    SetRowLimit(node->wrapper, kNoRowLimit);
    return;
  }
  bool for_good = false;
  const char* obstacle = ObstacleToSwap(tracker, &for_good);
  int node_id = node != nullptr ? node->state->plan->plan_node_id : -1;
  if (obstacle != nullptr && for_good) {
    Answer answer = {};
    answer.verdict = "declined";
    answer.reason = obstacle;
    StopAsking(tracker);
    // That rows have been seen is the common case, and nothing to tell of.
    if (RowsUnseen(tracker)) Tell(tracker, node_id, answer, nullptr);
    return;
  }
  double elapsed_ms = PlanElapsedMs(tracker);
  if (obstacle != nullptr || (!Forced() && !MayAsk(elapsed_ms, AskingMs(changes), settings::replan_min_time_ms))) {
    // Soon again: it is too early to tell, or this is not the place.
    if (node != nullptr) SetRowLimit(node->wrapper, RowLimit(static_cast<double>(WrapperAt(node->wrapper).rows), 1.5));
    return;
  }
  Answer answer;
  asking = true;
  tracker->busy = 1;
  PublishState(tracker, StatementState::kReplanning);
  PG_TRY();
  { Ask(tracker, node, &plan, &answer); }
  PG_FINALLY();
  {
    asking = false;
    PublishState(tracker, StatementState::kRunning);
    tracker->busy = 0;
  }
  PG_END_TRY();
  ++changes->asked;
  changes->asking_ms += plan.planning_ms;
  Tell(tracker, node_id, answer, &plan);
  if (answer.swap) {
    changes->next_trial = answer.trial;
    SwapTo(tracker, plan.statement, plan.tree, plan.facts);
  }
  DropPlan(&plan);
  if (Advises(settings::replan))
    StopAsking(tracker);
  else
    GoOn(tracker, node);
}

}  // namespace query_shaper
