// The extension's tables as the learner uses them: what was learned read into shared memory, outcomes and models
// written. Everything here runs in the learner; each call is one short transaction of its own and may raise.
#pragma once
#include "server/shared_state.h"

namespace query_shaper {

constexpr int kBatchRecords = 512;

// Outcomes and events learned and not yet in the tables, in order of arrival.
struct Batch {
  MemoryContext context;  // of the copies; reset when they are written
  OutcomeRecord* outcomes[kBatchRecords];
  int outcome_count;
  EventRecord* events[kBatchRecords];
  int event_count;
};

enum class TableResult {
  kDone,
  kAbsent,   // the extension is not in this database
  kOverrun,  // the tables were asked to be read anew meanwhile: nothing was written
};

// Reads models and profiles. all: what shared memory knows of the database is replaced; otherwise what is newer in the
// tables is taken over. Damaged ones are logged, counted and start anew.
TableResult LoadKnowledge(DatabaseSlot* slot, bool all);

// The newest stored state of a model, of its version; null when there is none, or none but the one that is known (null:
// any). In a transaction of the caller with SPI connected.
const bytea* NewestState(const char* model, const uint32_t* known, uint32_t* version);

// Tells whether the stored models are not those that this server stored or read last: somebody restored or replaced
// them.
TableResult InspectTables(DatabaseSlot* slot, bool* changed);

// Makes one row of rows with the same key, which a restore can leave. Inside the transaction of the caller.
void MergeDuplicates();

// Writes the batch and the profiles that changed, with models also these.
TableResult WriteKnowledge(DatabaseSlot* slot, const Batch& batch, bool with_models);

// Removes the oldest rows beyond the limits of the settings.
TableResult TrimTables();

}  // namespace query_shaper
