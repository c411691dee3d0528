// What backends, workers and SQL functions see of each other: the layout of shared memory and its locking.
//
// Locking protocol
//   BackendSlot, StatementSlot: written only by the owning backend, mostly from its tick in signal context; readers use
//     the statement's seqlock (`sequence` odd while being written) and give up after some tries. `request` is an atomic
//     mailbox written by others.
//   Outcome and event records: `state` is an atomic word (free -> writing -> ready -> taken -> free); whoever moved it
//     owns the record. Nobody waits; a full ring drops and counts.
//   DatabaseSlot: `lock` (shared to find and read, exclusive to change), except its atomics.
//   Profiles and Models: `knowledge_lock` (shared to predict, exclusive to learn, load or evict).
//   Learned rows and known plans (shared_rows.h): shared_rows->lock (shared to recall, exclusive to learn, load or
//   evict). Access models (shared_access.h): shared_access->lock likewise. Lock order: lock, knowledge_lock,
//   shared_rows->lock, shared_access->lock. None is held across anything that can raise or touch a
//   table.
#pragma once
#include "core/plan/plan_tree.h"
#include "core/predict/plan_sequence.h"
#include "core/predict/predict.h"
#include "core/track/progress.h"
#include "pg/pg.h"
extern "C" {
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "utils/hsearch.h"
}

