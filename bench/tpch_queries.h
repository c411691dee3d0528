// The queries of TPC-H, made by a built kit (gregrahn/tpch-kit), and its tables.
#pragma once
#include <string>
#include <vector>

#include "driver.h"

namespace query_shaper::bench {

// The kit's folder dbgen by --tpch or QUERY_SHAPER_TPCH; empty: none.
std::string TpchKit(const Options& options);

// Shell command that creates and loads the database; --scale (1).
std::string LoadTpch(const Options& options, const std::string& database);

struct TpchQuery {
  std::string name;  // q01 to q22
  std::vector<std::string> script;
};

// With their default constants.
std::vector<TpchQuery> TpchQueries(const Options& options);

}  // namespace query_shaper::bench
