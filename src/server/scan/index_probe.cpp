#include "pg/pg.h"

#include "server/scan/index_probe.h"
extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

namespace query_shaper {
namespace {

enum { kHeapOid, kIndexOid, kIndexOnly, kHeaderLength };
enum { kColumn, kStrategy, kSubtype, kCollation, kFunction };

const Node* WithoutRelabel(const Node* node) {
  while (node != nullptr && IsA(node, RelabelType))
    node = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(node)->arg);
  return node;
}

// Values are computed for rows that the join may never come to: what could raise an error there is left alone.
bool NeverRaises(const Node* value) {
  const Node* bare = WithoutRelabel(value);
  return bare != nullptr && (IsA(bare, Var) || IsA(bare, Const) || IsA(bare, Param));
}

List* DescribeKey(const IndexOptInfo* index, int column, const OpExpr* comparison) {
  int strategy;
  Oid left, right;
  get_op_opfamily_properties(comparison->opno, index->opfamily[column], false, &strategy, &left, &right);
  return list_make5_oid(static_cast<Oid>(column), static_cast<Oid>(strategy), right, comparison->inputcollid,
                        get_opcode(comparison->opno));
}

bool StartsRange(int strategy, bool descending) {
  if (descending) return strategy == BTLessStrategyNumber || strategy == BTLessEqualStrategyNumber;
  return strategy == BTGreaterStrategyNumber || strategy == BTGreaterEqualStrategyNumber;
}

bool Strict(int strategy) { return strategy == BTLessStrategyNumber || strategy == BTGreaterStrategyNumber; }

bool PlaceKey(IndexProbe* probe, int number) {
  const ScanKeyData& key = probe->keys[number];
  int column = key.sk_attno - 1;
  ScanKey place = &probe->place.scankeys[probe->place.keysz];
  Oid type = probe->index->rd_opcintype[column];
  int flags = probe->index->rd_indoption[column] << SK_BT_INDOPTION_SHIFT;
  if (key.sk_subtype == type || !OidIsValid(key.sk_subtype)) {
    FmgrInfo* compare = index_getprocinfo(probe->index, static_cast<AttrNumber>(column + 1), BTORDER_PROC);
    ScanKeyEntryInitializeWithInfo(place, flags, static_cast<AttrNumber>(column + 1), InvalidStrategy, key.sk_subtype,
                                   key.sk_collation, compare, 0);
  } else {
    RegProcedure compare = get_opfamily_proc(probe->index->rd_opfamily[column], type, key.sk_subtype, BTORDER_PROC);
    if (!RegProcedureIsValid(compare)) return false;
    ScanKeyEntryInitialize(place, flags, static_cast<AttrNumber>(column + 1), InvalidStrategy, key.sk_subtype,
                           key.sk_collation, compare, 0);
  }
  probe->place_keys[probe->place.keysz++] = static_cast<int16_t>(number);
  return true;
}

int KeyOn(const IndexProbe* probe, int column, bool equality) {
  bool descending = (probe->index->rd_indoption[column] & INDOPTION_DESC) != 0;
  for (int i = 0; i < probe->key_count; ++i) {
    int strategy = probe->keys[i].sk_strategy;
    if (probe->keys[i].sk_attno != column + 1) continue;
    if (equality ? strategy == BTEqualStrategyNumber : StartsRange(strategy, descending)) return i;
  }
  return -1;
}

// As _bt_first() chooses: equalities of the leading columns, then the near end of a range of the next one.
void ChoosePlace(IndexProbe* probe) {
  BTScanInsert place = &probe->place;
  _bt_metaversion(probe->index, &place->heapkeyspace, &place->allequalimage);
  int columns = IndexRelationGetNumberOfKeyAttributes(probe->index);
  for (int column = 0; column < columns; ++column) {
    int number = KeyOn(probe, column, true);
    if (number >= 0) {
      if (PlaceKey(probe, number)) continue;
      return;
    }
    number = KeyOn(probe, column, false);
    if (number >= 0 && PlaceKey(probe, number)) place->nextkey = Strict(probe->keys[number].sk_strategy);
    return;
  }
}

// Under old_snapshot_threshold a snapshot holds nothing back. Before version 4 of the format equal entries could lie on
// the left.
bool IsExact(const IndexProbe* probe) {
  if (OldSnapshotThresholdActive() || !probe->place.heapkeyspace || probe->place.keysz != probe->key_count)
    return false;
  for (int i = 0; i < probe->key_count; ++i)
    if (probe->keys[i].sk_strategy != BTEqualStrategyNumber) return false;
  return true;
}

// The first entry that is not before the place.
OffsetNumber PlaceOn(IndexProbe* probe, Page page, BTPageOpaque opaque) {
  int least = probe->place.nextkey ? 0 : 1;
  OffsetNumber low = P_FIRSTDATAKEY(opaque);
  auto high = static_cast<OffsetNumber>(PageGetMaxOffsetNumber(page) + 1);
  while (high > low) {
    auto middle = static_cast<OffsetNumber>(low + (high - low) / 2);
    if (_bt_compare(probe->index, &probe->place, page, middle) >= least)
      low = static_cast<OffsetNumber>(middle + 1);
    else
      high = middle;
  }
  return low;
}

BlockNumber ChildFor(IndexProbe* probe, Page page, BTPageOpaque inner) {
  if (PageGetMaxOffsetNumber(page) < P_FIRSTDATAKEY(inner)) return InvalidBlockNumber;
  OffsetNumber low = PlaceOn(probe, page, inner);
  low = Max(OffsetNumberPrev(low), P_FIRSTDATAKEY(inner));
  return BTreeTupleGetDownLink(reinterpret_cast<IndexTuple>(PageGetItem(page, PageGetItemId(page, low))));
}

void SetPlace(IndexProbe* probe) {
  for (int i = 0; i < probe->place.keysz; ++i)
    probe->place.scankeys[i].sk_argument = probe->keys[probe->place_keys[i]].sk_argument;
}

bool AddEntry(LeafEntries* entries, const ItemPointerData* row, OffsetNumber place) {
  if (entries->count == kEntriesOfLeaf) return false;
  entries->rows[entries->count] = *row;
  entries->places[entries->count++] = place;
  return true;
}

// False when there is no room for them all.
bool AddEntries(LeafEntries* entries, IndexTuple tuple, OffsetNumber place) {
  if (!BTreeTupleIsPosting(tuple)) return AddEntry(entries, &tuple->t_tid, place);
  for (int i = 0; i < BTreeTupleGetNPosting(tuple); ++i)
    if (!AddEntry(entries, BTreeTupleGetPostingN(tuple, i), place)) return false;
  return true;
}

// As _bt_readpage(). False when there are more than these.
bool CollectEntries(IndexProbe* probe, Page page, BTPageOpaque opaque, LeafEntries* entries) {
  bool skip_dead = !TransactionStartedDuringRecovery();
  OffsetNumber last = PageGetMaxOffsetNumber(page), at = PlaceOn(probe, page, opaque);
  for (; at <= last; ++at) {
    ItemId item = PageGetItemId(page, at);
    if (_bt_compare(probe->index, &probe->place, page, at) != 0) return true;
    if (skip_dead && ItemIdIsDead(item)) continue;
    if (!AddEntries(entries, reinterpret_cast<IndexTuple>(PageGetItem(page, item)), at)) return false;
  }
  return P_RIGHTMOST(opaque) || _bt_compare(probe->index, &probe->place, page, P_HIKEY) < 0;
}

BTScanOpaque PositionOf(const IndexProbe* probe) { return static_cast<BTScanOpaque>(probe->scan->opaque); }

}  // namespace

