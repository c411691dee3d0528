#include "pg/pg.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include "core/track/recording.h"
#include "server/query/tick_record.h"
#include "server/store/learned_rows.h"

#include "pg/fault_point.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace query_shaper {
namespace {

int file = -1;
const Tracker* recorded = nullptr;
uint32 recorded_generation;

bool Recording(const Tracker* tracker) {
  return file >= 0 && tracker == recorded && tracker->generation == recorded_generation;
}

// One call for the whole record, so that an interrupted process leaves at most one torn record, at the end.
void Write(RecordKind kind, const void* head, size_t head_bytes, const void* rest, size_t rest_bytes) {
  RecordHead record = {kind, static_cast<uint32_t>(head_bytes + rest_bytes)};
  struct iovec parts[3] = {
      {&record, sizeof record}, {const_cast<void*>(head), head_bytes}, {const_cast<void*>(rest), rest_bytes}};
  int saved = errno;
  if (writev(file, parts, 3) < 0) {
    close(file);
    file = -1;
  }
  errno = saved;
}

size_t CounterBytes(const Tracker* tracker) { return sizeof(NodeCounters) * static_cast<size_t>(tracker->plan.count); }

}  // namespace

void RecordStart(const Tracker* tracker) {
  recorded = nullptr;
  const char* directory = pg::FaultAction("record");
  if (directory == nullptr || tracker->nest_level != 0) return;
  if (file < 0) {
    char path[MAXPGPATH];
    snprintf(path, sizeof path, "%s/%d.ticks", directory, MyProcPid);
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) return;
  }
  recorded = tracker;
  recorded_generation = tracker->generation;
  RecordedStart start;
  start.query_id = tracker->plan.query_id;
  start.fingerprint = tracker->fingerprint;
  start.at_s = EpochSeconds(tracker->started);
  start.database = MyDatabaseId;
  start.plan_count = tracker->plan.count;
  start.uses_jit = tracker->plan.uses_jit;
  start.to_client = tracker->plan.to_client;
  start.command = tracker->plan.command;
  strlcpy(start.text, tracker->query->sourceText != nullptr ? tracker->query->sourceText : "", sizeof start.text);
  start.features = tracker->features;
  Write(RecordKind::kStart, &start, sizeof start, tracker->plan.nodes,
        sizeof(PlanNode) * static_cast<size_t>(tracker->plan.count));
}

void RecordBelief(const Tracker* tracker, const double* rows, const double* log_sd) {
  if (!Recording(tracker)) return;
  const size_t bytes = sizeof(double) * static_cast<size_t>(tracker->plan.count);
  Write(RecordKind::kBelief, rows, bytes, log_sd, bytes);
}

void RecordTick(const Tracker* tracker, const Tick& tick) {
  if (!Recording(tracker)) return;
  RecordedTick record = {tick, tracker->time_left};
  Write(RecordKind::kTick, &record, sizeof record, tracker->counters, CounterBytes(tracker));
}

void RecordEnd(const Tracker* tracker, const Actual& actual, const Tick& tick) {
  if (!Recording(tracker)) return;
  RecordedEnd record = {actual, tick};
  Write(RecordKind::kEnd, &record, sizeof record, tracker->counters, CounterBytes(tracker));
  recorded = nullptr;
}

}  // namespace query_shaper
#endif
