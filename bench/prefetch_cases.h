// What the parts of the prefetch bench share. Table: bench/slow/prefetch_load.sql.
#pragma once
#include <string>

#include "cold_server.h"

namespace query_shaper::bench {

constexpr char kScanOnly[] =
    "SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off; SET jit = off; SET statement_timeout = "
    "'600s'; ";

struct Variant {
  const char* name;
  bool loaded;
  const char* settings;
  const char* node;  // the plan has one, or it is said; null: any plan
};

struct Run {
  double ms = 0, blocks = 0;
};

// Catalogues and the index's root are read by planning once; the table's blocks are not.
Run RunOnce(const Options& options, const ColdServer& server, const Variant& variant, const std::string& query,
            const std::string& settings);

// Processor time over cached blocks with prefetching on, to that of a server with nothing loaded and to ours with it
// off: medians of rounds. Servers take turns: where the blocks come to lie in memory is worth some percent.
struct Warm {
  double to_stock, to_off;
};
Warm WarmRatios(ColdServer* server, const std::string& query, const std::string& session_settings, int rounds);

// Each prints its figures, adds them to *result and returns whether all targets were met.
bool CompareScans(const Options& options, ColdServer* server, double disk_rate, Json* result);
bool CompareOrder(const Options& options, ColdServer* server, Json* result);
bool CompareSweep(const Options& options, ColdServer* server, Json* result);
bool CompareBitmaps(const Options& options, ColdServer* server, Json* result);
bool CompareIndexOnly(const Options& options, ColdServer* server, Json* result);
bool CompareJoins(const Options& options, ColdServer* server, Json* result);
bool CompareSessions(const Options& options, ColdServer* server, Json* result);
bool SurvivesFaults(const Options& options, ColdServer* server, Json* result);

double RowsOf(const Options& options);
int RoundsOf(const Options& options);
bool IsSlow(const Options& options);
// --cases a,b selects.
bool Selected(const Options& options, const std::string& name);

// The share of the rows whose column begins `at` of its range.
std::string RangeQuery(const std::string& what, const std::string& column, double rows, double share, double at);
// 10000 (--keys) rows of keys without any order, others each round, joined as `join` says.
std::string JoinQuery(const Options& options, const std::string& join, int round);
// Settings under which a join is a nested loop over an index.
std::string LoopSettings();

}  // namespace query_shaper::bench
