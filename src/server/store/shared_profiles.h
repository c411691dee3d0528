// Profiles and databases in shared memory: looking up, learning one outcome, making room, removing.
#pragma once
#include "server/shared_state.h"
#include "server/store/learned_rows.h"

namespace query_shaper {

// Under knowledge_lock, at least shared. Null when unknown.
// A profile with this fingerprint is the statement's under any plan; one with query_id 0 the plan's under any
// statement.
constexpr uint64_t kAnyPlan = 0;

ProfileEntry* FindProfile(Oid database, int64_t query_id, uint64_t fingerprint);

// Under knowledge_lock, exclusive. Evicts what weighs least when `count` more do not fit; entries found before may be
// gone.
void MakeRoomForProfiles(int count);

// Under knowledge_lock, exclusive. Finds or creates; null when there is no room.
ProfileEntry* EnterProfile(Oid database, int64_t query_id, uint64_t fingerprint);

// Under knowledge_lock, exclusive. Returns how many were removed.
int RemoveProfiles(Oid database);

// Under `lock`, exclusive: gives the slot back with its profiles, models and waiting records.
void FreeDatabase(DatabaseSlot* slot);

// Under `lock`, exclusive: frees outcomes and events of the database in state `from`; returns how many.
int DiscardRecords(Oid database, RecordState from);

// Makes the database known and wanted; false when every slot is taken. Takes `lock`; does not wake the launcher.
bool WantDatabase(Oid database);

// Sets models and profiles of the slot to those of a server that has seen nothing, and with kAll learned rows and known
// plans. With kStored these stay where they are not yet written. Takes knowledge_lock and shared_rows->lock.
void ForgetKnowledge(DatabaseSlot* slot, Forget rows);

// Learns one outcome into shared memory. Fills in record->made when no prediction was made. Takes knowledge_lock; a
// failure is described in `failure` and false returned.
bool LearnOutcome(DatabaseSlot* slot, OutcomeRecord* record, char* failure, Size failure_bytes);

// Solves the models of the slot; false and a description in `failure` when that fails. Takes knowledge_lock.
bool TrainModels(DatabaseSlot* slot, char* failure, Size failure_bytes);

}  // namespace query_shaper
