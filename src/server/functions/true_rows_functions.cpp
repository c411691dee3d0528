// true_rows(query, block, set): test builds only, declared by the bench that uses it.
#include "pg/pg.h"

#ifdef QUERY_SHAPER_FAULT_POINTS
#include "pg/guard.h"
#include "server/query/query_blocks.h"
#include "server/query/sampled_query.h"
#include "server/query/true_rows.h"

extern "C" {
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
}

namespace query_shaper {

static Query* AnalyseOne(const char* source) {
  List* parsed = pg_parse_query(source);
  List* rewritten = list_length(parsed) == 1 ? pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, parsed),
                                                                                  source, nullptr, 0, nullptr)
                                             : NIL;
  Query* query = list_length(rewritten) == 1 ? linitial_node(Query, rewritten) : nullptr;
  if (query == nullptr || WhyNotSampled(query) != nullptr)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("query must be one SELECT without volatile functions and without locking")));
  return query;
}

// block: 0 is the innermost part that is planned apart, the last one the query itself. set -1: how many sets the block
// has, NULL where there is no such block; else the rows of the set, which are learned; NULL where it cannot be run
// alone.
QUERY_SHAPER_FUNCTION(query_shaper_true_rows) {
  if (!superuser()) ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser")));
  char* source = text_to_cstring(PG_GETARG_TEXT_PP(0));
  int block = PG_GETARG_INT32(1);
  int set = PG_GETARG_INT32(2);
  List* blocks = FindBlocks(AnalyseOne(source));
  if (block < 0 || block >= list_length(blocks)) PG_RETURN_NULL();
  auto* query = static_cast<const Query*>(list_nth(blocks, block));
  double rows = set < 0 ? CountSets(query, source) : LearnTrueRows(query, source, set);
  if (rows < 0) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(rows);
}

}  // namespace query_shaper
#endif
