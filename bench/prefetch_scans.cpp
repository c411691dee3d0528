// The prefetch bench's scans of one table.
#include <cstdio>

#include "prefetch_cases.h"

namespace query_shaper::bench {

namespace {

struct Case {
  const char* column;
  double share;  // of the rows
  bool scattered;
};

const Case kCases[] = {
    {"scattered", 0.001, true}, {"strided", 0.001, true}, {"jittered", 0.01, false},
    {"runs", 0.005, false},     {"id", 0.02, false},
};

const Variant kScans[] = {
    {"index scan", false, "SET enable_bitmapscan = off", nullptr},
    {"bitmap scan", false, "SET enable_indexscan = off; SET effective_io_concurrency = 200", nullptr},
    {"prefetch", true, "SET enable_bitmapscan = off; SET query_shaper.prefetch = on", nullptr},
};
constexpr char kWhat[] = "sum(length(pad))";

const Variant kBitmaps[] = {
    {"bitmap scan", false, "SET enable_indexscan = off", nullptr},
    {"bitmap scan that looks further", true, "SET enable_indexscan = off; SET query_shaper.prefetch = on", nullptr},
};

const Variant kIndexOnly[] = {
    {"index-only scan", false, "SET enable_bitmapscan = off", nullptr},
    {"prefetch", true, "SET enable_bitmapscan = off; SET query_shaper.prefetch = on", "Prefetch"},
};

// Milliseconds of each variant, [variant][round], in turns; the last one's blocks a second.
struct Times {
  std::vector<std::vector<double>> ms;
  std::vector<double> rates;

