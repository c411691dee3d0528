#include "pg/pg.h"

#include "server/query/shadow_launch.h"

#include <algorithm>
#include <cmath>

#include "server/prefetch_plan.h"
#include "server/query/block_runs.h"
#include "server/query/plan_states.h"
#include "server/query/sampled_query.h"
#include "server/query/tick_record.h"
#include "server/settings.h"
#include "server/shared_shadow.h"
#include "server/store/knowledge.h"

extern "C" {
#include "access/xact.h"
#include "access/parallel.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "postmaster/bgworker.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace query_shaper {

namespace {

constexpr double kShortest = 0.25;
constexpr double kNormal95 = 1.645;

// The shadow of one statement of this process: more at once would only be in each other's way.
struct Mine {
  const Tracker* tracker;
  uint32 generation;
  ShadowSlot* slot;
  uint32 ticket;
};
Mine mine;

bool IsMine(const Tracker* tracker) {
  return mine.slot != nullptr && mine.tracker == tracker && mine.generation == tracker->generation;
}

void Tell(const Tracker* tracker, const char* verdict, const char* reason, const char* details) {
  if (tracker->outcomes_wanted)
    WriteEvent("shadow", verdict, static_cast<int64_t>(tracker->plan.query_id), -1, reason, details);
}

// Joins whose rows nobody has seen before.
bool Doubtful(const PlanNote* note) {
  for (int i = 0; i < note->key_count; ++i) {
    const NodeKey& key = note->keys[i];
    if (key.key != 0 && key.kind == RowKind::kJoin && !key.injected && !RowKeyKnown(key.key)) return true;
  }
  return false;
}

// Node of the plan that has this name, -1: none.
int NodeNamed(const PlanNote* note, const ShadowRow& row) {
  for (int i = 0; note != nullptr && i < note->key_count; ++i) {
    const NodeKey& key = note->keys[i];
    if (key.key == row.key && key.constants.hash == row.constants && !key.parameterised) return i;
  }
  return -1;
}

bool PredictedLong(const Tracker* tracker) {
  const Quantity& ms = tracker->estimate.targets[kTimeMs];
  // A plan that rests on wrong rows is predicted too short: the upper limit counts, too.
  return tracker->predicted && ms.high >= settings::shadow_min_time_ms &&
         ms.value >= kShortest * settings::shadow_min_time_ms;
}

bool OutOfReach(Node* node, const char** why) {
  if (node == nullptr) return false;
  if (IsA(node, Query))
    return query_tree_walker(reinterpret_cast<Query*>(node),
                             reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(OutOfReach)), why,
                             QTW_EXAMINE_RTES_BEFORE);
  if (IsA(node, RangeTblEntry)) {
    const auto* const entry = reinterpret_cast<RangeTblEntry*>(node);
    if (entry->rtekind == RTE_NAMEDTUPLESTORE) *why = "it reads rows of this session alone";
    if (entry->rtekind == RTE_RELATION && get_rel_persistence(entry->relid) == RELPERSISTENCE_TEMP)
      *why = "it reads a temporary table";
    if (entry->rtekind == RTE_RELATION && entry->relkind == RELKIND_FOREIGN_TABLE) *why = "it reads a foreign table";
    return *why != nullptr;
  }
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(OutOfReach)), why);
}

bool MayLogIn(Oid role) {
  HeapTuple const tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool may = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolcanlogin;
  ReleaseSysCache(tuple);
  return may;
}

// What keeps another process from standing in for this one. Null: nothing.
const char* WhyNoShadow(const Query* query) {
  // Rows of a transaction that is in progress look aborted to whom its snapshot does not name it.
  if (TransactionIdIsValid(GetTopTransactionIdIfAny())) return "its transaction has written";
  const char* why = WhyNotSampled(query);
  if (why == nullptr) OutOfReach(reinterpret_cast<Node*>(const_cast<Query*>(query)), &why);
  if (why == nullptr && !MayLogIn(GetSessionUserId())) why = "its role may not log in";
  if (why == nullptr && !OidIsValid(BlockRunsHandler())) why = "the extension is not installed in this database";
  return why;
}

// Whether the statement keeps the disk busy with what it will read next: a sample of the same cold tables would take
// its turns (a batched nested loop ran in 1.5 s beside its shadow, in .6 s without).
bool ReadsAhead(const QueryDesc* query) {
  bool reads = false;
  if (Does(settings::prefetch))
    VisitPlanStates(
        query->estate, query->planstate,
        [](PlanState* state, void* found) {
          if (PlanReadAhead(state->plan) != nullptr) *static_cast<bool*>(found) = true;
        },
        &reads);
  return reads;
}

// Lays one thing after another into the payload.
struct Packing {
  ShadowSlot* slot;
  Size used;
  bool full;
};

char* Reserve(Packing* packing, Size bytes, uint32_t* at) {
  const Size begin = MAXALIGN(packing->used);
  if (packing->full || begin + bytes > kShadowBytes) {
    packing->full = true;
    return nullptr;
  }
  packing->used = begin + bytes;
  *at = static_cast<uint32_t>(begin);
  return packing->slot->payload + begin;
}

