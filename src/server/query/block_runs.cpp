#include "pg/pg.h"

#include "server/query/block_runs.h"

#include <algorithm>
#include <cmath>

extern "C" {
#include "access/tsmapi.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/rel.h"
#include "storage/bufmgr.h"

PG_FUNCTION_INFO_V1(query_shaper_block_runs);
PGDLLEXPORT Datum query_shaper_block_runs(PG_FUNCTION_ARGS);
}

namespace query_shaper {

namespace {

constexpr BlockNumber kRunsForLength = 256;  // a run gets longer only when there are this many
constexpr BlockNumber kLongestRun = 8;

struct Sampler {
  bool begun;
  double fraction;
  uint32 seed;
  BlockRuns cut;
  BlockNumber run;     // the current one
  BlockNumber within;  // blocks of it that were handed out
  OffsetNumber tuple;
};

// In [0, 1), one value per seed and place.
double Uniform(uint32 seed, uint32 place) {
  return murmurhash32(murmurhash32(place) ^ (seed * 0x9E3779B9u)) / 4294967296.0;
}

bool ValidFraction(double fraction) { return fraction > 0 && fraction <= 1; }

void EstimateSize(PlannerInfo* root, RelOptInfo* rel, List* arguments, BlockNumber* pages, double* tuples) {
  double fraction = 0.01;
  Node* const argument = estimate_expression_value(root, static_cast<Node*>(linitial(arguments)));
  if (IsA(argument, Const) && !reinterpret_cast<Const*>(argument)->constisnull) {
    const double given = DatumGetFloat4(reinterpret_cast<Const*>(argument)->constvalue);
    if (ValidFraction(given)) fraction = given;
  }
  *pages = static_cast<BlockNumber>(clamp_row_est(rel->pages * fraction));
  *tuples = clamp_row_est(rel->tuples * fraction);
}

void InitSample(SampleScanState* scan, int) { scan->tsm_state = palloc0(sizeof(Sampler)); }

void BeginSample(SampleScanState* scan, Datum* arguments, int, uint32 seed) {
  const double fraction = DatumGetFloat4(arguments[0]);
  if (!ValidFraction(fraction))
    ereport(ERROR, (errcode(ERRCODE_INVALID_TABLESAMPLE_ARGUMENT),
                    errmsg("sample fraction must be greater than 0 and at most 1")));
  auto* const sampler = static_cast<Sampler*>(scan->tsm_state);
  memset(static_cast<void*>(sampler), 0, sizeof *sampler);
  sampler->begun = true;
  sampler->fraction = fraction;
  sampler->seed = seed;
  sampler->cut = CutBlockRuns(RelationGetNumberOfBlocks(scan->ss.ss_currentRelation), fraction, seed);
  scan->use_bulkread = fraction >= 0.01;
  scan->use_pagemode = true;
}

// The table may have grown since it was cut: blocks added later hold nothing that the snapshot sees.
BlockNumber NextBlock(SampleScanState* scan, BlockNumber) {
  auto* const sampler = static_cast<Sampler*>(scan->tsm_state);
  while (sampler->run < sampler->cut.runs) {
    const BlockRun run = PlaceBlockRun(sampler->cut, sampler->run, sampler->seed);
    if (sampler->within < run.length) {
      const BlockNumber stretch_length = run.stretch_end - run.stretch;
      const BlockNumber offset = (run.begin - run.stretch + sampler->within) % stretch_length;
      ++sampler->within;
      return run.stretch + offset;
    }
    ++sampler->run;
    sampler->within = 0;
  }
  return InvalidBlockNumber;
}

OffsetNumber NextTuple(SampleScanState* scan, BlockNumber, OffsetNumber last) {
  auto* const sampler = static_cast<Sampler*>(scan->tsm_state);
  if (sampler->tuple >= last) {
    sampler->tuple = InvalidOffsetNumber;
    return InvalidOffsetNumber;
  }
  return ++sampler->tuple;
}

}  // namespace

BlockRuns CutBlockRuns(BlockNumber blocks, double fraction, uint32 seed) {
  BlockRuns cut = {blocks, 0, 1};
  const double wanted = blocks * fraction;
  if (blocks == 0) return cut;
  if (fraction >= 1) return {blocks, 1, blocks};
  cut.length = std::clamp(static_cast<BlockNumber>(wanted / kRunsForLength), BlockNumber{1}, kLongestRun);
  // Rounded at random, so that over seeds every block is read with the fraction as its probability.
  cut.runs = static_cast<BlockNumber>(wanted / cut.length + Uniform(seed, 0xFFFFFFFFu));
  cut.runs = std::min(cut.runs, blocks / cut.length);
  return cut;
}

BlockRun PlaceBlockRun(const BlockRuns& cut, BlockNumber run, uint32 seed) {
  const auto bound = [&](BlockNumber i) { return static_cast<BlockNumber>(uint64{cut.blocks} * i / cut.runs); };
  BlockRun placed = {bound(run), bound(run + 1), 0, 0};
  const BlockNumber stretch_length = placed.stretch_end - placed.stretch;
  placed.begin = placed.stretch + static_cast<BlockNumber>(Uniform(seed, run) * stretch_length);
  placed.length = std::min(cut.length, stretch_length);
  return placed;
}

Oid BlockRunsHandler() {
  static Oid arguments[] = {INTERNALOID};
  if (!OidIsValid(get_namespace_oid("query_shaper", true))) return InvalidOid;
  return LookupFuncName(list_make2(makeString(pstrdup("query_shaper")), makeString(pstrdup("block_runs"))), 1,
                        arguments, true);
}

double SharePlanned(const SampleScanState* scan) {
  const auto* const sampler = static_cast<const Sampler*>(scan->tsm_state);
  if (scan->tsmroutine->NextSampleBlock != NextBlock || !sampler->begun) return -1;
  const double read = static_cast<double>(sampler->cut.runs) * sampler->cut.length;
  return sampler->cut.blocks > 0 && read > 0 ? read / sampler->cut.blocks : sampler->fraction;
}

}  // namespace query_shaper

Datum query_shaper_block_runs(PG_FUNCTION_ARGS) {
  using namespace query_shaper;
  TsmRoutine* const method = makeNode(TsmRoutine);
  method->parameterTypes = list_make1_oid(FLOAT4OID);
  method->repeatable_across_queries = true;
  method->repeatable_across_scans = true;
  method->SampleScanGetSampleSize = EstimateSize;
  method->InitSampleScan = InitSample;
  method->BeginSampleScan = BeginSample;
  method->NextSampleBlock = NextBlock;
  method->NextSampleTuple = NextTuple;
  PG_RETURN_POINTER(method);
}
