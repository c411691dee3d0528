#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/settings.h"
#include "server/shared_hash.h"
#include "server/shared_state.h"
#include "server/store/learned_rows.h"
#include "server/store/object_names.h"
#include "server/store/row_knowledge.h"

#include <cmath>

namespace query_shaper {

namespace {

constexpr uint64_t kNoTable = 0;
constexpr int kWorthBuckets = 256;
constexpr int kEvictedShare = 32;  // of the capacity, at once: spreads the cost of the search

RowKey KeyOfRow(Oid database, uint64_t key) {
  RowKey row;
  memset(&row, 0, sizeof row);
  row.database = database;
  row.key = key;
  return row;
}

PlansKey KeyOfPlans(Oid database, int64_t query_id) {
  PlansKey plans;
  memset(&plans, 0, sizeof plans);
  plans.database = database;
  plans.query_id = query_id;
  return plans;
}

double Worth(const RowEntry& entry) { return RowWorth(entry.profile, settings::half_life_s) + (entry.dirty ? 1 : 0); }

double Worth(const PlansEntry& entry) {
  double weight = 0;
  for (const KnownPlan& plan : entry.plans.plans) weight += static_cast<double>(plan.weight + plan.given_up);
  const double worth = entry.changed_s / Max(settings::half_life_s, 1) + std::log2(1 + weight) + (entry.dirty ? 1 : 0);
  return std::isfinite(worth) ? worth : 0;
}

// Removes at least one in kEvictedShare of those that are least worth keeping: a histogram of the worth tells where to
// cut, so that no list of candidates is needed.
template <typename Entry>
int Evict(HTAB* table, int capacity) {
  HASH_SEQ_STATUS scan;
  double low = INFINITY, high = -INFINITY;
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan))) {
    low = Min(low, Worth(*entry));
    high = Max(high, Worth(*entry));
  }
  const double width = Max((high - low) / kWorthBuckets, 1e-9);
  const auto bucket_of = [&](const Entry& entry) {
    return Max(Min(static_cast<int>((Worth(entry) - low) / width), kWorthBuckets - 1), 0);
  };
  long buckets[kWorthBuckets] = {};
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan))) ++buckets[bucket_of(*entry)];
  const long wanted = Max(capacity / kEvictedShare, 1);
  long below = 0;
  int cut = 0;
  while (cut < kWorthBuckets && below < wanted) below += buckets[cut++];
  // Of a crowded last bucket only as many as are wanted.
  const long surplus = below - wanted;
  long spared = 0;
  int removed = 0;
  hash_seq_init(&scan, table);
  while (auto* entry = static_cast<Entry*>(hash_seq_search(&scan))) {
    const int bucket = bucket_of(*entry);
    if (bucket >= cut || (bucket == cut - 1 && spared++ < surplus)) continue;
    // dynahash allows removing the entry that a scan has just returned.
    hash_search(table, &entry->key, HASH_REMOVE, nullptr);
    ++removed;
  }
  return removed;
}

template <typename Entry, typename Key>
Entry* Enter(HTAB* table, const Key& key, int capacity, Metric evicted, bool* found) {
  auto* entry = static_cast<Entry*>(hash_search(table, &key, HASH_FIND, found));
  if (entry != nullptr) return entry;
  if (hash_get_num_entries(table) >= capacity) Count(evicted, Evict<Entry>(table, capacity));
  entry = static_cast<Entry*>(EnterSharedHash(table, &key, capacity, found));
  if (entry == nullptr) return nullptr;
  memset(reinterpret_cast<char*>(entry) + sizeof(Key), 0, sizeof(Entry) - sizeof(Key));
  return entry;
}

uint32 KnownBit(Oid database, uint64_t name) {
  return static_cast<uint32>(CombineHash(database, name) % (kKnownWords * 32));
}

void SetKnown(int half, Oid database, uint64_t name) {
  const uint32 bit = KnownBit(database, name);
  pg_atomic_fetch_or_u32(&shared_rows->known[half][bit / 32], 1U << bit % 32);
}

// Of a join, in whatever order its relations are named. 0: too many of them, or none.
uint64_t SetName(const uint64_t* names, int count) {
  if (count < 2 || count > kRowRelations) return 0;
  uint64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += MixBits(names[i] + 1);
  return MixBits(sum + static_cast<uint64_t>(count));
}

void MarkIn(int half, const RowEntry& entry) {
  const int count = Min(entry.relation_count, kRowRelations);
  for (int i = 0; i < count; ++i) SetKnown(half, entry.key.database, entry.names[i]);
  if (count == 0) SetKnown(half, entry.key.database, kNoTable);
  if (entry.kind != RowKind::kJoin) return;
  const uint64_t set = SetName(entry.names, entry.relation_count);
  if (set != 0) SetKnown(half, entry.key.database, set);
}

