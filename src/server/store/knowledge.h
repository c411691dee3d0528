// What was learned, as the executor's hooks use it: prediction out of shared memory, outcomes and events into the
// rings.
#pragma once
#include "core/predict/predict.h"
#include "server/shared_state.h"
#include "server/store/learned_rows.h"
#include "server/store/sequence_knowledge.h"

namespace query_shaper {

// Predicts from what is in shared memory; before a database's knowledge is loaded, from cold models. Makes the database
// known (state kWanted, launcher woken) when the extension is installed in it. `pace` and `band` (may be null) receive
// what tracking needs; *has_pace says whether pace was known. Must run inside a transaction, not in signal context.
void PredictStatement(int64_t query_id, uint64_t fingerprint, const FeatureVector& features,
                      const SequenceQuestion& question, Estimate* estimate, Pace* pace, bool* has_pace, BandScale* band,
                      double* seconds_since_last_run);

// Time since this statement last ran, in seconds; -1 never seen. One hash look-up.
double SecondsSinceLastRun(int64_t query_id, uint64_t fingerprint);

// True when outcomes of this backend's database are wanted (extension installed there and a slot free).
bool OutcomesWanted();

// Sends a claimed and filled outcome or event: marks it ready, counts it, wakes the learner. Never waits, never raises.
void SendOutcome(OutcomeRecord* record);
void SendEvent(EventRecord* record);

// Writes an event about a statement of this backend. action and verdict as in view `events`; details a JSON object or
// null.
void RecordEvent(const char* action, const char* verdict, int64_t query_id, int node_id, const char* reason,
                 const char* details);

// The same where OutcomesWanted() was asked before: looks at no table and never raises, also while an error is handled.
void WriteEvent(const char* action, const char* verdict, int64_t query_id, int node_id, const char* reason,
                const char* details);

// Returns when every outcome and event sent before, and all that was learned, is in the tables (on a standby: in shared
// memory). Interruptible. Raises 55000 when the database has no slot, 53400 when no worker can be started, 58000 when
// the learner fails.
void FlushAndWait();

// For functions that change the tables themselves (import, forget, reset): when the current transaction commits,
// forgets what shared memory knows of this database and has the tables read anew. Learned rows and known plans that are
// not yet written are forgotten with kAll alone. To keep the learner from adding rows meanwhile call FlushAndWait()
// first, then lock the tables in SHARE ROW EXCLUSIVE MODE.
void ReloadAtCommit(Forget rows);

// The same with kStored, and the statement's known plans even where they are not yet written.
void ReloadWithoutPlansAtCommit(int64_t query_id);

// Solves this database's models anew, in shared memory, and waits until its learner has trained the sequence model on
// all lessons; the learner writes them soon after (FlushAndWait() to be sure). Interruptible; raises like
// FlushAndWait().
void TrainNow();

// Copies this database's models as they are in shared memory; false (and cold models) before they are loaded. sequence
// may be null.
bool CopyModels(Models* models, SequenceModel* sequence);

}  // namespace query_shaper
