#include "pg/pg.h"

#include "server/query/subplan_memo.h"

#include "server/query/subplan_memo_node.h"
#include "server/query/tracker.h"
#include "server/settings.h"
#include "server/store/knowledge.h"

#include <cstdio>

extern "C" {
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
}

namespace query_shaper {
namespace {

constexpr int kMostMemos = 64;          // per statement
constexpr double kWorthTelling = 1000;  // runs of a subplan that is left alone

struct Installation {
  List* memos;
  bool advise;
};

bool Correlated(const SubPlanState* user) {
  const SubPlan* subplan = user->subplan;
  if (user->planstate == nullptr || subplan->parParam == NIL || subplan->setParam != NIL || subplan->useHashTable)
    return false;
  switch (subplan->subLinkType) {
    case EXPR_SUBLINK:
    case EXISTS_SUBLINK:
    case ANY_SUBLINK:
    case ALL_SUBLINK:
    case ARRAY_SUBLINK:
    case ROWCOMPARE_SUBLINK:
      return true;
    default:
      return false;
  }
}

// Expressions that the planner copied share a plan: they share a memo as well.
SubplanMemo* MemoOver(const Installation* installation, const SubPlanState* user) {
  ListCell* cell = nullptr;
  foreach (cell, installation->memos) {
    auto* memo = static_cast<SubplanMemo*>(lfirst(cell));
    if (memo->child == user->planstate) return memo;
  }
  return nullptr;
}

void AddUser(SubplanMemo* memo, SubPlanState* user) {
  Size bytes = sizeof(SubPlanState*) * static_cast<Size>(memo->user_count + 1);
  memo->users = static_cast<SubPlanState**>(memo->users ? repalloc(memo->users, bytes) : palloc(bytes));
  memo->users[memo->user_count++] = user;
  user->planstate = &memo->node.ss.ps;
}

bool InstallWalker(PlanState* state, Installation* installation) {
  if (state == nullptr || IsMemo(state)) return false;
  planstate_tree_walker(state, reinterpret_cast<bool (*)()>(InstallWalker), installation);
  ListCell* cell = nullptr;
  foreach (cell, state->subPlan) {
    auto* user = static_cast<SubPlanState*>(lfirst(cell));
    if (!Correlated(user) || IsMemo(user->planstate)) continue;
    SubplanMemo* memo = MemoOver(installation, user);
    if (memo == nullptr) {
      if (list_length(installation->memos) >= kMostMemos) continue;
      memo = MakeMemo(user);
      memo->advise = installation->advise;
      installation->memos = lappend(installation->memos, memo);
    } else if (memo->kind != user->subplan->subLinkType) {
      continue;
    }
    AddUser(memo, user);
  }
  return false;
}

bool LocksRows(const PlannedStmt* statement) {
  ListCell* cell = nullptr;
  foreach (cell, statement->rowMarks)
    if (RowMarkRequiresRowShareLock(static_cast<PlanRowMark*>(lfirst(cell))->markType)) return true;
  return false;
}

template <class Visit>
void ForEachMemo(Tracker* tracker, Visit&& visit) {
  StatementMemos* memos = tracker->memos;
  for (int i = 0; memos != nullptr && i < memos->count; ++i) visit(memos->memos[i]);
}

double LoopsOf(const Tracker* tracker, const PlanState* state) {
  for (int i = 0; i < tracker->plan.count; ++i)
    if (tracker->nodes[i].state == state) return tracker->counters[i].loops;
  return 0;
}

void Tell(const Tracker* tracker, const SubplanMemo* memo) {
  const char* verdict = nullptr;
  const char* reason = nullptr;
  if (memo->advise ? memo->worth : memo->hits > 0) {
    verdict = memo->advise ? "advised" : "done";
    reason = "results of a correlated subquery by its parameters";
  } else if (memo->refusal != nullptr && LoopsOf(tracker, memo->child) >= kWorthTelling) {
    verdict = "declined";
    reason = memo->refusal;
  } else if (memo->rests > 0 && LoopsOf(tracker, memo->child) >= kWorthTelling) {
    verdict = "declined";
    reason = "parameters of a correlated subquery repeat too rarely";
  }
  if (verdict == nullptr) return;
  char details[kEventTextBytes];
  auto memory_kb = static_cast<uint64_t>((Max(memo->table.peak_bytes, MemoTableBytes(&memo->table)) + 1023) / 1024);
  std::snprintf(details, sizeof details,
                "{\"runs\": %llu, \"hits\": %llu, \"misses\": %llu, \"clears\": %llu, \"rests\": %llu, "
                "\"memory_kb\": %llu}",
                static_cast<unsigned long long>(memo->runs), static_cast<unsigned long long>(memo->hits),
                static_cast<unsigned long long>(memo->misses), static_cast<unsigned long long>(memo->clears),
                static_cast<unsigned long long>(memo->rests), static_cast<unsigned long long>(memory_kb));
  RecordEvent("memoize", verdict, tracker->plan.query_id, memo->child->plan->plan_node_id, reason, details);
}

}  // namespace

void InstallMemos(Tracker* tracker) {
  QueryDesc* query = tracker->query;
  bool advise = Advises(settings::memoize_subplans);
  if (!advise && !Does(settings::memoize_subplans)) return;
  const PlannedStmt* statement = query->plannedstmt;
  if (statement->subplans == NIL || query->planstate == nullptr || tracker->memos != nullptr) return;
  // Rows changed or locked on the way are the one thing that a second look at the same parameters may show.
  if (statement->hasModifyingCTE || LocksRows(statement)) return;
  MemoryContext caller = MemoryContextSwitchTo(query->estate->es_query_cxt);
  Installation installation = {NIL, advise};
  InstallWalker(query->planstate, &installation);
  int count = list_length(installation.memos);
  if (count > 0) {
    auto* memos = static_cast<StatementMemos*>(
        palloc0(offsetof(StatementMemos, memos) + sizeof(SubplanMemo*) * static_cast<Size>(count)));
    for (int i = 0; i < count; ++i) memos->memos[i] = static_cast<SubplanMemo*>(list_nth(installation.memos, i));
    memos->count = count;
    tracker->memos = memos;
  }
  MemoryContextSwitchTo(caller);
}

void TickMemos(Tracker* tracker) {
  ForEachMemo(tracker, [](SubplanMemo* memo) {
    if (memo->standing != kMemoResting || NowNs() < memo->rest_until_ns) return;
    memo->standing = kMemoSampling;
    AttachMemo(memo);
  });
}

void FinishMemos(Tracker* tracker) {
  bool shown = tracker->query->instrument_options != 0;
  ForEachMemo(tracker, [shown](SubplanMemo* memo) {
    memo->standing = kMemoOver;
    if (shown && memo->hits > 0 && !memo->advise)
      AttachMemo(memo);
    else
      DetachMemo(memo);
  });
}

void RemoveMemos(Tracker* tracker) {
  ReportMemos(tracker, false);
  ForEachMemo(tracker, [](SubplanMemo* memo) {
    memo->standing = kMemoOver;
    DetachMemo(memo);
    ExecClearTuple(memo->slot);
    ClearMemoTable(&memo->table);
  });
  tracker->memos = nullptr;
}

void ReportMemos(Tracker* tracker, bool failed) {
  if (tracker->memos == nullptr || tracker->memos->reported) return;
  tracker->memos->reported = true;
  if (!failed) ReadCounters(tracker);
  ForEachMemo(tracker, [&](SubplanMemo* memo) {
    if (!memo->advise) {
      Count(kMetricSubplanMemoHits, memo->hits);
      Count(kMetricSubplanMemoMisses, memo->misses);
    }
    Count(kMetricSubplanMemosGivenUp, memo->rests);
    if (!failed) Tell(tracker, memo);
  });
}

}  // namespace query_shaper
