#include "pg/pg.h"

#include "pg/fault_point.h"
#include "pg/guard.h"
#include "server/settings.h"
#include "server/shared_hash.h"
#include "server/shared_needs.h"
#include "server/store/access_knowledge.h"
#include "server/store/shared_profiles.h"
#include "server/store/learned_rows.h"
#include "server/store/sequence_knowledge.h"

#include <cmath>

namespace query_shaper {

namespace {

constexpr int kEvictAtOnce = 64;

ProfileKey KeyOf(Oid database, int64_t query_id, uint64_t fingerprint) {
  ProfileKey key;
  memset(&key, 0, sizeof key);
  key.database = database;
  key.query_id = query_id;
  key.fingerprint = fingerprint;
  return key;
}

struct Candidate {
  double worth;
  ProfileKey key;
};

// Decayed weight now, on a log scale; what was not yet written is worth keeping longer.
double Worth(const ProfileEntry& entry) {
  return std::log2(entry.profile.weight + 0.01) + entry.profile.last_seen_s / settings::half_life_s +
         (entry.dirty ? 2 : 0);
}

// Evicting many at a time spreads the cost of the search.
void EvictProfiles() {
  Candidate least[kEvictAtOnce];
  int count = 0;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, Profiles());
  while (const auto* entry = static_cast<const ProfileEntry*>(hash_seq_search(&scan))) {
    const double worth = Worth(*entry);
    if (count == kEvictAtOnce && worth >= least[count - 1].worth) continue;
    int at = count < kEvictAtOnce ? count++ : count - 1;
    for (; at > 0 && least[at - 1].worth > worth; --at) least[at] = least[at - 1];
    least[at] = {worth, entry->key};
  }
  for (int i = 0; i < count; ++i) hash_search(Profiles(), &least[i].key, HASH_REMOVE, nullptr);
  Count(kMetricProfilesEvicted, count);
}

// Pure C++ under a lock: nothing may leave these by exception.
bool InitQuietly(Models* models) noexcept {
  try {
    InitModels(models);
    return true;
  } catch (...) {
    *models = Models{};
    return false;
  }
}

bool LearnQuietly(OutcomeRecord* record, Profile* exact, Profile* shape, Profile* statement, Models* models,
                  const SequenceAnswer& sequence, char* failure, Size failure_bytes) noexcept {
  return pg::Quietly(failure, failure_bytes, [&] {
    pg::FaultPoint("learn");
    if (!record->predicted)
      record->made =
          Predict(record->features, exact, shape, *models, EpochSeconds(record->started), statement, &sequence);
    // Where it weighs nothing it was not asked before the run, and is scored all the same.
    if (record->made.model_ms[static_cast<int>(Origin::kSequence)] < 0) AddAnswer(sequence, &record->made);
    Learn(record->features, record->made, record->actual, record->pace, EpochSeconds(record->finished),
          settings::half_life_s, exact, shape, models);
    if (statement != nullptr)
      LearnStatement(record->features, record->actual, EpochSeconds(record->finished), settings::half_life_s,
                     statement);
  });
}

bool TrainQuietly(Models* models, int64_t now_s, char* failure, Size failure_bytes) noexcept {
  return pg::Quietly(failure, failure_bytes, [&] { Train(models, now_s); });
}

}  // namespace

ProfileEntry* FindProfile(Oid database, int64_t query_id, uint64_t fingerprint) {
  const ProfileKey key = KeyOf(database, query_id, fingerprint);
  return static_cast<ProfileEntry*>(hash_search(Profiles(), &key, HASH_FIND, nullptr));
}

ProfileEntry* EnterProfile(Oid database, int64_t query_id, uint64_t fingerprint) {
  const ProfileKey key = KeyOf(database, query_id, fingerprint);
  bool found = false;
  auto* const entry = static_cast<ProfileEntry*>(EnterSharedHash(Profiles(), &key, shared->profile_capacity, &found));
  if (entry != nullptr && !found) {
    entry->dirty = false;
    entry->profile = Profile{};
  }
  return entry;
}

void MakeRoomForProfiles(int count) {
  if (hash_get_num_entries(Profiles()) + count > shared->profile_capacity) EvictProfiles();
}

int RemoveProfiles(Oid database) {
  int removed = 0;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, Profiles());
  while (auto* entry = static_cast<ProfileEntry*>(hash_seq_search(&scan))) {
    if (entry->key.database != database) continue;
    // dynahash allows removing the entry that a scan has just returned.
    hash_search(Profiles(), &entry->key, HASH_REMOVE, nullptr);
    ++removed;
  }
  return removed;
}