void RebuildKnown() {
  const uint32 other = 1 - pg_atomic_read_u32(&shared_rows->half);
  for (pg_atomic_uint32& word : shared_rows->known[other]) pg_atomic_write_u32(&word, 0);
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, RowTable());
  while (const auto* entry = static_cast<const RowEntry*>(hash_seq_search(&scan)))
    MarkIn(static_cast<int>(other), *entry);
  pg_write_barrier();
  pg_atomic_write_u32(&shared_rows->half, other);
}

EVERY_STATEMENT bool IsKnown(uint64_t name) {
  if (shared_rows == nullptr) return false;
  const uint32 bit = KnownBit(MyDatabaseId, name);
  const uint32 half = pg_atomic_read_u32(&shared_rows->half) & 1;
  return (pg_atomic_read_u32(&shared_rows->known[half][bit / 32]) & 1U << bit % 32) != 0;
}

template <typename Entry>
int Remove(HTAB* table, Oid database, Forget what) {
  int removed = 0;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, table);
  while (auto* entry = static_cast<Entry*>(hash_seq_search(&scan))) {
    if (entry->key.database != database || (what == Forget::kStored && entry->dirty)) continue;
    hash_search(table, &entry->key, HASH_REMOVE, nullptr);
    ++removed;
  }
  return removed;
}

template <typename Entry>
bool AnyDirtyIn(HTAB* table, Oid database) {
  bool dirty = false;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, table);
  while (const auto* entry = static_cast<const Entry*>(hash_seq_search(&scan)))
    dirty = dirty || (entry->key.database == database && entry->dirty);
  return dirty;
}

}  // namespace

double EpochSeconds(TimestampTz at) {
  return static_cast<double>(at) / USECS_PER_SEC + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * 86400.0;
}

TimestampTz TimeOfEpoch(double epoch_s) {
  const double usec = (epoch_s - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * 86400.0) * USECS_PER_SEC;
  return std::isfinite(usec) && std::fabs(usec) < 9e18 ? static_cast<TimestampTz>(usec) : 0;
}

RowEntry* FindRow(Oid database, uint64_t key) {
  const RowKey row = KeyOfRow(database, key);
  return static_cast<RowEntry*>(hash_search(RowTable(), &row, HASH_FIND, nullptr));
}

PlansEntry* FindPlans(Oid database, int64_t query_id) {
  const PlansKey plans = KeyOfPlans(database, query_id);
  return static_cast<PlansEntry*>(hash_search(PlansTable(), &plans, HASH_FIND, nullptr));
}

RowEntry* EnterRow(Oid database, uint64_t key) {
  bool found = false;
  auto* const entry =
      Enter<RowEntry>(RowTable(), KeyOfRow(database, key), shared_rows->row_capacity, kMetricRowsEvicted, &found);
  if (entry != nullptr && !found) entry->profile = RowProfile{};
  return entry;
}

PlansEntry* EnterPlans(Oid database, int64_t query_id) {
  bool found = false;
  auto* const entry = Enter<PlansEntry>(PlansTable(), KeyOfPlans(database, query_id), shared_rows->plans_capacity,
                                        kMetricPlansEvicted, &found);
  if (entry != nullptr && !found) entry->plans = KnownPlans{};
  return entry;
}

void NameRelations(const Oid* relations, int count, uint64_t* names) {
  for (int i = 0; i < kRowRelations; ++i)
    names[i] = i < count && OidIsValid(relations[i]) ? RelationNameHash(relations[i]) : kNoTable;
}

void MarkRelations(const RowEntry& entry) { MarkIn(static_cast<int>(pg_atomic_read_u32(&shared_rows->half)), entry); }

EVERY_STATEMENT bool RowsKnownOf(Oid relation) {
  return IsKnown(OidIsValid(relation) ? RelationNameHash(relation) : kNoTable);
}

bool JoinKnownOf(const Oid* relations, int count) {
  if (count > kRowRelations) return true;
  uint64_t names[kRowRelations];
  NameRelations(relations, count, names);
  const uint64_t set = SetName(names, count);
  return set == 0 || IsKnown(set);
}

void ForgetRows(Oid database, Forget what) {
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  if (Remove<RowEntry>(RowTable(), database, what) > 0) RebuildKnown();
  LWLockRelease(shared_rows->lock);
}

void ForgetPlans(Oid database, Forget what) {
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  Remove<PlansEntry>(PlansTable(), database, what);
  LWLockRelease(shared_rows->lock);
}

void RemovePlans(Oid database, int64_t query_id) {
  const PlansKey key = KeyOfPlans(database, query_id);
  LWLockAcquire(shared_rows->lock, LW_EXCLUSIVE);
  hash_search(PlansTable(), &key, HASH_REMOVE, nullptr);
  LWLockRelease(shared_rows->lock);
}

bool RowsDirty(Oid database) {
  LWLockAcquire(shared_rows->lock, LW_SHARED);
  const bool dirty = AnyDirtyIn<RowEntry>(RowTable(), database) || AnyDirtyIn<PlansEntry>(PlansTable(), database);
  LWLockRelease(shared_rows->lock);
  return dirty;
}

}  // namespace query_shaper
