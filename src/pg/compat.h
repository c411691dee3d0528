// Differences between PostgreSQL versions: every PG_VERSION_NUM of the tree stands here.
#pragma once
#include "pg/pg.h"
extern "C" {
#include "storage/fd.h"
#include "storage/smgr.h"
}

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 160000
#error "query_shaper supports PostgreSQL 15"
#endif

namespace query_shaper::pg {

// struct _MdfdVec of md.c, which PostgreSQL 15 keeps to itself: smgrprefetch() takes one block only.
struct OpenSegment {
  File file;
  BlockNumber number;
};

// The file of a segment below md_num_open_segs.
inline File SegmentFile(const SMgrRelationData* storage, int segment) {
  return reinterpret_cast<const OpenSegment*>(storage->md_seg_fds[MAIN_FORKNUM])[segment].file;
}

}  // namespace query_shaper::pg
