#include "pg/pg.h"

#include "core/base/hash.h"
#include "core/plan/fingerprint.h"
#include "server/query/plan_trial.h"

#include <cmath>

#include "pg/guard.h"
#include "server/query/carry_out.h"
#include "server/query/outcome.h"
#include "server/query/plan_shape.h"
#include "server/query/replan.h"
#include "server/query/row_learning.h"
#include "server/query/statement_name.h"
#include "server/settings.h"
#include "server/store/knowledge.h"
#include "server/store/learned_rows.h"

namespace query_shaper {
namespace {

// What plans take is observed wherever other plans may be chosen later.
bool Guards() {
  return settings::mode != kModeOff && (settings::learn_rows != kSwitchOff || settings::replan != kSwitchOff);
}

// The largest regret_limit says that any loss will do.
bool Chooses() { return Does(settings::learn_rows) && settings::regret_limit < settings::kNoRegretLimit; }

GuardLimits LimitsNow() {
  GuardLimits limits;
  limits.regret_limit = settings::regret_limit;
  limits.now_s = EpochSeconds(GetCurrentTimestamp());
  limits.half_life_s = settings::half_life_s;
  return limits;
}

// 0: no name could be found.
uint64_t NamePlan(const PlannedStmt* statement) {
  static PlanTree tree;
  uint64_t fingerprint = 0;
  ReadPlan(statement, ReadDepth::kFull, &tree);
  pg::Advise("name a plan", [&] { fingerprint = PlanFingerprint(tree); });
  return fingerprint;
}

bool AllJoinsLearned(const PlanNote* note) {
  for (int i = 0; i < note->key_count; ++i) {
    const NodeKey& key = note->keys[i];
    if (key.key != 0 && key.kind == RowKind::kJoin && !key.parameterised && !key.injected) return false;
  }
  return true;
}

PlannedStmt* PlanStock(const PlanNote* note, const char* source_text, ParamListInfo parameters) {
  PlanningOrder order;
  order.use_learned = false;
  PlannedStmt* stock = PlanAgain(note, source_text, parameters, order);
  if (PlanNote* stock_note = NoteOf(stock)) stock_note->origin = PlanOrigin::kStock;
  return stock;
}

// What orders the best plan; it points into the record that it was made of.
struct BestOrder {
  RowOverride overrides[kPlanSteps];
  PlanningOrder order;
};

// How the best plan is made again. By its shape alone its rows are those of the constants at hand; where the estimates
// of these lead elsewhere in what the shape leaves out, with the rows that it was made of; and where the shape cannot
// be made any more, by these rows alone.
enum class Remake : uint8_t { kShape = 0, kShapeAndRows = 1, kRows = 2 };
constexpr Remake kRemakes[] = {Remake::kShape, Remake::kShapeAndRows, Remake::kRows};

// A shape that leaves a part of the plan to the estimates needs those that it was made of.
bool Applies(const KnownPlans& known, Remake how) {
  return how != Remake::kShape || !TellsPart(known.best_steps, known.best_step_count);
}

void OrderBest(const KnownPlans& known, Remake how, BestOrder* best) {
  int count = 0;
  int steps = Min(Max(known.best_step_count, 0), kPlanSteps);
  for (int i = 0; i < steps && how != Remake::kShape; ++i)
    if (known.best_steps[i].rows >= 0)
      best->overrides[count++] = {known.best_steps[i].key, 0, static_cast<double>(known.best_steps[i].rows), false};
  best->order = PlanningOrder();
  best->order.overrides = best->overrides;
  best->order.override_count = count;
  if (how == Remake::kRows) return;
  best->order.steps = known.best_steps;
  best->order.step_count = steps;
}

// Whether a plan made of the best one's steps may stand for it.
bool IsBest(const KnownPlans& known, Remake how, uint64_t fingerprint) {
  return fingerprint == known.best_fingerprint ||
         (how != Remake::kRows && fingerprint != 0 && TellsPart(known.best_steps, known.best_step_count));
}

bool Remakes(const KnownPlans& known, uint64_t fingerprint) {
  return known.best_fingerprint == fingerprint && known.best_step_count > 0;
}

// Which way made it last, by the plan's fingerprint: each that fails costs a planning.
struct RemadeBy {
  uint64_t fingerprint;
  Remake how;
};
constexpr int kRemadeBy = 128;
RemadeBy remade_by[kRemadeBy];

// Null when its steps do not make it any more.
PlannedStmt* PlanBest(const PlanNote* note, const char* source_text, ParamListInfo parameters, const KnownPlans& known,
                      uint64_t fingerprint) {
  if (!Remakes(known, fingerprint)) return nullptr;
  BestOrder best;
  RemadeBy* last = &remade_by[fingerprint % kRemadeBy];
  Remake first = last->fingerprint == fingerprint ? last->how : Remake::kShape;
  for (Remake how : kRemakes) {
    if (how < first || !Applies(known, how)) continue;
    OrderBest(known, how, &best);
    PlannedStmt* plan = PlanAgain(note, source_text, parameters, best.order);
    uint64_t made = NamePlan(plan);
    if (!IsBest(known, how, made)) continue;
    *last = {fingerprint, how};
    if (PlanNote* best_note = NoteOf(plan)) {
      best_note->origin = PlanOrigin::kLearned;
      best_note->foreign_rows = how != Remake::kShape;
      best_note->trial = made != fingerprint;  // its kept work cannot be had again
    }
    return plan;
  }
  return nullptr;
}

const KnownPlan* FindKnown(const KnownPlans& known, uint64_t fingerprint) {
  for (const KnownPlan& plan : known.plans)
    if (fingerprint != 0 && plan.fingerprint == fingerprint) return &plan;
  return nullptr;
}

// The planner's own plan was tried, and nobody waited for its end.
bool StockGivenUp(const KnownPlans& known) {
  for (const KnownPlan& plan : known.plans)
    if (plan.fingerprint != 0 && plan.origin == PlanOrigin::kStock && plan.given_up > 0) return true;
  return false;
}

// What ChangePlans() carries to the record.
struct Lesson {
  uint64_t fingerprint;
  PlanOrigin origin;
  double ms;
  bool on_probation;
  GuardLimits limits;
  const PlanStep* steps;
  int step_count;
};

Lesson LessonOf(const Tracker* tracker, double ms) {
  Lesson lesson = {};
  lesson.fingerprint = tracker->fingerprint;
  lesson.origin = tracker->origin;
  lesson.ms = ms;
  lesson.on_probation = tracker->trial.known_ms > 0;
  lesson.limits = LimitsNow();
  return lesson;
}

// Its steps make a plan of learned rows again.
void KeepBestSteps(KnownPlans* known, const Lesson& lesson) {
  const KnownPlan* best = BestPlan(*known, lesson.limits);
  if (best == nullptr || best->fingerprint != lesson.fingerprint || lesson.origin == PlanOrigin::kStock ||
      lesson.step_count <= 0)
    return;
  memcpy(known->best_steps, lesson.steps, sizeof(PlanStep) * static_cast<size_t>(lesson.step_count));
  known->best_step_count = lesson.step_count;
  known->best_fingerprint = lesson.fingerprint;
}

void LearnGivenUp(const Tracker* tracker, double total_ms) {
  Lesson lesson = LessonOf(tracker, total_ms);
  ChangePlans(
      tracker->plan.query_id,
      [](KnownPlans* known, void* context) {
        const auto* given_up = static_cast<const Lesson*>(context);
        LearnPlanGivenUp(known, given_up->fingerprint, given_up->origin, given_up->ms, given_up->on_probation,
                         given_up->limits);
      },
      &lesson);
}

// The best plan known, made again; where that cannot be, the planner's own when that is known to be worth the change.
// Null: none that is not the running one.
PlannedStmt* PlanInstead(const Tracker* tracker, const KnownPlans& known, PlanTree* tree, StatementFacts* facts) {
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  const KnownPlan* best = BestPlan(known, LimitsNow());
  if (best == nullptr) return nullptr;
  auto plan = [&](const PlanningOrder& order, PlanOrigin origin) {
    PlannedStmt* made = PlanAnew(tracker, note, order);
    if (made == nullptr) return made;
    DescribeStatement(made, tracker->query->sourceText, tree, facts);
    if (PlanNote* fresh = NoteOf(made)) fresh->origin = origin;
    return facts->fingerprint != tracker->fingerprint ? made : nullptr;
  };
  if (best->origin != PlanOrigin::kStock && Remakes(known, best->fingerprint)) {
    BestOrder again;
    for (Remake how : kRemakes) {
      if (!Applies(known, how)) continue;
      OrderBest(known, how, &again);
      PlannedStmt* made = plan(again.order, PlanOrigin::kLearned);
      if (made != nullptr && IsBest(known, how, facts->fingerprint)) return made;
    }
  }
  const KnownPlan* stock = best;
  for (const KnownPlan& other : known.plans)
    if (best->origin != PlanOrigin::kStock && other.origin == PlanOrigin::kStock && other.weight > 0) stock = &other;
  if (stock->origin != PlanOrigin::kStock ||
      (stock != best && std::exp(static_cast<double>(stock->log_ms)) > tracker->time_left.eta_ms))
    return nullptr;
  PlanningOrder order;
  order.use_learned = false;
  return plan(order, PlanOrigin::kStock);
}

void TellGuard(const Tracker* tracker, const char* verdict, const char* reason) {
  char details[kEventTextBytes];
  std::snprintf(details, sizeof details,
                "{\"elapsed_ms\": %.1f, \"tracked_ms\": %.1f, \"known_ms\": %.1f, \"allowed_ms\": %.1f}",
                PlanElapsedMs(tracker), PlanElapsedMs(tracker) + tracker->time_left.eta_ms, tracker->trial.known_ms,
                AllowanceMs(tracker->trial));
  RecordEvent("guard", verdict, tracker->plan.query_id, -1, reason, details);
}

// Plans of learned rows that were made only to be passed over for the stock plan: what this backend remembers of the
// last statements. Learned rows change with every run, so that planning with them is spared for a few times at most.
struct PassedOver {
  int64_t query_id;
  uint64_t made, preferred;
  int times;  // in a row
  int spared;
};
constexpr int kPassedOver = 128;
constexpr int kSparedAtMost = 63;
PassedOver passed_over[kPassedOver];

PassedOver* PassedOverOf(int64_t query_id) {
  return &passed_over[MixBits(static_cast<uint64_t>(query_id)) % kPassedOver];
}

void NotePassedOver(int64_t query_id, uint64_t made, uint64_t preferred) {
  PassedOver* place = PassedOverOf(query_id);
  bool again = place->query_id == query_id && place->made == made && place->preferred == preferred;
  *place = {query_id, made, preferred, again ? Min(place->times + 1, 30) : 1, 0};
}

// After n times in a row the next 2^n - 1 plannings are spared.
bool SparesLearned(int64_t query_id, const KnownPlan& best) {
  PassedOver* place = PassedOverOf(query_id);
  if (place->query_id != query_id || place->preferred != best.fingerprint) return false;
  if (place->spared >= Min((1 << place->times) - 1, kSparedAtMost)) return false;
  ++place->spared;
  return true;
}

// Of a statement that never ran, a plan of learned rows is taken only when all of its joins are learned: false when it
// is clear before planning that they are not.
bool WholeJoinKnown(const Query* query) {
  Oid relations[kRowRelations];
  int count = 0;
  if (query->hasSubLinks || query->cteList != NIL) return true;
  ListCell* cell;
  foreach (cell, query->rtable) {
    const auto* entry = static_cast<RangeTblEntry*>(lfirst(cell));
    if (entry->rtekind == RTE_JOIN) continue;
    if (entry->rtekind != RTE_RELATION || count == kRowRelations) return true;
    relations[count++] = entry->relid;
  }
  return count < 2 || JoinKnownOf(relations, count);
}

}  // namespace

PlannedStmt* GuardPlanning(PlannedStmt* statement, const char* source_text, ParamListInfo parameters) {
  PlanNote* note = NoteOf(statement);
  if (!Chooses() || note == nullptr || note->query == nullptr || note->origin != PlanOrigin::kLearned) return statement;
  int64_t query_id = NameOf(statement, source_text);
  KnownPlans known;
  GuardLimits limits = LimitsNow();
  bool recalled = RecallPlans(query_id, &known);
  if (!recalled || BestPlan(known, limits) == nullptr) {
    bool take = AllJoinsLearned(note) || (recalled && StockGivenUp(known));
    return take ? statement : PlanStock(note, source_text, parameters);
  }
  uint64_t made = NamePlan(statement);
  PlanChoice choice = ChoosePlan(known, made, note->origin, true, limits);
  if (choice.verdict == PlanVerdict::kTake) return statement;
  if (choice.verdict == PlanVerdict::kPrefer) {
    if (choice.preferred_origin == PlanOrigin::kStock) {
      NotePassedOver(query_id, made, choice.preferred);
      return PlanStock(note, source_text, parameters);
    }
    // When the known plan cannot be made any more, this one is on trial against its time.
    PlannedStmt* best = PlanBest(note, source_text, parameters, known, choice.preferred);
    if (best != nullptr) {
      PlanNote* best_note = NoteOf(best);
      if (best_note != nullptr) best_note->known_ms = choice.known_ms;
      return best;
    }
  }
  note->trial = true;
  note->known_ms = choice.known_ms;
  return statement;
}

bool GuardLets(PlannedStmt* statement, const char* source_text, uint64_t fingerprint) {
  PlanNote* note = NoteOf(statement);
  if (!Chooses() || note == nullptr) return true;
  int64_t query_id = NameOf(statement, source_text);
  KnownPlans known;
  GuardLimits limits = LimitsNow();
  if (!RecallPlans(query_id, &known) || BestPlan(known, limits) == nullptr) return true;
  // Of whatever rows it was made, it is not the server's own change of mind.
  PlanChoice choice = ChoosePlan(known, fingerprint, PlanOrigin::kLearned, true, limits);
  if (choice.verdict == PlanVerdict::kPrefer) return false;
  note->trial = choice.verdict != PlanVerdict::kTake;
  note->known_ms = choice.known_ms;
  return true;
}

bool PlansStock(const Query* query) {
  KnownPlans known;
  if (!Chooses() || query->queryId == 0) return false;
  if (!RecallPlans(static_cast<int64_t>(query->queryId), &known)) return !WholeJoinKnown(query);
  GuardLimits limits = LimitsNow();
  const KnownPlan* best = BestPlan(known, limits);
  if (best == nullptr || best->origin != PlanOrigin::kStock) return false;
  if (SparesLearned(static_cast<int64_t>(query->queryId), *best)) return true;
  // A plan with a name that nothing has.
  return ChoosePlan(known, ~best->fingerprint, PlanOrigin::kLearned, true, limits).verdict == PlanVerdict::kPrefer;
}

double BestKnownMs(const KnownPlans& plans) {
  const KnownPlan* best = BestPlan(plans, LimitsNow());
  return best == nullptr ? 0 : std::exp(static_cast<double>(best->log_ms));
}

void BeginTrial(Tracker* tracker) {
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  tracker->origin = note != nullptr ? note->origin : PlanOrigin::kStock;
  if (note != nullptr && note->foreign_rows) BelieveLearnedRows(tracker, true);
  if (note == nullptr || !note->trial || !Chooses() || tracker->fingerprint == 0) return;
  KnownPlans known;
  if (!RecallPlans(tracker->plan.query_id, &known)) return;
  GuardLimits limits = LimitsNow();
  // The plan may be an old one of the plan cache: what is known by now decides.
  PlanOrigin origin = note->modest != nullptr ? PlanOrigin::kLearned : note->origin;
  PlanChoice choice = ChoosePlan(known, tracker->fingerprint, origin, true, limits);
  if (choice.verdict == PlanVerdict::kTake || !(choice.known_ms > 0)) return;
  tracker->trial = Probation();
  tracker->trial.known_ms = choice.known_ms;
  tracker->trial.regret_limit = settings::regret_limit;
  BelieveLearnedRows(tracker, false);
}

bool TrialFailed(Tracker* tracker, double elapsed_ms) {
  if (!(tracker->trial.known_ms > 0) || tracker->trial_over) return false;
  double total_ms = elapsed_ms + tracker->time_left.eta_ms;
  return JudgeProbation(&tracker->trial, elapsed_ms, total_ms, tracker->discrepancy.total_log_sd,
                        settings::tick_interval_ms, tracker->progress.work_share()) == ProbationVerdict::kGiveUp;
}

void GiveUpTrial(Tracker* tracker) {
  static PlanTree tree;
  static StatementFacts facts;
  // The tick has decided, and time has passed until the plan came to a point between two rows.
  if (!TrialFailed(tracker, PlanElapsedMs(tracker))) return;
  bool for_good = false;
  const char* obstacle = ObstacleToSwap(tracker, &for_good);
  if (obstacle != nullptr) {
    if (!for_good) return;  // the next tick asks again
    tracker->trial_over = true;
    TellGuard(tracker, "declined", obstacle);
    return;
  }
  tracker->trial_over = true;
  MemoryContext context = NewPlanContext(tracker);
  MemoryContext caller = MemoryContextSwitchTo(context);
  PlannedStmt* volatile plan = nullptr;
  KnownPlans known;
  tracker->busy = 1;
  PG_TRY();
  {
    if (RecallPlans(tracker->plan.query_id, &known)) plan = PlanInstead(tracker, known, &tree, &facts);
  }
  PG_FINALLY();
  { tracker->busy = 0; }
  PG_END_TRY();
  MemoryContextSwitchTo(caller);
  const char* misfit = plan == nullptr ? "no known plan can be made again" : PlanMisfit(tracker, plan);
  if (misfit != nullptr) {
    TellGuard(tracker, "declined", misfit);
    MemoryContextDelete(context);
    return;
  }
  TellGuard(tracker, "done", "a plan on trial would take longer than the known one allows");
  SwapTo(tracker, plan, tree, facts);
}

const char* GuardAgainst(const Tracker* tracker, uint64_t fingerprint, Probation* trial) {
  constexpr double kAsKnown = 1.5;  // times its known time, that have passed;
  constexpr double kAsTracked = 4;  // the same, extrapolated. Beyond, known times do not even tell which plan is faster
  *trial = Probation();
  if (settings::regret_limit >= settings::kNoRegretLimit) return nullptr;
  KnownPlans known;
  if (!RecallPlans(tracker->plan.query_id, &known)) return nullptr;
  double elapsed_ms = PlanElapsedMs(tracker);
  double total_ms = elapsed_ms + tracker->time_left.eta_ms;
  double best_ms = BestKnownMs(known);
  // Nothing excuses a plan that takes many times what any is known to take.
  if (tracker->trial_over && !(best_ms > 0 && total_ms > kAsTracked * best_ms))
    return "the running plan has taken over from one that was given up";
  const KnownPlan* proposed = FindKnown(known, fingerprint);
  const KnownPlan* running = FindKnown(known, tracker->fingerprint);
  bool running_known = running != nullptr && running->weight > 0;
  double running_ms = running_known ? std::exp(static_cast<double>(running->log_ms)) : 0;
  if (proposed != nullptr && (proposed->weight > 0 || proposed->given_up > 0)) {
    double proposed_ms = std::exp(static_cast<double>(proposed->log_ms));
    bool slower = running_known && proposed_ms > running_ms && total_ms <= kAsTracked * running_ms;
    if (slower || proposed_ms > total_ms) return "the new plan is known to take longer";
  }
  if (proposed != nullptr || elapsed_ms > kAsKnown * running_ms || total_ms > kAsTracked * running_ms) return nullptr;
  PlanChoice choice = ChoosePlan(known, fingerprint, PlanOrigin::kReplanned, Does(settings::replan), LimitsNow());
  trial->known_ms = choice.known_ms;
  trial->regret_limit = settings::regret_limit;
  trial->spent_ms = ElapsedMs(tracker);
  if (choice.verdict == PlanVerdict::kTry && choice.preferred == running->fingerprint && TrialAffordable(*trial))
    return nullptr;
  *trial = Probation();
  return "the running plan takes what it is known to take";
}

void LearnTimeOf(const Tracker* tracker) {
  if (!Guards() || tracker->worker || !tracker->complete || tracker->fingerprint == 0) return;
  // A plan that took over may have found finished work of one before it, which alone it would have to do itself.
  double ms = PlanElapsedMs(tracker) + tracker->changes.carried_ms;
  // Waiting for a lock or a client says nothing of the plan.
  ms = Max(ms - tracker->progress.stalled_ms(), 0);
  Lesson lesson = LessonOf(tracker, ms);
  PlanStep steps[kPlanSteps];
  lesson.steps = steps;
  lesson.step_count = lesson.origin == PlanOrigin::kStock ? 0 : StepsOf(tracker, steps, kPlanSteps);
  ChangePlans(
      tracker->plan.query_id,
      [](KnownPlans* known, void* context) {
        const auto* run = static_cast<const Lesson*>(context);
        LearnPlanTime(known, run->fingerprint, run->origin, run->ms, run->limits);
        KeepBestSteps(known, *run);
      },
      &lesson);
}

void LearnFailureOf(const Tracker* tracker, int sqlstate) {
  // A statement that somebody lost patience with: it would have taken at least as long as was tracked.
  if (!Guards() || tracker->worker || sqlstate != ERRCODE_QUERY_CANCELED || tracker->fingerprint == 0) return;
  double elapsed_ms = PlanElapsedMs(tracker);
  constexpr double kPatienceMs = 1000;
  if (elapsed_ms < kPatienceMs) return;
  LearnGivenUp(tracker, elapsed_ms + Max(0, tracker->time_left.eta_ms));
}

void LeavePlan(Tracker* tracker) {
  Probation* next = &tracker->changes.next_trial;
  // It was as good as ever when it was left for another one that is on trial against it.
  if (Guards() && tracker->fingerprint != 0 && !(next->known_ms > 0))
    LearnGivenUp(tracker, Max(tracker->discrepancy.total_ms, tracker->time_left.eta_ms));
  tracker->trial = *next;
  *next = Probation();
  const PlanNote* note = NoteOf(tracker->query->plannedstmt);
  tracker->origin = note != nullptr ? note->origin : PlanOrigin::kStock;
}

}  // namespace query_shaper