  double Median(size_t variant) const { return Quantile(ms[variant], 0.5); }
  // Of the last variant's time to another's, round by round.
  double Ratio(size_t variant) const {
    std::vector<double> ratios;
    for (size_t i = 0; i < ms[variant].size(); i++) ratios.push_back(ms.back()[i] / ms[variant][i]);
    return Quantile(ratios, 0.5);
  }
};

template <size_t kCount>
Times TakeTurns(ColdServer* server, const Variant (&variants)[kCount], const std::string& what, const Case& one,
                const Options& options, const std::string& order = "") {
  const int rounds = RoundsOf(options);
  Times times;
  times.ms.resize(kCount);
  for (int round = 0; round < rounds; round++) {
    const double at = 0.05 + 0.85 * round / rounds;
    std::string query = RangeQuery(order.empty() ? what : "pad", one.column, RowsOf(options), one.share, at);
    if (!order.empty()) query = "SELECT " + what + " FROM (" + query + order + " OFFSET 0) ordered";
    for (size_t i = 0; i < kCount; i++) {
      const size_t turn = (i + static_cast<size_t>(round)) % kCount;
      server->Restart(variants[turn].loaded, true);
      const Run run = RunOnce(options, *server, variants[turn], query, kScanOnly);
      times.ms[turn].push_back(run.ms);
      if (turn == kCount - 1) times.rates.push_back(run.blocks / run.ms * 1000);
    }
  }
  return times;
}

}  // namespace

std::string RangeQuery(const std::string& what, const std::string& column, double rows, double share, double at) {
  const auto low = static_cast<long>(rows * at);
  return "SELECT " + what + " FROM reading WHERE " + column + " BETWEEN " + std::to_string(low) + " AND " +
         std::to_string(low + static_cast<long>(rows * share));
}

bool CompareScans(const Options& options, ColdServer* server, double disk_rate, Json* result) {
  bool met = true;
  for (const Case& one : kCases) {
    const std::string name = one.column;
    if (!Selected(options, name)) continue;
    const Times times = TakeTurns(server, kScans, kWhat, one, options);
    const double gain = 1 / times.Ratio(0), to_bitmap = times.Ratio(1), rate = Quantile(times.rates, 0.5);
    std::printf(
        "%s: index scan %.0f ms, bitmap scan %.0f ms, prefetch %.0f ms; gain %.2f, to bitmap %.2f, %.0f blocks a "
        "second\n",
        one.column, times.Median(0), times.Median(1), times.Median(2), gain, to_bitmap, rate);
    if (one.scattered) {
      if (disk_rate > 0) met = Check(name + ": share of the disk's rate >= 0.85", rate / disk_rate, 0.85, 1e9) && met;
      met = Check(name + ": time to bitmap scan <= 1.1", to_bitmap, 0, 1.1) && met;
      if (IsSlow(options)) met = Check(name + ": gain >= 5", gain, 5, 1e9) && met;
    } else {
      met = Check(name + ": gain >= 0.97", gain, 0.97, 1e9) && met;
    }
    Json json;
    json.Set("index_ms", Json::Array(times.ms[0]))
        .Set("bitmap_ms", Json::Array(times.ms[1]))
        .Set("prefetch_ms", Json::Array(times.ms[2]));
    result->Set(name, std::move(json.Set("blocks_per_second", Json::Array(times.rates))));
    std::fflush(stdout);
  }
  if (!Selected(options, "warm")) return met;
  const std::string query = RangeQuery(kWhat, "scattered", RowsOf(options), 0.001, 0.5);
  const Warm warm = WarmRatios(server, query, kScanOnly, RoundsOf(options) + 2);
  result->Set("warm_cpu_ratio", warm.to_stock).Set("warm_cpu_to_off", warm.to_off);
  met = Check("warm: CPU to prefetch off <= 1.02", warm.to_off, 0, 1.02) && met;
  return Check("warm: CPU to stock <= 1.02", warm.to_stock, 0, 1.02) && met;
}

bool CompareBitmaps(const Options& options, ColdServer* server, Json* result) {
  bool met = true;
  for (const Case& one : kCases) {
    const std::string name = one.column;
    if (!Selected(options, name)) continue;
    const Times times = TakeTurns(server, kBitmaps, kWhat, one, options);
    const double gain = 1 / times.Ratio(0);
    std::printf("bitmap scan, %s: %.0f ms, ours %.0f ms; gain %.2f\n", one.column, times.Median(0), times.Median(1),
                gain);
    met = Check("bitmap scan, " + name + (one.scattered ? ": gain >= 1.2" : ": gain >= 0.97"), gain,
                one.scattered ? 1.2 : 0.97, 1e9) &&
          met;
    Json json;
    json.Set("stock_ms", Json::Array(times.ms[0])).Set("ours_ms", Json::Array(times.ms[1]));
    result->Set("bitmap " + name, std::move(json));
    std::fflush(stdout);
  }
  return met;
}

// Rows in the order of the index: read ahead in that order, or in the table's and sorted, which is what fetching out of
// order and putting rows back could come to at best. Nothing to be met.
bool CompareOrder(const Options& options, ColdServer* server, Json* result) {
  for (const Case& one : kCases) {
    if (!one.scattered || !Selected(options, one.column)) continue;
    const Times times = TakeTurns(server, kScans, kWhat, one, options, " ORDER BY " + std::string(one.column));
    std::printf("in order, %s: index scan %.0f ms, bitmap scan and sort %.0f ms, prefetch %.0f ms; to the sort %.2f\n",
                one.column, times.Median(0), times.Median(1), times.Median(2), times.Ratio(1));
    Json json;
    json.Set("index_ms", Json::Array(times.ms[0]))
        .Set("sort_ms", Json::Array(times.ms[1]))
        .Set("prefetch_ms", Json::Array(times.ms[2]));
    result->Set("in order, " + std::string(one.column), std::move(json));
    std::fflush(stdout);
  }
  return true;
}

// Cached rows in an order that is nearly the table's: fetched one after the other, and block by block.
bool CompareSweep(const Options& options, ColdServer* server, Json* result) {
  const std::string query = RangeQuery(kWhat, "jittered", RowsOf(options), 0.001, 0.5);
  const Warm warm = WarmRatios(server, query, kScanOnly, RoundsOf(options));
  result->Set("swept_cpu_ratio", warm.to_stock).Set("swept_cpu_to_off", warm.to_off);
  const bool met = Check("warm, nearly in order: CPU to prefetch off <= 0.9", warm.to_off, 0, 0.9);
  return Check("warm, nearly in order: CPU to stock <= 0.9", warm.to_stock, 0, 0.9) && met;
}

bool CompareIndexOnly(const Options& options, ColdServer* server, Json* result) {
  server->Restart(true, false);
  {
    pqxx::connection connection(server->Connection());
    pqxx::nontransaction session(connection);
    session.exec(
        "CREATE EXTENSION IF NOT EXISTS pg_visibility; SELECT pg_truncate_visibility_map('reading'); "
        "UPDATE pg_class SET relallvisible = 0 WHERE oid = 'reading'::regclass");
  }
  const Case one = {"scattered", 0.001, true};
  const Times times = TakeTurns(server, kIndexOnly, "count(*)", one, options);
  const double gain = 1 / times.Ratio(0);
  std::printf("index-only scan, no page all visible: %.0f ms, prefetch %.0f ms; gain %.2f\n", times.Median(0),
              times.Median(1), gain);
  Json json;
  json.Set("stock_ms", Json::Array(times.ms[0])).Set("prefetch_ms", Json::Array(times.ms[1]));
  result->Set("index_only", std::move(json));
  const double least = IsSlow(options) ? 5 : 2;
  char text[80];
  std::snprintf(text, sizeof text, "index-only scan: gain >= %.0f", least);
  return Check(text, gain, least, 1e9);
}

}  // namespace query_shaper::bench
