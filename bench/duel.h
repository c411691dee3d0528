// The same statements on a stock server and on ours, in turns, their answers compared.
//
// Both clusters are copies of one data directory: same blocks, same statistics, so that without advice both plan alike.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "driver.h"

namespace query_shaper::bench {

// What a statement, or a script of several, gave back.
struct Answer {
  double wall_ms = 0;
  double cpu_ms = 0;      // the backend's own, without parallel workers
  size_t rows = 0;        // of all statements together
  uint64_t checksum = 0;  // of all rows whatever their order, NULLs told from empty texts
  uint64_t in_order = 0;  // the same with their order
  std::string sqlstate;   // empty: ended well
  std::string message;
  std::string first_row;  // of the last statement, for readers

  bool ended() const { return sqlstate.empty(); }
  bool timed_out() const { return sqlstate == "57014"; }
  bool SameAs(const Answer& other) const {
    return sqlstate == other.sqlstate && rows == other.rows && checksum == other.checksum;
  }
};

// Runs a script's statements one by one in one session until one fails.
Answer RunScript(pqxx::connection* connection, const std::vector<std::string>& script);

// "-- then" alone on a line parts a script's statements.
std::vector<std::string> SplitScript(const std::string& text);

std::string ReadText(const std::string& path);  // throws std::runtime_error

// A data directory with the databases loaded and analysed, to be copied. Made once and kept with --cache DIR, else made
// by each run. A loader gets the environment of psql and the database's name; known without one are gene, stats, tpch
// and those with a schema here.
using Loader = std::string (*)(const Options& options, const std::string& database);  // a shell command
class DataTemplate {
 public:
  DataTemplate(const Options& options, const std::vector<std::string>& databases, Loader loader = nullptr);
  ~DataTemplate();
  DataTemplate(const DataTemplate&) = delete;
  DataTemplate& operator=(const DataTemplate&) = delete;
  const std::string& dir() const { return dir_; }

 private:
  std::string dir_, temporary_;
};

// Settings under which times are compared; --parallel (2) and --setting "a=b;c=d" change them for both servers.
std::vector<std::string> DuelSettings(const Options& options);

class Contender {
 public:
  Contender(const Options& options, const std::string& name, bool shaped, const DataTemplate& data,
            const std::vector<std::string>& databases, double timeout_ms, const std::vector<std::string>& more = {});

  Answer Run(const std::string& database, const std::vector<std::string>& script);
  pqxx::result Ask(const std::string& database, const std::string& sql);  // mode off, no timeout, own session
  void Warm();                                                            // reads every table and index once
  void PrintNewEvents(const std::string& database);                       // those since it was asked last
  void Reconnect();                                                       // new sessions from here on
  Cluster& cluster() { return *cluster_; }
  bool shaped() const { return shaped_; }
  const std::vector<std::string>& databases() const { return databases_; }

 private:
  pqxx::connection* Session(const std::string& database);

  bool shaped_;
  std::vector<std::string> databases_, session_settings_;
  double timeout_ms_;
  std::unique_ptr<Cluster> cluster_;
  std::string events_told_ = "-infinity";
  std::map<std::string, std::unique_ptr<pqxx::connection>> sessions_, asking_;
};

// What a statement may take: so many times stock's time, and so many ms beside it.
struct Bound {
  double factor = 1, slack_ms = 0;
};

struct Contest {  // one statement in one pass
  Answer stock, ours;
  // Stock's runs of the same statement right after one of ours that had taken more than its bound; then their median is
  // what that bound is made of.
  std::vector<Answer> stock_beside;
};

struct Entrant {  // a statement that both run
  std::string name, database;
  std::vector<std::string> script;
  bool stock_timed_out = false;  // then it is not run again there
  std::vector<Contest> passes;
  std::vector<Answer> by_truth;  // runs on plans made of true rows
};

// A third server that has been told the true rows of every set of relations that the planner looks at in a statement,
// with re-planning and the plan guard off: what plans made of them take. Its installation has fault points (--true-rows
// DIR).
class Truth {
 public:
  Truth(const Options& options, const DataTemplate& data, const std::vector<std::string>& databases, double timeout_ms);

  // Counts the sets, each for --count-limit ms at most (what takes longer stays unknown), and runs the statements
  // twice: rows of groups and look-ups are learned from those. With --cache it is done once for the same statements and
  // the same installation: what was learned is kept there.
  void Learn(const std::vector<Entrant>& entrants);
  void Run(Entrant* entrant);
  Contender& server() { return *server_; }
  int counted() const { return counted_; }
  int uncounted() const { return uncounted_; }

 private:
  void LearnOne(pqxx::connection* connection, const std::string& sql);
  void Count(const std::string& database, const std::vector<Entrant>& entrants);
  std::string KeptAs(const std::string& database, const std::vector<Entrant>& entrants) const;  // empty: nowhere

  double count_limit_ms_;
  std::string stage_, cache_;
  std::unique_ptr<Contender> server_;
  int counted_ = 0, uncounted_ = 0;
};

// One pass over all entrants, the two servers in turns; which goes first changes from one to the next. truth: a third
// one that runs right after ours, or null.
void RunPass(const Options& options, int pass, const Bound& bound, Contender* stock, Contender* ours, Truth* truth,
             std::vector<Entrant>* entrants);

// Totals of a pass of ours and of the same run by truth, over the statements that both ended; prints the largest
// differences.
struct TruthFigures {
  double ours_ms = 0, truth_ms = 0;
  double ratio() const { return ours_ms / truth_ms; }
};
TruthFigures JudgeByTruth(const Options& options, const std::vector<Entrant>& entrants, size_t pass, size_t truth_run,
                          double timeout_ms);

// Milliseconds by the clock of --clock: wall (default) or cpu, which is calmer on a busy machine but blind to workers.
double ContestMs(const Options& options, const Answer& answer, double timeout_ms);

struct PassFigures {
  double stock_ms = 0, ours_ms = 0;
  double worst_excess_ms = -1e300;  // largest ours - (factor x stock + slack)
  std::string worst;
  int stock_timeouts = 0, our_timeouts = 0;
  std::vector<std::string> differing, failing, beyond;  // answers that differ, errors, queries above the bound
  std::vector<std::string> excused;  // above the bound by stock's run of the pass, within it by those right after ours
  double ratio() const { return ours_ms / stock_ms; }
};
PassFigures Judge(const Options& options, const std::vector<Entrant>& entrants, size_t pass, double timeout_ms,
                  const Bound& bound);

// One line per query: stock, every pass of ours with its ratio.
void PrintPasses(const Options& options, const std::vector<Entrant>& entrants, double timeout_ms);
Json ToJson(const std::vector<Entrant>& entrants);
Json ToJson(const PassFigures& figures);

// Events by action and verdict since the start, in all databases of ours; empty where the server has none.
std::map<std::string, long> CountEvents(Contender* ours);
void PrintEvents(const std::map<std::string, long>& events);

}  // namespace query_shaper::bench