bool Pack(ShadowSlot* slot, const QueryDesc* query, const PlanNote* note) {
  Packing packing = {slot, MAXIMUM_ALIGNOF, false};
  const char* const tree = nodeToString(note->query);
  const char* const text = query->sourceText != nullptr ? query->sourceText : "";
  if (char* at = Reserve(&packing, strlen(tree) + 1, &slot->query_at)) strcpy(at, tree);
  if (char* at = Reserve(&packing, strlen(text) + 1, &slot->text_at)) strcpy(at, text);
  slot->parameters_at = 0;
  if (query->params != nullptr)
    if (char* at = Reserve(&packing, EstimateParamListSpace(query->params), &slot->parameters_at))
      SerializeParamList(query->params, &at);
  const Size settings_bytes = EstimateGUCStateSpace();
  if (char* at = Reserve(&packing, settings_bytes, &slot->settings_at)) SerializeGUCState(settings_bytes, at);
  Snapshot const snapshot = query->estate->es_snapshot;
  if (char* at = Reserve(&packing, EstimateSnapshotSpace(snapshot), &slot->snapshot_at))
    SerializeSnapshot(snapshot, at);
  return !packing.full;
}

bool StartWorker(int index, uint32 ticket) {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_main_arg = Int32GetDatum(index);
  memcpy(worker.bgw_extra, &ticket, sizeof ticket);
  strlcpy(worker.bgw_library_name, "query_shaper", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "query_shaper_shadow_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_type, "query_shaper shadow", sizeof worker.bgw_type);
  pg_snprintf(worker.bgw_name, sizeof worker.bgw_name, "query_shaper shadow of process %d", MyProcPid);
  return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

void Launch(const Tracker* tracker, const PlanNote* note) {
  uint32 ticket;
  int index = 0;
  ShadowSlot* const slot = ClaimShadowSlot(&ticket);
  if (slot == nullptr) {
    Tell(tracker, "declined", "as many shadows as may run at once are running", nullptr);
    return;
  }
  while (ShadowSlotAt(index) != slot) ++index;
  // From here on the end of the statement, however it comes, gives the slot back.
  mine = {tracker, tracker->generation, slot, ticket};
  slot->database = MyDatabaseId;
  slot->session_user = GetSessionUserId();
  GetUserIdAndSecContext(&slot->user, &slot->security_context);
  slot->owner_procno = MyProc->pgprocno;
  slot->generic = !note->has_parameters;
  slot->fraction = settings::shadow_fraction;
  slot->budget_ms = settings::shadow_budget_ms;
  slot->asked = GetCurrentTimestamp();
  const char* why = nullptr;
  if (!Pack(slot, tracker->query, note))
    why = "the query is too large to be handed over";
  else if (!StartWorker(index, ticket))
    why = "no background worker slot is free";
  if (why == nullptr) return;
  mine.slot = nullptr;
  LeaveShadowSlot(slot, ticket);
  Tell(tracker, "declined", why, nullptr);
}

// In the worker: rows with a name, as planning and tracking know them.
void Publish(const SampledRun* run, void* context) {
  auto* const slot = static_cast<ShadowSlot*>(context);
  ShadowRow rows[kShadowRows];
  int count = 0;
  for (int i = 0; i < run->count && count < kShadowRows; ++i) {
    const SampledNode& node = run->nodes[i];
    if (node.key == 0) continue;
    rows[count++] = {node.key,       node.constants,        node.rows.rows, node.rows.low,
                     node.rows.high, node.count.prior_rows, node.join,      node.count.probability >= 1};
  }
  PublishShadowRows(slot, rows, count);
  if (slot->first_ms == 0) slot->first_ms = static_cast<double>(GetCurrentTimestamp() - slot->asked) / 1000;
}

void RunBody(ShadowSlot* slot, Query* query, const char* text, ParamListInfo parameters, Snapshot snapshot) {
  auto* const run = static_cast<SampledRun*>(palloc0(sizeof(SampledRun)));
  run->publish = Publish;
  run->context = slot;
  SampledOrder order = {};
  order.query = query;
  order.text = text;
  order.parameters = parameters;
  order.generic = slot->generic;
  order.snapshot = snapshot;
  order.fraction = slot->fraction;
  order.seed = static_cast<uint32>(slot->asked);
  RunSampled(order, run);
}

}  // namespace

void ConsiderShadow(const Tracker* tracker) {
  const bool does = Does(settings::shadow);
  if ((!does && !Advises(settings::shadow)) || mine.slot != nullptr || !PredictedLong(tracker)) return;
  if (tracker->late || tracker->worker || IsInParallelMode() || tracker->query->operation != CMD_SELECT) return;
  const PlanNote* const note = NoteOf(tracker->query->plannedstmt);
  if (note == nullptr || !Doubtful(note)) return;
  // Only what can be planned again has its query in the note.
  const char* const why =
      note->query != nullptr ? WhyNoShadow(note->query) : "it calls volatile functions or locks rows";
  if (why == nullptr && ReadsAhead(tracker->query)) {
    Tell(tracker, "declined", "a sampled run would compete with what the statement reads ahead", nullptr);
  } else if (why != nullptr) {
    char reason[160];
    pg_snprintf(reason, sizeof reason, "a sampled run is not possible because %s", why);
    Tell(tracker, "declined", reason, nullptr);
  } else if (!does) {
    Tell(tracker, "advised", "a sampled run would check its row estimates", nullptr);
  } else {
    Launch(tracker, note);
  }
}

bool AdoptShadow(Tracker* tracker) {
  static ShadowRow rows[kShadowRows];
  static double totals[kMaxPlanNodes], log_sd[kMaxPlanNodes];
  if (!IsMine(tracker) || mine.slot->row_count == 0) return false;
  // After a swap the new plan has to be told, too.
  const uint32 version = pg_atomic_read_u32(&mine.slot->sequence) + static_cast<uint32>(tracker->changes.swaps) + 1;
  if (version == tracker->shadow_seen) return false;
  const int count = CopyShadowRows(mine.slot, rows, kShadowRows);
  if (count <= 0) return false;
  tracker->shadow_seen = version;
  const PlanNote* const note = NoteOf(tracker->query->plannedstmt);
  bool doubt = false;
  for (int i = 0; i < tracker->plan.count; ++i) {
    totals[i] = -1;
    log_sd[i] = 0;
  }
  for (int r = 0; r < count; ++r) {
    const int id = NodeNamed(note, rows[r]);
    const int i = id >= 0 && id < kNodeIds ? tracker->by_id[id] : -1;
    if (i < 0 || note->keys[id].repeated || note->keys[id].partial) continue;
    const double planned = tracker->plan.nodes[i].rows;
    totals[i] = rows[r].rows;
    log_sd[i] = std::log((rows[r].high + 1) / (rows[r].low + 1)) / (2 * kNormal95);
    doubt = doubt || (rows[r].join && rows[r].low > std::max(planned, 1.0) * settings::replan_factor);
  }
  tracker->progress.Believe(tracker->plan, totals, log_sd);
  RecordBelief(tracker, totals, log_sd);
  return doubt && tracker->changes.note != nullptr && tracker->rows_before == 0 &&
         tracker->query->estate->es_processed == 0;
}

int AddShadowRows(const Tracker* tracker, RowOverride* overrides, int count, int capacity, double* believed) {
  if (!IsMine(tracker)) return count;
  ShadowRow rows[kShadowRows];
  const int found = CopyShadowRows(mine.slot, rows, kShadowRows);
  const PlanNote* const note = NoteOf(tracker->query->plannedstmt);
  for (int r = 0; r < found; ++r) {
    const int id = NodeNamed(note, rows[r]);
    const int i = id >= 0 && id < kNodeIds ? tracker->by_id[id] : -1;
    RowOverride* known = nullptr;
    for (int k = 0; k < count && known == nullptr; ++k)
      if (overrides[k].key == rows[r].key && overrides[k].constants == rows[r].constants) known = &overrides[k];
    if (known == nullptr && count == capacity) continue;
    if (known != nullptr && !known->at_least) continue;
    if (i >= 0 && !note->keys[id].repeated) believed[i] = std::max(believed[i], rows[r].rows);
    if (known == nullptr)
      overrides[count++] = {rows[r].key, rows[r].constants, rows[r].rows, false};
    else
      *known = {known->key, known->constants, std::max(known->rows, rows[r].rows), false};
  }
  return count;
}

void EndShadow(const Tracker* tracker, bool tell) {
  if (!IsMine(tracker)) return;
  ShadowSlot* const slot = mine.slot;
  mine.slot = nullptr;
  ShadowRow rows[kShadowRows];
  const int count = tell ? std::max(CopyShadowRows(slot, rows, kShadowRows), 0) : 0;
  const bool failed = slot->state == ShadowState::kFailed && slot->sqlstate != ERRCODE_QUERY_CANCELED;
  char reason[kEventTextBytes];
  char details[160];
  double worst = 1;
  int nodes = 0;  // of the statement's plan that the rows speak of
  for (int i = 0; i < count; ++i) nodes += NodeNamed(NoteOf(tracker->query->plannedstmt), rows[i]) >= 0;
  for (int i = 0; i < count; ++i) {
    const double planned = std::max(rows[i].planner_rows, 1.0), sampled = std::max(rows[i].rows, 1.0);
    worst = std::max({worst, planned / sampled, sampled / planned});
  }
  pg_snprintf(details, sizeof details,
              "{\"rows\": %d, \"nodes\": %d, \"answer_ms\": %.1f, \"ended_ms\": %.1f, \"largest_factor\": %.1f}", count,
              nodes, slot->first_ms, slot->ended_ms, worst);
  if (failed)
    pg_snprintf(reason, sizeof reason, "the sampled run failed: %s", slot->failure);
  else
    pg_snprintf(reason, sizeof reason, "a sampled run %s",
                count > 0 ? "checked its row estimates" : "had no answer before the end");
  LeaveShadowSlot(slot, mine.ticket);
  if (tell) Tell(tracker, failed ? "failed" : "done", reason, details);
}

void InstallShadow() { shadow_body = RunBody; }

}  // namespace query_shaper
