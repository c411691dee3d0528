#include "pg/pg.h"

#include "server/settings.h"
#include "server/shared_needs.h"
extern "C" {
#include "miscadmin.h"
#include "utils/timestamp.h"
}

namespace query_shaper {
namespace {

SharedNeeds* shared_needs = nullptr;

// A statement has a few nodes that need memory.
int NeedSets() { return Max(16, settings::history_max / 2); }

NeedEntry* SetOf(uint64_t name) { return &shared_needs->entries[name % shared_needs->sets * kNeedWays]; }

NeedEntry* FindNeedOf(Oid database, uint64_t name) {
  NeedEntry* set = SetOf(name);
  for (int way = 0; way < kNeedWays; ++way)
    if (set[way].name == name && set[way].database == database) return &set[way];
  return nullptr;
}

NeedEntry* FindNeed(uint64_t name) { return FindNeedOf(MyDatabaseId, name); }

NeedEntry* EnterNeed(uint64_t name) {
  NeedEntry* entry = FindNeed(name);
  if (entry != nullptr) return entry;
  NeedEntry* set = SetOf(name);
  entry = set;
  for (int way = 0; way < kNeedWays; ++way) {
    if (set[way].name == 0) {
      entry = &set[way];
      break;
    }
    // Ages, so that the clock may pass its end.
    if (shared_needs->clock - set[way].used_at > shared_needs->clock - entry->used_at) entry = &set[way];
  }
  *entry = NeedEntry{};
  entry->name = name;
  entry->database = MyDatabaseId;
  return entry;
}

}  // namespace

Size SharedNeedsSize() {
  return add_size(offsetof(SharedNeeds, entries), mul_size(NeedSets(), kNeedWays * sizeof(NeedEntry)));
}

void AttachSharedNeeds(LWLock* lock) {
  bool found = false;
  shared_needs = static_cast<SharedNeeds*>(ShmemInitStruct("query_shaper memory needs", SharedNeedsSize(), &found));
  if (found) return;
  // Fresh shared memory is zero, which is free entries; pages that nothing is learned into stay untouched.
  shared_needs->lock = lock;
  shared_needs->sets = NeedSets();
}

void RecallNeeds(const uint64_t* names, int count, NeedHistory* histories) {
  LWLockAcquire(shared_needs->lock, LW_SHARED);
  for (int i = 0; i < count; ++i) {
    const NeedEntry* entry = FindNeed(names[i]);
    histories[i] = entry != nullptr ? entry->history : NeedHistory();
  }
  LWLockRelease(shared_needs->lock);
}

void LearnNeeds(const NodeLesson* lessons, int count) {
  if (count == 0) return;
  const TimestampTz now = GetCurrentTimestamp();
  LWLockAcquire(shared_needs->lock, LW_EXCLUSIVE);
  ++shared_needs->clock;
  for (int i = 0; i < count; ++i) {
    if (lessons[i].name == 0) continue;
    NeedEntry* entry = EnterNeed(lessons[i].name);
    entry->used_at = shared_needs->clock;
    entry->learned_at = now;
    entry->dirty = true;
    ++entry->change;
    LearnNeed(&entry->history, lessons[i].needed_kb, lessons[i].predicted_kb);
  }
  LWLockRelease(shared_needs->lock);
}

void ForgetNeeds(Oid database) {
  LWLockAcquire(shared_needs->lock, LW_EXCLUSIVE);
  for (int i = 0; i < shared_needs->sets * kNeedWays; ++i)
    if (shared_needs->entries[i].database == database) shared_needs->entries[i] = NeedEntry{};
  LWLockRelease(shared_needs->lock);
}

bool NeedsDirty(Oid database) { return CopyDirtyNeeds(database, nullptr, 0) > 0; }

int CopyDirtyNeeds(Oid database, NeedEntry* out, int most) {
  int dirty = 0;
  LWLockAcquire(shared_needs->lock, LW_SHARED);
  for (int i = 0; i < NeedCapacity(); ++i) {
    const NeedEntry& entry = shared_needs->entries[i];
    if (entry.database != database || !entry.dirty) continue;
    if (dirty < most) out[dirty] = entry;
    ++dirty;
  }
  LWLockRelease(shared_needs->lock);
  return dirty;
}

void SettleNeeds(const NeedEntry* written, int count) {
  LWLockAcquire(shared_needs->lock, LW_EXCLUSIVE);
  for (int i = 0; i < count; ++i) {
    NeedEntry* entry = FindNeedOf(written[i].database, written[i].name);
    if (entry != nullptr && entry->change == written[i].change) entry->dirty = false;
  }
  LWLockRelease(shared_needs->lock);
}

void PublishNeed(const NeedEntry& stored) {
  LWLockAcquire(shared_needs->lock, LW_EXCLUSIVE);
  NeedEntry* entry = FindNeedOf(stored.database, stored.name);
  const bool newer = entry == nullptr || (!entry->dirty && entry->learned_at < stored.learned_at);
  if (newer && entry == nullptr) {
    // What has been met since the start is worth more than what was stored: it takes free places alone.
    NeedEntry* set = SetOf(stored.name);
    for (int way = 0; way < kNeedWays && entry == nullptr; ++way)
      if (set[way].name == 0) entry = &set[way];
  }
  if (newer && entry != nullptr) {
    *entry = stored;
    entry->used_at = shared_needs->clock;
    entry->dirty = false;
  }
  LWLockRelease(shared_needs->lock);
}

int NeedCapacity() { return shared_needs->sets * kNeedWays; }

}  // namespace query_shaper
