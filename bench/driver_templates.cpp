// Templates of queries, and the server on which they run.
#include "driver_templates.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace query_shaper::bench {

namespace fs = std::filesystem;

namespace {

bool StartsWith(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

std::string Trimmed(const std::string& text) {
  const size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t\r\n;") - from + 1);
}

// Whether the data set is made by the bench itself.
bool HasSchema(const Options& options, const std::string& set) {
  return !set.empty() && fs::exists(fs::path(options.root) / "bench" / set / "schema.sql");
}

}  // namespace

bool Chosen(const Options& options, const std::string& option, const std::string& name) {
  const std::string list = options.Text(option, "");
  return list.empty() || ("," + list + ",").find("," + name + ",") != std::string::npos;
}

Template ParseTemplate(const std::string& name, const std::string& text) {
  Template query;
  query.name = name;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (StartsWith(line, "-- data:")) {
      query.data = Trimmed(line.substr(8));
    } else if (StartsWith(line, "-- param ")) {
      const size_t colon = line.find(':');
      if (colon == std::string::npos) throw std::runtime_error("template " + name + ": parameter without a query");
      query.parameters.push_back({Trimmed(line.substr(9, colon - 9)), Trimmed(line.substr(colon + 1)), {}});
    } else if (!StartsWith(line, "--")) {
      query.sql += line + "\n";
    }
  }
  query.sql = Trimmed(query.sql);
  if (query.data.empty() || query.sql.empty())
    throw std::runtime_error("template " + name + ": no data set or no query");
  return query;
}

std::vector<Template> ReadTemplates(const Options& options) {
  const std::string set = options.Text("data-sets", options.DataDir().empty() ? "made" : "");
  return ReadTemplatesOf(options, HasSchema(options, set) ? "bench/" + set + "/templates" : "bench/workload");
}

std::vector<Template> ReadTemplatesOf(const Options& options, const std::string& folder) {
  const fs::path dir = fs::path(options.root) / folder;
  std::vector<Template> templates;
  for (const auto& entry : fs::directory_iterator(dir)) {
    if (entry.path().extension() != ".sql") continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    Template query = ParseTemplate(entry.path().stem(), text.str());
    if (Chosen(options, "templates", query.name) && Chosen(options, "data-sets", query.data)) {
      templates.push_back(std::move(query));
    }
  }
  if (templates.empty()) throw std::runtime_error("no template chosen in " + dir.string());
  std::sort(templates.begin(), templates.end(), [](const Template& a, const Template& b) { return a.name < b.name; });
  return templates;
}

std::mt19937_64 RandomOf(const Options& options, const std::string& label) {
  std::seed_seq seed(label.begin(), label.end());
  std::mt19937_64 random(seed);
  random.seed(random() ^ options.seed());
  return random;
}

std::string Instantiate(const Template& query, pqxx::connection* connection, std::mt19937_64* random) {
  std::vector<std::string> values;
  for (const Parameter& parameter : query.parameters) {
    std::uniform_int_distribution<size_t> place(0, parameter.candidates.size() - 1);
    values.push_back(connection->quote(parameter.candidates[place(*random)]));
  }
  std::string text;
  for (size_t i = 0; i < query.sql.size(); i++) {
    const bool placeholder = query.sql[i] == ':' && i + 1 < query.sql.size() && std::isalpha(query.sql[i + 1]) &&
                             (i == 0 || query.sql[i - 1] != ':');
    if (!placeholder) {
      text += query.sql[i];
      continue;
    }
    size_t end = i + 1;
    while (end < query.sql.size() && (std::isalnum(query.sql[end]) || query.sql[end] == '_')) end++;
    const std::string name = query.sql.substr(i + 1, end - i - 1);
    size_t found = 0;
    while (found < query.parameters.size() && query.parameters[found].name != name) found++;
    if (found == query.parameters.size()) throw std::runtime_error("template " + query.name + ": unknown :" + name);
    text += values[found];
    i = end - 1;
  }
  return text;
}

namespace {

std::vector<std::string> WithSettings(const Options& options, std::vector<std::string> settings) {
  for (const std::string& line : options.List("setting", ';')) settings.push_back(line);
  return settings;
}

}  // namespace

Laboratory::Laboratory(const Options& options, const std::vector<std::string>& settings)
    : templates(ReadTemplates(options)), cluster_(options, "lab", "query_shaper", WithSettings(options, settings)) {
  std::set<std::string> needed;
  for (const Template& query : templates) needed.insert(query.data);
  databases_.assign(needed.begin(), needed.end());
  for (const std::string& database : databases_) Load(options, database);
  FetchCandidates();
}

void Laboratory::Load(const Options& options, const std::string& database) {
  if (!cluster_.HasDatabase(database)) {
    std::printf("loading %s\n", database.c_str());
    std::fflush(stdout);
    std::string command = cluster_.ClientEnvironment() + " ";
    if (HasSchema(options, database)) {
      const std::string schema = ShellQuote(options.root + "/bench/" + database + "/schema.sql");
      command += "sh -c 'createdb \"$1\" && psql -X -q -v ON_ERROR_STOP=1 -d \"$1\" -f \"$0\"' " + schema + " " +
                 ShellQuote(database);
    } else {
      command += ShellQuote(options.DataDir() + "/load.sh") + " " + database + " " + database;
    }
    if (RunCommand(command + " 2>&1").status != 0) throw std::runtime_error("loading " + database + " failed");
  }
  pqxx::connection connection(cluster_.Connection(database));
  pqxx::nontransaction transaction(connection);
  transaction.exec("CREATE EXTENSION IF NOT EXISTS query_shaper");
}

void Laboratory::FetchCandidates() {
  for (Template& query : templates) {
    pqxx::connection connection(Connection(query));
    pqxx::nontransaction transaction(connection);
    transaction.exec("SET query_shaper.mode = off");
    for (Parameter& parameter : query.parameters) {
      for (const auto& row : transaction.exec(parameter.candidates_sql)) {
        if (!row[0].is_null()) parameter.candidates.push_back(row[0].c_str());
      }
      if (parameter.candidates.empty()) {
        throw std::runtime_error("template " + query.name + ": no candidates of " + parameter.name);
      }
    }
  }
}

void Laboratory::InEachDatabase(const std::string& sql) {
  for (const std::string& database : databases_) {
    pqxx::connection connection(cluster_.Connection(database));
    pqxx::nontransaction transaction(connection);
    transaction.exec(sql);
  }
}

void Laboratory::Reset() { InEachDatabase("SELECT query_shaper.reset()"); }

void Laboratory::Learn() {
  InEachDatabase("SELECT query_shaper.flush()");
  InEachDatabase("SELECT query_shaper.train()");
}

}  // namespace query_shaper::bench