List* DescribeProbe(const IndexPath* path, Oid heap, List** values) {
  const IndexOptInfo* index = path->indexinfo;
  List* keys = NIL;
  bool led = false;
  ListCell *clauses, *quals;
  *values = NIL;
  foreach (clauses, path->indexclauses) {
    const auto* clause = static_cast<const IndexClause*>(lfirst(clauses));
    foreach (quals, clause->indexquals) {
      const auto* comparison = reinterpret_cast<const OpExpr*>(static_cast<const RestrictInfo*>(lfirst(quals))->clause);
      if (!IsA(comparison, OpExpr) || list_length(comparison->args) != 2 || list_length(keys) >= INDEX_MAX_KEYS)
        return NIL;
      auto* value = static_cast<Node*>(lsecond(comparison->args));
      if (!NeverRaises(value)) return NIL;
      keys = lappend(keys, DescribeKey(index, clause->indexcol, comparison));
      *values = lappend(*values, copyObjectImpl(value));
      led |= clause->indexcol == 0;
    }
  }
  if (!led) return NIL;
  return lcons(list_make3_oid(heap, index->indexoid, static_cast<Oid>(path->path.pathtype == T_IndexOnlyScan)), keys);
}

IndexProbe* OpenProbe(const List* description) {
  auto* probe = static_cast<IndexProbe*>(palloc0(sizeof(IndexProbe)));
  const auto* header = static_cast<const List*>(linitial(description));
  Assert(list_length(header) == kHeaderLength);
  probe->heap = table_open(list_nth_oid(header, kHeapOid), AccessShareLock);
  probe->index = index_open(list_nth_oid(header, kIndexOid), AccessShareLock);
  probe->index_only = list_nth_oid(header, kIndexOnly) != 0;
  probe->map_page = InvalidBuffer;
  for (int i = 1; i < list_length(description); ++i) {
    const auto* key = static_cast<const List*>(list_nth(description, i));
    ScanKeyEntryInitialize(&probe->keys[probe->key_count++], 0, static_cast<AttrNumber>(list_nth_oid(key, kColumn) + 1),
                           static_cast<StrategyNumber>(list_nth_oid(key, kStrategy)), list_nth_oid(key, kSubtype),
                           list_nth_oid(key, kCollation), list_nth_oid(key, kFunction), 0);
  }
  ChoosePlace(probe);
  probe->exact = IsExact(probe);
  return probe;
}