int DiscardRecords(Oid database, RecordState from) {
  int discarded = 0;
  const auto discard = [&](auto* record) {
    uint32 expected = from;
    if (pg_atomic_read_u32(&record->state) == from && record->database == database &&
        pg_atomic_compare_exchange_u32(&record->state, &expected, kRecordFree))
      ++discarded;
  };
  for (int i = 0; i < kOutcomeRecords; ++i) discard(OutcomeAt(i));
  for (int i = 0; i < kEventRecords; ++i) discard(EventAt(i));
  return discarded;
}

void FreeDatabase(DatabaseSlot* slot) {
  DiscardRecords(slot->database, kRecordReady);
  DiscardRecords(slot->database, kRecordTaken);
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  RemoveProfiles(slot->database);
  ResetSequence(SequenceOf(slot));
  LWLockRelease(shared->knowledge_lock);
  ForgetRows(slot->database, Forget::kAll);
  ForgetPlans(slot->database, Forget::kAll);
  ForgetAccess(slot->database, false);
  slot->state = DatabaseState::kUnknown;
  slot->database = InvalidOid;
  pg_atomic_write_u32(&slot->pending, 0);
  pg_atomic_write_u32(&slot->row_changes_done, pg_atomic_read_u32(&slot->row_changes));
}

bool WantDatabase(Oid database) {
  LWLockAcquire(shared->lock, LW_EXCLUSIVE);
  DatabaseSlot* slot = FindDatabase(database);
  if (slot == nullptr) {
    for (int i = 0; i < shared->databases && slot == nullptr; ++i)
      if (DatabaseAt(i)->state == DatabaseState::kUnknown && DatabaseAt(i)->learner_pid == 0) slot = DatabaseAt(i);
    for (int i = 0; i < shared->databases && slot == nullptr; ++i)
      if (DatabaseAt(i)->state == DatabaseState::kAbsent && DatabaseAt(i)->learner_pid == 0) slot = DatabaseAt(i);
    if (slot == nullptr) {
      LWLockRelease(shared->lock);
      return false;
    }
    if (OidIsValid(slot->database)) FreeDatabase(slot);
    slot->database = database;
    slot->hold_until = 0;
    slot->failures = 0;
  }
  if (slot->state != DatabaseState::kLoaded && slot->state != DatabaseState::kWanted) {
    slot->state = DatabaseState::kWanted;
    slot->retry_at = 0;
    slot->loaded_at = 0;
    slot->reload = false;
    slot->refresh = false;
    LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
    InitQuietly(&slot->models);
    ResetSequence(SequenceOf(slot));
    slot->models_dirty = false;
    LWLockRelease(shared->knowledge_lock);
  }
  LWLockRelease(shared->lock);
  return true;
}

void ForgetKnowledge(DatabaseSlot* slot, Forget rows) {
  ForgetRows(slot->database, rows);
  ForgetPlans(slot->database, rows);
  ForgetAccess(slot->database, rows == Forget::kStored);
  if (rows == Forget::kAll) ForgetNeeds(slot->database);
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  RemoveProfiles(slot->database);
  InitQuietly(&slot->models);
  ResetSequence(SequenceOf(slot));
  slot->models_dirty = false;
  LWLockRelease(shared->knowledge_lock);
}

bool LearnOutcome(DatabaseSlot* slot, OutcomeRecord* record, char* failure, Size failure_bytes) {
  SequenceAnswer sequence;
  const bool worse = ScoreSequence(slot, record, &sequence);
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  // Room for all first: making room later could evict one just found.
  MakeRoomForProfiles(3);
  ProfileEntry* const shape = EnterProfile(record->database, 0, record->fingerprint);
  ProfileEntry* const exact =
      record->query_id != 0 ? EnterProfile(record->database, record->query_id, record->fingerprint) : nullptr;
  ProfileEntry* const statement =
      record->query_id != 0 ? EnterProfile(record->database, record->query_id, kAnyPlan) : nullptr;
  const bool learned = LearnQuietly(
      record, exact != nullptr ? &exact->profile : nullptr, shape != nullptr ? &shape->profile : nullptr,
      statement != nullptr ? &statement->profile : nullptr, &slot->models, sequence, failure, failure_bytes);
  if (worse) RollBackSequence(slot);
  KeepLesson(slot, record);
  if (statement != nullptr) statement->dirty = true;
  if (exact != nullptr) exact->dirty = true;
  if (shape != nullptr) shape->dirty = true;
  slot->models_dirty = true;
  LWLockRelease(shared->knowledge_lock);
  return learned;
}

bool TrainModels(DatabaseSlot* slot, char* failure, Size failure_bytes) {
  const auto now_s = static_cast<int64_t>(EpochSeconds(GetCurrentTimestamp()));
  LWLockAcquire(shared->knowledge_lock, LW_EXCLUSIVE);
  const bool trained = TrainQuietly(&slot->models, now_s, failure, failure_bytes);
  slot->models_dirty = true;
  LWLockRelease(shared->knowledge_lock);
  return trained;
}

}  // namespace query_shaper
