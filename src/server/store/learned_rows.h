// Learned rows and known plans in shared memory, under their lock: looking up, making room, removing, what the bitmap
// says of relations.
#pragma once
#include "server/shared_rows.h"

namespace query_shaper {

double EpochSeconds(TimestampTz at);
// Back again; 0 for what is no time.
TimestampTz TimeOfEpoch(double epoch_s);

// Under shared_rows->lock, at least shared. Null when unknown.
RowEntry* FindRow(Oid database, uint64_t key);
PlansEntry* FindPlans(Oid database, int64_t query_id);

// Under shared_rows->lock, exclusive. Finds or creates, making room by evicting what is least worth keeping: entries
// found before may be gone. Null when there is no room.
RowEntry* EnterRow(Oid database, uint64_t key);
PlansEntry* EnterPlans(Oid database, int64_t query_id);

// Names of relations, 0 for none. May raise as catalog look-ups do: before the lock is taken.
void NameRelations(const Oid* relations, int count, uint64_t* names);

// Under shared_rows->lock, exclusive: from now on rows of the entry's relations are known.
void MarkRelations(const RowEntry& entry);

enum class Forget { kAll, kStored };  // kStored: not what is yet to be written

// Take shared_rows->lock.
void ForgetRows(Oid database, Forget what);
void ForgetPlans(Oid database, Forget what);
void RemovePlans(Oid database, int64_t query_id);

// Whether something is yet to be written. Takes shared_rows->lock.
bool RowsDirty(Oid database);

}  // namespace query_shaper
