#include "tpch_queries.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace query_shaper::bench {

namespace {

// The generator writes the limit after the statement's end, -1 for none, and a precision that PostgreSQL does not know.
std::vector<std::string> CleanedTpch(std::string text) {
  for (size_t at; (at = text.find("day (3)")) != std::string::npos;) text.replace(at, 7, "day");
  const size_t limit = text.rfind("limit ");
  if (limit != std::string::npos) {
    const std::string clause = text.substr(limit, text.find(';', limit) - limit);
    text.erase(limit);
    if (clause.find('-') == std::string::npos) text.insert(text.rfind(';'), "\n" + clause);
  }
  std::vector<std::string> script;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find(';', from), text.size());
    const std::string sql = text.substr(from, end - from);
    if (std::any_of(sql.begin(), sql.end(), [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; })) {
      script.push_back(sql);
    }
    from = end + 1;
  }
  return script;
}

}  // namespace

std::string TpchKit(const Options& options) {
  const char* const value = std::getenv("QUERY_SHAPER_TPCH");
  return options.Text("tpch", value != nullptr ? value : "");
}

std::string LoadTpch(const Options& options, const std::string& database) {
  return ShellQuote(options.root + "/bench/tpch/load.sh") + " " + ShellQuote(TpchKit(options)) + " " + database + " " +
         ShellQuote(options.Text("scale", "1"));
}

std::vector<TpchQuery> TpchQueries(const Options& options) {
  std::vector<TpchQuery> queries;
  const std::string kit = ShellQuote(TpchKit(options));
  for (int number = 1; number <= 22; number++) {
    const CommandResult made =
        RunCommand("cd " + kit + "/queries && DSS_QUERY=. DSS_CONFIG=.. ../qgen -d -b ../dists.dss " +
                   std::to_string(number) + " 2>&1");
    if (made.status != 0) throw std::runtime_error("qgen failed: " + made.output);
    char name[16];
    std::snprintf(name, sizeof name, "q%02d", number);
    queries.push_back({name, CleanedTpch(made.output)});
  }
  return queries;
}

}  // namespace query_shaper::bench
