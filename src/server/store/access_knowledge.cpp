#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/settings.h"
#include "server/shared_hash.h"
#include "server/store/access_knowledge.h"
#include "server/store/hint_store.h"
#include "server/store/knowledge.h"
#include "server/store/learned_rows.h"
#include "server/store/object_names.h"
#include "server/store/row_knowledge.h"

#include <cmath>

extern "C" {
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
}

namespace query_shaper {

namespace {

constexpr int kTaughtDistance = 16;

void DecayTo(AccessEntry* entry, double now_s) {
  const double age_s = Max(now_s - entry->last_seen_s, 0);
  if (entry->last_seen_s > 0) DecayModel(&entry->model, static_cast<float>(std::exp2(-age_s / settings::half_life_s)));
  entry->last_seen_s = now_s;
}

// The chain's evidence comes of playing the trace; the figures are those of the scan.
void Teach(AccessModel* model, const AccessTrace& trace, const AccessFigures& figures) {
  const double seen = model->seen, issued = model->issued, used = model->used, wasted = model->wasted;
  uint32_t ask[kTaughtDistance];
  StartEpisode(model);
  for (int i = 0; i < trace.count; ++i)
    NoteAccess(model, trace.blocks[i], kTaughtDistance, kNoBlockYet, ask, kTaughtDistance);
  // A scan that went on beyond its trace did not end there.
  if (trace.count < kTracedBlocks) EndEpisode(model);
  model->seen = seen + figures.visited;
  model->issued = issued + figures.issued;
  model->used = used + figures.used;
  model->wasted = wasted + figures.wasted;
}

void EvictOldest() {
  HASH_SEQ_STATUS scan;
  const AccessEntry* oldest = nullptr;
  hash_seq_init(&scan, AccessTable());
  while (const auto* entry = static_cast<const AccessEntry*>(hash_seq_search(&scan)))
    if (oldest == nullptr || entry->last_seen_s < oldest->last_seen_s) oldest = entry;
  if (oldest != nullptr) hash_search(AccessTable(), &oldest->key, HASH_REMOVE, nullptr);
}

}  // namespace

AccessKey KeyOfAccess(Oid database, uint64_t name) {
  AccessKey key;
  memset(&key, 0, sizeof key);
  key.database = database;
  key.name = name;
  return key;
}

uint64_t AccessName(Oid relation, Oid index) {
  return CombineHash(RelationNameHash(relation), OidIsValid(index) ? RelationNameHash(index) : 0);
}

AccessEntry* FindAccess(const AccessKey& key) {
  return static_cast<AccessEntry*>(hash_search(AccessTable(), &key, HASH_FIND, nullptr));
}

AccessEntry* EnterAccess(Oid database, uint64_t name) {
  const AccessKey key = KeyOfAccess(database, name);
  AccessEntry* entry = FindAccess(key);
  if (entry != nullptr) return entry;
  if (hash_get_num_entries(AccessTable()) >= shared_access->capacity) EvictOldest();
  bool found = false;
  entry = static_cast<AccessEntry*>(EnterSharedHash(AccessTable(), &key, shared_access->capacity, &found));
  if (entry == nullptr) return nullptr;
  entry->dirty = false;
  entry->change = 0;
  entry->relation = entry->index = InvalidOid;
  entry->last_seen_s = 0;
  StartModel(&entry->model);
  return entry;
}

AccessAdvice AdviseAccess(Oid relation, Oid index) {
  PartitionHint hint;
  AccessAdvice advice = {PartitionHintOf(relation, &hint), Pattern::kUnknown, 1};
  if (advice.hinted) {
    advice.pattern = hint.pattern;
    advice.extent_blocks = static_cast<uint32_t>(Max(hint.suggested_blocks, 1));
  }
  if (shared_access == nullptr) return advice;
  const AccessKey key = KeyOfAccess(MyDatabaseId, AccessName(relation, index));
  LWLockAcquire(shared_access->lock, LW_SHARED);
  const AccessEntry* const entry = FindAccess(key);
  if (entry != nullptr) {
    advice.pattern = AdvisedPattern(hint, entry->model);
    advice.extent_blocks = AdvisedExtentBlocks(hint, entry->model);
  }
  LWLockRelease(shared_access->lock);
  return advice;
}

bool RecallAccess(Oid relation, Oid index, AccessModel* model) {
  if (shared_access == nullptr) {
    StartModel(model);
    return false;
  }
  const AccessKey key = KeyOfAccess(MyDatabaseId, AccessName(relation, index));
  LWLockAcquire(shared_access->lock, LW_SHARED);
  const AccessEntry* const entry = FindAccess(key);
  if (entry != nullptr) memcpy(model, &entry->model, sizeof *model);
  LWLockRelease(shared_access->lock);
  if (entry == nullptr)
    StartModel(model);
  else
    StartEpisode(model);
  return entry != nullptr;
}

void LearnAccess(Oid relation, Oid index, const AccessTrace& trace, const AccessFigures& figures) {
  if (shared_access == nullptr || trace.count == 0 || !OutcomesWanted()) return;
  if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP) return;
  const uint64_t name = AccessName(relation, index);
  const double now_s = EpochSeconds(GetCurrentTimestamp());
  LWLockAcquire(shared_access->lock, LW_EXCLUSIVE);
  AccessEntry* const entry = EnterAccess(MyDatabaseId, name);
  if (entry != nullptr) {
    DecayTo(entry, now_s);
    entry->relation = relation;
    entry->index = index;
    Teach(&entry->model, trace, figures);
    entry->dirty = true;
    ++entry->change;
  }
  LWLockRelease(shared_access->lock);
  if (entry != nullptr) NoteKnowledgeChange();
}

void ForgetAccess(Oid database, bool kept_dirty) {
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared_access->lock, LW_EXCLUSIVE);
  hash_seq_init(&scan, AccessTable());
  while (auto* entry = static_cast<AccessEntry*>(hash_seq_search(&scan)))
    if (entry->key.database == database && !(kept_dirty && entry->dirty))
      hash_search(AccessTable(), &entry->key, HASH_REMOVE, nullptr);
  LWLockRelease(shared_access->lock);
}

bool AccessDirty(Oid database) {
  bool dirty = false;
  HASH_SEQ_STATUS scan;
  LWLockAcquire(shared_access->lock, LW_SHARED);
  hash_seq_init(&scan, AccessTable());
  while (const auto* entry = static_cast<const AccessEntry*>(hash_seq_search(&scan)))
    dirty = dirty || (entry->key.database == database && entry->dirty);
  LWLockRelease(shared_access->lock);
  return dirty;
}

}  // namespace query_shaper