BlockNumber FirstLeaf(IndexProbe* probe) {
  if (probe->place.keysz == 0) return InvalidBlockNumber;
  SetPlace(probe);
  Buffer buffer = _bt_getroot(probe->index, BT_READ);
  if (!BufferIsValid(buffer)) return InvalidBlockNumber;
  BlockNumber leaf = InvalidBlockNumber;
  for (;;) {
    buffer = _bt_moveright(probe->index, &probe->place, buffer, false, nullptr, BT_READ, nullptr);
    Page page = BufferGetPage(buffer);
    BTPageOpaque opaque = BTPageGetOpaque(page);
    if (P_ISLEAF(opaque)) break;
    BlockNumber child = ChildFor(probe, page, opaque);
    if (opaque->btpo_level == 1) leaf = child;
    if (opaque->btpo_level == 1 || child == InvalidBlockNumber) break;
    buffer = _bt_relandgetbuf(probe->index, buffer, child, BT_READ);
  }
  _bt_relbuf(probe->index, buffer);
  return leaf;
}

bool ReadLeaf(IndexProbe* probe, BlockNumber leaf, LeafEntries* entries) {
  if (!probe->exact) return false;
  SetPlace(probe);
  Buffer buffer = _bt_getbuf(probe->index, leaf, BT_READ);
  // What it had may have been split off since, or the page deleted.
  buffer = _bt_moveright(probe->index, &probe->place, buffer, false, nullptr, BT_READ, nullptr);
  Page page = BufferGetPage(buffer);
  BTPageOpaque opaque = BTPageGetOpaque(page);
  entries->count = 0;
  entries->page = BufferGetBlockNumber(buffer);
  entries->next = opaque->btpo_next;
  entries->lsn = BufferGetLSNAtomic(buffer);
  bool all = P_ISLEAF(opaque) && CollectEntries(probe, page, opaque, entries);
  _bt_relbuf(probe->index, buffer);
  return all;
}

void BeginEntries(IndexProbe* probe) {
  if (probe->scan == nullptr)
    probe->scan = index_beginscan(probe->heap, probe->index, SnapshotAny, probe->key_count, 0);
  index_rescan(probe->scan, probe->keys, probe->key_count, nullptr, 0);
}

ItemPointer NextEntry(IndexProbe* probe) {
  // What the steps add to the count of scans is taken off again.
  PgStat_TableStatus* counts = probe->index->pgstat_info;
  PgStat_Counter scans = counts != nullptr ? counts->t_counts.t_numscans : 0;
  bool found = btgettuple(probe->scan, ForwardScanDirection);
  if (counts != nullptr) counts->t_counts.t_numscans = scans;
  return found ? &probe->scan->xs_heaptid : nullptr;
}

void LeaveEntries(IndexProbe* probe) {
  BTScanOpaque position = PositionOf(probe);
  BTScanPosUnpinIfPinned(position->currPos);
}

bool ReadsHeap(IndexProbe* probe, BlockNumber block) {
  return !probe->index_only || !VM_ALL_VISIBLE(probe->heap, block, &probe->map_page);
}

void CloseProbe(IndexProbe* probe) {
  if (probe->scan != nullptr) index_endscan(probe->scan);
  if (BufferIsValid(probe->map_page)) ReleaseBuffer(probe->map_page);
  index_close(probe->index, NoLock);
  table_close(probe->heap, NoLock);
}

}  // namespace query_shaper
