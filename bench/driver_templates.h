// Query templates of bench/workload and of bench/made: text with placeholders and where their constants come from.
#pragma once
#include <pqxx/pqxx>
#include <random>
#include <string>
#include <vector>

#include "driver.h"

namespace query_shaper::bench {

struct Parameter {
  std::string name;
  std::string candidates_sql;
  std::vector<std::string> candidates;
};

struct Template {
  std::string name;
  std::string data;  // database it runs on: gene, stats, made or kinds
  std::string sql;
  std::vector<Parameter> parameters;
};

// Whether an option that lists names, a,b,c, has this one; without it all are chosen.
bool Chosen(const Options& options, const std::string& option, const std::string& name);

// Reads the header lines "-- data: NAME" and "-- param NAME: SQL", then the statement.
Template ParseTemplate(const std::string& name, const std::string& text);

// All templates whose data set is there: bench/workload with a data folder, else (or with --data-sets made) bench/made;
// with --data-sets kinds bench/kinds.
// --templates a,b,c selects by name, --data-sets stats,gene by data set.
std::vector<Template> ReadTemplates(const Options& options);
// The same of a folder of the checkout.
std::vector<Template> ReadTemplatesOf(const Options& options, const std::string& folder);

// One value per parameter, drawn from the candidates; ":name" becomes a quoted literal.
std::string Instantiate(const Template& query, pqxx::connection* connection, std::mt19937_64* random);

// Random numbers that depend on the seed and this label alone: two revisions, whose other draws may differ, get the
// same ones.
std::mt19937_64 RandomOf(const Options& options, const std::string& label);

// A cluster with query_shaper and every database the templates need, loaded, the candidates fetched.
class Laboratory {
 public:
  Laboratory(const Options& options, const std::vector<std::string>& settings);

  std::vector<Template> templates;
  Cluster& cluster() { return cluster_; }
  std::string Connection(const Template& query) const { return cluster_.Connection(query.data); }
  // In every database: removes what was learned, or waits until all of it is stored and trains.
  void Reset();
  void Learn();

 private:
  void Load(const Options& options, const std::string& database);
  void FetchCandidates();
  void InEachDatabase(const std::string& sql);

  Cluster cluster_;
  std::vector<std::string> databases_;
};

}  // namespace query_shaper::bench
