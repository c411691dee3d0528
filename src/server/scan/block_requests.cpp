#include "pg/pg.h"

#include "server/scan/block_requests.h"

#include "pg/compat.h"
#include "pg/fault_point.h"
extern "C" {
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/fd.h"
#include "storage/smgr.h"
#include "utils/wait_event.h"
}

namespace query_shaper {

bool FileBlockInSharedBuffers(const RelFileNode& file, uint32_t block) {
  BufferTag tag;
  INIT_BUFFERTAG(tag, file, MAIN_FORKNUM, block);
  uint32 hash = BufTableHashCode(&tag);
  LWLock* lock = BufMappingPartitionLock(hash);
  LWLockAcquire(lock, LW_SHARED);
  int buffer = BufTableLookup(&tag, hash);
  LWLockRelease(lock);
  return buffer >= 0;
}

bool InSharedBuffers(Relation relation, uint32_t block) {
  return FileBlockInSharedBuffers(RelationGetSmgr(relation)->smgr_rnode.node, block);
}

int RequestBlocks(Relation relation, BlockRange range) {
  if (pg::FaultIs("prefetch_request", "fail")) return 1;
  SMgrRelation storage = RelationGetSmgr(relation);
  int failed = 0;
  BlockRange part;
  while (SplitAtSegment(&range, RELSEG_SIZE, &part)) {
    auto segment = static_cast<int>(part.first / RELSEG_SIZE);
    // The first request for a segment opens its file.
    if (part.blocks == 1 || segment >= storage->md_num_open_segs[MAIN_FORKNUM]) {
      if (!smgrprefetch(storage, MAIN_FORKNUM, part.first)) ++failed;
      if (part.blocks == 1 || segment >= storage->md_num_open_segs[MAIN_FORKNUM]) continue;
    }
    off_t offset = static_cast<off_t>(BLCKSZ) * (part.first % RELSEG_SIZE);
    int bytes = BLCKSZ * static_cast<int>(part.blocks);
    if (FilePrefetch(pg::SegmentFile(storage, segment), offset, bytes, WAIT_EVENT_DATA_FILE_PREFETCH) != 0) ++failed;
  }
  return failed;
}

}  // namespace query_shaper
