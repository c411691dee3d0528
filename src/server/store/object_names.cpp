#include "pg/pg.h"

#include "core/base/hash.h"
#include "server/store/object_names.h"

extern "C" {
#include "access/transam.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace query_shaper {

namespace {

constexpr long kCachedNames = 8192;
constexpr int kNoCache = -1;

struct NameKey {
  Oid class_id, object;
};

struct NameEntry {
  NameKey key;
  int cache;          // system cache that tells of changes
  uint32 cache_hash;  // as its messages call the object
  uint64_t name;
};

HTAB* names;
uint64 changes;  // told of so far: a name looked up while it changes is not kept

// Stands before the table: every planning asks for the same few.
struct RecentName {
  NameKey key;
  uint64 changes;  // as of when it was kept
  uint64_t name;
};

constexpr Oid kRecentNames = 64;
RecentName recent_names[kRecentNames];

int CacheOf(Oid class_id) {
  switch (class_id) {
    case RelationRelationId:
      return RELOID;
    case ProcedureRelationId:
      return PROCOID;
    case OperatorRelationId:
      return OPEROID;
    case TypeRelationId:
      return TYPEOID;
    case CollationRelationId:
      return COLLOID;
    default:
      return kNoCache;
  }
}

// Runs while invalidations are processed: no catalog access. hash 0: everything of the cache.
void Forget(Datum, int cache, uint32 hash) {
  ++changes;
  if (names == nullptr) return;
  HASH_SEQ_STATUS scan;
  hash_seq_init(&scan, names);
  while (auto* entry = static_cast<NameEntry*>(hash_seq_search(&scan))) {
    // A function's identity names the types of its arguments, and all name their schema.
    const bool other = cache == NAMESPACEOID || (cache == TYPEOID && entry->cache != RELOID);
    if (other || (entry->cache == cache && (hash == 0 || entry->cache_hash == hash)))
      hash_search(names, &entry->key, HASH_REMOVE, nullptr);
  }
}

void MakeCache() {
  static bool registered = false;
  if (names != nullptr && hash_get_num_entries(names) >= kCachedNames) {
    hash_destroy(names);
    names = nullptr;
  }
  if (names == nullptr) {
    HASHCTL control{};
    control.keysize = sizeof(NameKey);
    control.entrysize = sizeof(NameEntry);
    control.hcxt = CacheMemoryContext;
    names = hash_create("query_shaper object names", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  }
  if (registered) return;
  for (const int cache : {RELOID, PROCOID, OPEROID, TYPEOID, COLLOID, NAMESPACEOID})
    CacheRegisterSyscacheCallback(cache, Forget, 0);
  registered = true;
}

uint64_t LookUpName(Oid class_id, Oid object) {
  const ObjectAddress address = {class_id, object, 0};
  char* const identity = getObjectIdentity(&address, true);
  if (identity == nullptr) return CombineHash(class_id, object);
  const uint64_t name = HashBytes(identity, strlen(identity), class_id);
  pfree(identity);
  return name;
}

}  // namespace

EVERY_STATEMENT uint64_t ObjectNameHash(Oid class_id, Oid object) {
  if (object < FirstGenbkiObjectId) return CombineHash(class_id, object);
  RecentName* const recent = &recent_names[object % kRecentNames];
  if (recent->key.object == object && recent->key.class_id == class_id && recent->changes == changes)
    return recent->name;
  const NameKey key = {class_id, object};
  const int cache = CacheOf(class_id);
  if (cache == kNoCache) return LookUpName(class_id, object);
  if (names != nullptr) {
    const auto* const entry = static_cast<const NameEntry*>(hash_search(names, &key, HASH_FIND, nullptr));
    if (entry != nullptr) {
      *recent = {key, changes, entry->name};
      return entry->name;
    }
  }
  MakeCache();
  const uint64 before = changes;
  const uint64_t name = LookUpName(class_id, object);
  const uint32 cache_hash = GetSysCacheHashValue1(cache, ObjectIdGetDatum(object));
  if (changes != before) return name;
  auto* const entry = static_cast<NameEntry*>(hash_search(names, &key, HASH_ENTER, nullptr));
  entry->cache = cache;
  entry->cache_hash = cache_hash;
  entry->name = name;
  return name;
}

EVERY_STATEMENT uint64_t RelationNameHash(Oid relation) { return ObjectNameHash(RelationRelationId, relation); }

uint64_t ColumnNameHash(Oid relation, AttrNumber column) {
  const uint64_t table = RelationNameHash(relation);
  char* const name = get_attname(relation, column, true);
  if (name == nullptr) return CombineHash(table, static_cast<uint64_t>(column));
  const uint64_t hash = CombineHash(table, HashBytes(name, strlen(name)));
  pfree(name);
  return hash;
}

}  // namespace query_shaper
