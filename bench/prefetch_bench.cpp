// prefetch: scans and joins over cold data with blocks asked for ahead, against a server with nothing loaded.
//
// One cluster, restarted before every cold run with or without the extension, its files evicted from the page cache.
// The disk's own rate comes from fio over the same files in the same run. With --slow US the data directory lies behind
// bench/slow/slow_files, which adds that time to every read.
#include <cstdio>

#include "prefetch_cases.h"

namespace query_shaper::bench {

namespace {

std::string LoadReading(const Options& options, const std::string&) {
  const std::string rows = std::to_string(static_cast<long>(RowsOf(options)));
  return "sh -c " + ShellQuote("createdb reading && psql -X -q -v ON_ERROR_STOP=1 -v rows=" + rows + " -d reading -f " +
                               ShellQuote(options.root + "/bench/slow/prefetch_load.sql"));
}

struct Part {
  const char* name;
  bool (*run)(const Options& options, ColdServer* server, Json* result);
};

// The last one clears the table's visibility map.
const Part kParts[] = {{"order", CompareOrder},         {"sweep", CompareSweep},       {"bitmaps", CompareBitmaps},
                       {"joins", CompareJoins},         {"sessions", CompareSessions}, {"faults", SurvivesFaults},
                       {"index-only", CompareIndexOnly}};

bool Wanted(const Options& options, const std::string& part) {
  const std::string only = "," + options.Text("only", "") + ",";
  return only == ",," || only.find("," + part + ",") != std::string::npos;
}

}  // namespace

double RowsOf(const Options& options) { return options.Number("rows", 20000000); }
int RoundsOf(const Options& options) { return static_cast<int>(options.Number("rounds", 3)); }
bool IsSlow(const Options& options) { return options.Number("slow", 0) > 0; }

bool Selected(const Options& options, const std::string& name) {
  const std::string cases = "," + options.Text("cases", "") + ",";
  return cases == ",," || cases.find("," + name + ",") != std::string::npos;
}

Verdict RunPrefetch(const Options& options) {
  DataTemplate data(options, {"reading"}, LoadReading);
  ColdServer server(options, data, "reading");
  server.Restart(true, false);
  {
    pqxx::connection connection(server.Connection());
    // Kept data may have one that an earlier build made, with other tables.
    pqxx::nontransaction(connection)
        .exec("DROP EXTENSION IF EXISTS query_shaper CASCADE; CREATE EXTENSION query_shaper");
  }
  const double disk = server.DiskRate("reading", 32), single = server.DiskRate("reading", 1);
  std::printf("random reads of 8 kB: %.0f a second at depth 1, %.0f at depth 32\n", single, disk);
  Json result;
  result.Set("rows", RowsOf(options))
      .Set("delay_us", options.Number("slow", 0))
      .Set("disk_depth_1", single)
      .Set("disk_depth_32", disk);
  bool met = !Wanted(options, "scans") || CompareScans(options, &server, disk, &result);
  for (const Part& part : kParts) {
    std::fflush(stdout);
    if (Wanted(options, part.name)) met = part.run(options, &server, &result) && met;
  }
  WriteResult(options, IsSlow(options) ? "prefetch_slow" : "prefetch", std::move(result));
  return met ? Verdict::kMet : Verdict::kMissed;
}

}  // namespace query_shaper::bench
