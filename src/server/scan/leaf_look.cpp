#include "pg/pg.h"

#include "server/scan/leaf_look.h"

#include "core/prefetch/block_sweep.h"
extern "C" {
#include "access/genam.h"
#include "access/nbtree.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
}

namespace query_shaper {
namespace {

constexpr uint32_t kPagesLeast = 8;
constexpr int kTries = 3;          // a page that is no leaf has leaves beside it
constexpr uint32_t kAnswers = 64;  // power of 2

struct Answer {
  RelFileNode file;
  BlockNumber pages;
  bool comes_back;
};

Answer answers[kAnswers];

int AddAddresses(const IndexTuple entry, uint32_t* blocks, int count) {
  if (!BTreeTupleIsPosting(entry)) {
    blocks[count] = ItemPointerGetBlockNumberNoCheck(&entry->t_tid);
    return count + 1;
  }
  for (int i = 0; i < BTreeTupleGetNPosting(entry) && count < kTurnsMost; ++i)
    blocks[count++] = ItemPointerGetBlockNumberNoCheck(BTreeTupleGetPostingN(entry, i));
  return count;
}

// Heap blocks of the entries of a leaf page; 0 when it is none.
int BlocksOfLeaf(Relation index, BlockNumber number, uint32_t* blocks) {
  Buffer buffer = ReadBuffer(index, number);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  Page page = BufferGetPage(buffer);
  int count = 0;
  if (!PageIsNew(page) && P_ISLEAF(BTPageGetOpaque(page)) && !P_IGNORE(BTPageGetOpaque(page))) {
    OffsetNumber last = PageGetMaxOffsetNumber(page);
    for (OffsetNumber i = P_FIRSTDATAKEY(BTPageGetOpaque(page)); i <= last && count < kTurnsMost; ++i)
      count = AddAddresses(reinterpret_cast<IndexTuple>(PageGetItem(page, PageGetItemId(page, i))), blocks, count);
  }
  UnlockReleaseBuffer(buffer);
  return count;
}

bool Look(Relation index, BlockNumber pages) {
  uint32_t blocks[kTurnsMost];
  for (BlockNumber i = 0; i < kTries; ++i) {
    int count = BlocksOfLeaf(index, pages / 2 + i, blocks);
    if (count == 0) continue;
    return WorthSweeping(CountTurns(blocks, count));
  }
  return false;
}

bool StillHolds(const Answer& answer, const RelFileNode& file, BlockNumber pages) {
  return RelFileNodeEquals(answer.file, file) && pages <= answer.pages + answer.pages / 8 &&
         pages >= answer.pages - answer.pages / 8;
}

}  // namespace

bool ComesBackToBlocks(Oid oid, uint32_t pages) {
  if (pages < kPagesLeast) return false;
  Relation index = index_open(oid, NoLock);
  Answer* answer = &answers[index->rd_node.relNode & (kAnswers - 1)];
  if (!StillHolds(*answer, index->rd_node, pages)) {
    bool comes_back = Look(index, pages);
    *answer = {index->rd_node, pages, comes_back};
  }
  bool comes_back = answer->comes_back;
  index_close(index, NoLock);
  return comes_back;
}

}  // namespace query_shaper