namespace query_shaper {

constexpr int kQueryTextBytes = 1024;   // in activity
constexpr int kStoredTextBytes = 2048;  // in history, normalised
constexpr int kNestLevels = 4;          // statements published per backend
constexpr int kOutcomeRecords = 192;
constexpr int kEventRecords = 256;
constexpr int kEventTextBytes = 512;
constexpr int kSlowStatementWords = 512;

enum class StatementState : uint8_t { kFree = 0, kRunning = 1, kPaused = 2, kQueued = 3, kReplanning = 4 };

struct NodeSlot {
  int32_t node_id;
  int32_t parent_id;  // PostgreSQL's plan_node_id of the parent, -1 at the root
  int16_t depth;
  Operator op;
  JoinKind join;
  AggStrategy agg;
  Oid relation;  // InvalidOid: none
  float estimated_rows;
  float refined_rows;
  float progress;
  float position;      // share of its blocks that a scan has passed, -1 unknown
  double actual_rows;  // -1 not counted
  double loops;
  int64_t memory_kb;
  int64_t memory_limit_kb;
  int32_t batches;
  int64_t temp_kb;  // -1 not known by node
};

struct StatementSlot {
  pg_atomic_uint32 sequence;
  StatementState state;
  bool late;  // tracking began while the statement was running
  int32_t nest_level;
  Oid database;
  Oid user;
  int64_t query_id;
  uint64_t fingerprint;
  TimestampTz started;
  double elapsed_ms;  // at the last tick, without pauses
  double progress;    // 0..1
  double eta_ms, eta_low_ms, eta_high_ms;
  double predicted_ms, predicted_low_ms, predicted_high_ms;  // predicted_ms < 0: no prediction was made
  double discrepancy;
  bool stalled;
  int64_t memory_kb, memory_granted_kb, temp_kb;
  int32_t workers;
  float time_share;  // that it leaves itself; below 1 while it gives way
  int32_t node_count;
  char query[kQueryTextBytes];
  NodeSlot nodes[kMaxPlanNodes];
};

enum BackendRequest : uint32_t { kRequestNone = 0, kRequestPause = 1, kRequestResume = 2 };

struct BackendSlot {
  pg_atomic_uint32 request;  // BackendRequest, set by pause() and resume()
  volatile bool armed;       // the owner has seen the pause: its statement stops at its next row
  volatile bool held;        // the owner waits to be resumed
  volatile int pid;          // 0: free
  volatile int leader_pid;   // parallel worker: its leader's pid, else 0
  volatile int priority;     // of its statements, admission_priority
  // Owner-written, never reset, so sums over slots only grow.
  uint64_t statements;          // statements executed
  uint64_t tracked_statements;  // of these tracked
  uint64_t ticks;
  // Rows counted by parallel workers that have ended, by plan_node_id of the outermost tracked statement's plan.
  pg_atomic_uint64 worker_rows[kMaxPlanNodes];
  pg_atomic_uint32 worker_reports;  // how many workers have added theirs
  // The same for what they held at their peak, and for their processor time.
  pg_atomic_uint64 worker_memory_kb;
  pg_atomic_uint64 worker_cpu_us;
  pg_atomic_uint32 given_up;  // segment of the parallel plan whose workers are to end, 0: none
  StatementSlot statements_running[kNestLevels];
};

// One plan node's truth, for report() and later learning.
struct NodeOutcome {
  int32_t node_id, parent_id;
  int16_t depth;
  Operator op;
  JoinKind join;
  AggStrategy agg;
  Oid relation;
  float estimated_rows, refined_rows;
  double actual_rows, loops;
  int64_t memory_kb, temp_kb;
};

enum RecordState : uint32_t { kRecordFree = 0, kRecordWriting = 1, kRecordReady = 2, kRecordTaken = 3 };

struct OutcomeRecord {
  pg_atomic_uint32 state;
  uint64_t number;  // order of arrival
  Oid database, user;
  int32_t pid, nest_level;
  int32_t handed_back;  // learners that took it and ended before it was in the tables; it is learned then
  int64_t query_id;
  uint64_t fingerprint;
  TimestampTz started, finished;
  bool predicted;  // `made` was shown before the run; otherwise (late tracking) it is filled in afterwards, unscored
  bool late;
  int32_t error_sqlstate;  // 0: ended normally
  FeatureVector features;
  PlanSequence sequence;
  Estimate made;
  Actual actual;
  int64_t blocks_read, blocks_hit;
  PaceSample pace;
  int32_t node_count;
  NodeOutcome nodes[kMaxPlanNodes];
  int32_t trace_count;
  Progress::TracePoint trace[Progress::kTracePoints];
  char query[kStoredTextBytes];  // constants replaced by $n
};

struct EventRecord {
  pg_atomic_uint32 state;
  uint64_t number;
  Oid database, user;
  int32_t pid;
  int32_t handed_back;
  int32_t node_id;  // -1: none
  int64_t query_id;
  TimestampTz at;
  char action[16];
  char verdict[16];  // done, advised, declined, failed
  char reason[kEventTextBytes];
  char details[kEventTextBytes];  // a JSON object
};

enum class DatabaseState : uint8_t {
  kUnknown = 0,  // slot free
  kWanted = 1,   // somebody asked for its knowledge: the launcher starts a learner
  kLoaded = 2,   // models and profiles are in shared memory, outcomes are welcome
  kAbsent = 3,   // the extension is not installed there; asked again when a backend sees it installed
};

struct DatabaseSlot {
  Oid database;
  DatabaseState state;
  int32_t learner_pid;     // 0: none running
  int32_t learner_procno;  // of its PGPROC, to set its latch
  bool learner_failed;     // set when one is started, cleared by its orderly end
  bool refresh;            // look at the tables: a standby follows its primary; the extension may be gone
  TimestampTz learner_started;
  TimestampTz loaded_at;    // when the tables were last read; 0: never
  uint32_t loaded_version;  // of the stored models read last: a standby reads those of its primary when they are newer
  TimestampTz hold_until;   // a DROP or ALTER DATABASE is under way: no learner starts before this
  TimestampTz retry_at;     // back-off after a learner failed
  int32_t failures;
  bool reload;               // forget what is in shared memory and read the tables: import, restore, reset
  uint32_t generation;       // grows with every such request: a write begun before it is rolled back
  pg_atomic_uint32 pending;  // outcomes and events waiting for this database's learner
  pg_atomic_uint64 sent;     // outcomes and events ever accepted
  pg_atomic_uint64 stored;   // of these written to tables or given up
  pg_atomic_uint32 flush_requests;
  pg_atomic_uint32 flushes_done;      // the last request that was served
  pg_atomic_uint32 learner_failures;  // ever, in this database
  pg_atomic_uint32 row_changes;       // changes of learned rows and known plans
  pg_atomic_uint32 row_changes_done;  // of these in the tables (or nowhere to be written, on a standby)
  // train() asks for a whole round of the sequence member's training; its learner answers when that is over.
  pg_atomic_uint32 trainings_asked;
  pg_atomic_uint32 trainings_done;
  Models models;      // under knowledge_lock
  bool models_dirty;  // not yet written to the table; under knowledge_lock
};

struct ProfileKey {  // zeroed before use: hashed as bytes
  Oid database;
  uint32_t padding;
  int64_t query_id;  // 0: the plan shape under any statement
  uint64_t fingerprint;
};

struct ProfileEntry {
  ProfileKey key;
  bool dirty;  // not yet written to the table
  Profile profile;
};

// Fixed set of counters, shown by view `metrics`; names and help in server/functions.
enum Metric {
  kMetricOutcomesSent,
  kMetricOutcomesDropped,
  kMetricOutcomesStored,
  kMetricEventsDropped,
  kMetricTrackersExhausted,
  kMetricPlansTooLarge,
  kMetricAdviceFailed,
  kMetricModelsCorrupt,
  kMetricLearnerStarts,
  kMetricLearnerFailures,
  kMetricLearnerNoWorkerSlot,
  kMetricDatabasesFull,
  kMetricProfilesEvicted,
  kMetricPauses,
  kMetricResumes,
  kMetricLateTrackings,
  kMetricWrappersExhausted,
  kMetricRowsLearned,
  kMetricRowsEvicted,
  kMetricPlansEvicted,
  kMetricReplans,
  kMetricKeptRows,
  kMetricOutcomesLost,  // taken by a learner that failed before they were in the tables
  kMetricSubplanMemoHits,
  kMetricSubplanMemoMisses,
  kMetricSubplanMemosGivenUp,
  kMetricPrefetches,
  kMetricPrefetchesUsed,
  kMetricPrefetchesWasted,
  kMetricPrefetchesLate,
  kMetricPrefetchesFailed,
  kMetricPredictions,
  kMetricPredictionsUsed,
  kMetricPredictionsWasted,
  kMetricPredictionsLate,
  kMetricStagedBlocks,
  kMetricStagedHits,
  kMetricStagedLate,
  kMetricStagingFailed,
  kMetricStagerStarts,
  kMetricReservations,
  kMetricReservationsShort,
  kMetricReservationsRefused,
  kMetricPoolUnmetKb,
  kMetricPoolUnmetWorkers,
  kMetricHeapGivenBackKb,
  kMetricQueued,
  kMetricQueueTimeouts,
  kMetricGivingWay,
  kMetricGivingWayMs,
  kMetricSequenceLessons,
  kMetricSequenceVersions,
  kMetricSequenceRejected,
  kMetricSequenceRollbacks,
  kMetrics
};

struct SharedState {
  LWLock* lock;
  LWLock* knowledge_lock;
  int backends;  // slots, by pgprocno
  int databases;
  int profile_capacity;
  volatile int launcher_pid;
  volatile int launcher_procno;      // of its PGPROC, -1: none
  pg_atomic_uint32 learners_wanted;  // a database waits for a worker slot: long-running learners make room
  ConditionVariable flushed;         // broadcast when a learner has served a flush or failed
  pg_atomic_uint32 running;          // tracked top-level statements running now
  pg_atomic_uint64 numbers;          // source of record numbers
  pg_atomic_uint64 metrics[kMetrics];
  // Statements that were planned below min_cost and ran long: one bit by hash of the query id, so that the next run is
  // predicted and tracked from its start. Zero bits after a restart.
  pg_atomic_uint32 slow_statements[kSlowStatementWords];
  // Arrays behind this struct; reach them by the functions below.
};

// Null when the library was not loaded by shared_preload_libraries.
extern SharedState* shared;

void InstallSharedState();  // hooks for request and startup of shared memory

BackendSlot* BackendAt(int index);
BackendSlot* MyBackendSlot();  // claims it for this process on first use; null in processes without one
OutcomeRecord* OutcomeAt(int index);
EventRecord* EventAt(int index);
DatabaseSlot* DatabaseAt(int index);
HTAB* Profiles();

// Under `lock`, at least shared. Null when unknown.
DatabaseSlot* FindDatabase(Oid database);

void Count(Metric metric, uint64_t by = 1);

// Raises 55000 with a hint when the library was not preloaded.
void RequireSharedState();

// Copies a consistent statement; false when it is free or kept changing.
bool ReadStatement(BackendSlot* backend, int level, StatementSlot* copy);

// Claims a free record and numbers it, null when all are in use (counted by the caller). A record that is not sent when
// its process ends is freed.
OutcomeRecord* ClaimOutcome();
EventRecord* ClaimEvent();

// Puts a copy of a record that was taken back into the ring, ready and in its old place; false when the ring is full.
bool HandBackOutcome(const OutcomeRecord* copy);
bool HandBackEvent(const EventRecord* copy);

// Wakes the launcher, which starts a learner where one is due. Safe from any backend; not for signal context.
void WakeLauncher();

}  // namespace query_shaper
