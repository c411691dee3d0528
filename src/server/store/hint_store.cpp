#include "pg/pg.h"

#include "server/settings.h"
#include "server/store/hint_store.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
}

namespace query_shaper {

namespace {

constexpr int kRelationColumn = 1, kPatternColumn = 2, kBlocksColumn = 3, kHintColumns = 5;

struct HintEntry {
  Oid relation;
  PartitionHint hint;
};

HTAB* hints;     // null: to be read
Oid hint_table;  // whose changes end what was read; InvalidOid: there is none
bool look_for_table = true;

// Runs while invalidations are processed: no catalog access. InvalidOid: all relations.
void ForgetHints(Datum, Oid relation) {
  if (OidIsValid(relation) && relation != hint_table) return;
  look_for_table = true;
}

void ForgetTable(Datum, int, uint32) { look_for_table = true; }

Oid FindHintTable() {
  const Oid schema = get_namespace_oid("query_shaper", true);
  // A schema of that name alone is not ours.
  if (!OidIsValid(schema) || !OidIsValid(get_extension_oid("query_shaper", true))) return InvalidOid;
  return get_relname_relid("partition_hint_data", schema);
}

void ReadHints(Oid table_id, HTAB* into) {
  Relation const table = table_open(table_id, AccessShareLock);
  TupleDesc const shape = RelationGetDescr(table);
  if (shape->natts == kHintColumns) {
    // No MVCC snapshot: under SERIALIZABLE one would leave a predicate lock of ours in the user's transaction.
    SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, SnapshotSelf, 0, nullptr);
    for (HeapTuple row = systable_getnext(scan); HeapTupleIsValid(row); row = systable_getnext(scan)) {
      bool null = false;
      const Oid relation = DatumGetObjectId(heap_getattr(row, kRelationColumn, shape, &null));
      char* const pattern = TextDatumGetCString(heap_getattr(row, kPatternColumn, shape, &null));
      const Datum blocks = heap_getattr(row, kBlocksColumn, shape, &null);
      auto* const entry = static_cast<HintEntry*>(hash_search(into, &relation, HASH_ENTER, nullptr));
      entry->hint.pattern = PatternOf(pattern);
      entry->hint.suggested_blocks = null ? 0 : DatumGetInt32(blocks);
      pfree(pattern);
    }
    systable_endscan(scan);
  }
  table_close(table, AccessShareLock);
}

HTAB* MakeHash() {
  HASHCTL control{};
  control.keysize = sizeof(Oid);
  control.entrysize = sizeof(HintEntry);
  control.hcxt = CacheMemoryContext;
  return hash_create("query_shaper partition hints", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void ReadWhereDue() {
  static bool registered = false;
  if (!registered) {
    CacheRegisterRelcacheCallback(ForgetHints, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, ForgetTable, 0);
    registered = true;
  }
  if (!look_for_table) return;
  // A change that arrives meanwhile, or an error, makes it be read again.
  look_for_table = false;
  if (hints != nullptr) hash_destroy(hints);
  hints = nullptr;
  PG_TRY();
  {
    hint_table = FindHintTable();
    hints = MakeHash();
    if (OidIsValid(hint_table)) ReadHints(hint_table, hints);
  }
  PG_CATCH();
  {
    look_for_table = true;
    PG_RE_THROW();
  }
  PG_END_TRY();
}

bool SettingSays(Oid relation, PartitionHint* hint) {
  const char* const text = settings::partition_hint;
  if (text == nullptr || text[0] == '\0') return false;
  char* const schema = get_namespace_name(get_rel_namespace(relation));
  char* const name = get_rel_name(relation);
  return schema != nullptr && name != nullptr && FindHint(text, schema, name, hint);
}

}  // namespace

bool PartitionHintOf(Oid relation, PartitionHint* hint) {
  if (SettingSays(relation, hint)) return true;
  ReadWhereDue();
  const auto* const entry = static_cast<const HintEntry*>(hash_search(hints, &relation, HASH_FIND, nullptr));
  if (entry != nullptr) *hint = entry->hint;
  return entry != nullptr;
}

}  // namespace query_shaper
