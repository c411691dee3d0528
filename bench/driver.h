// What every bench shares: options, throwaway clusters, figures with their spread, JSON.
#pragma once
#include <sched.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace query_shaper::bench {

// Options of the command line: --name value, or --name alone for a switch.
class Options {
 public:
  std::string root;  // checkout the driver belongs to

  void Set(const std::string& name, const std::string& value) { values_[name] = value; }
  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::string Text(const std::string& name, const std::string& fallback) const;
  std::vector<std::string> List(const std::string& name, char separator, const std::string& fallback = "") const;
  double Number(const std::string& name, double fallback) const;  // throws std::runtime_error on anything but a number
  uint64_t seed() const { return static_cast<uint64_t>(Number("seed", 1)); }

  // Folder with load.sh, or empty when there is none: --data, else ../shared/data beside the checkout.
  std::string DataDir() const;

 private:
  std::map<std::string, std::string> values_;
};

// Exit status: 0 measured and within the targets, 1 a target was missed, 2 could not measure.
enum class Verdict { kMet = 0, kMissed = 1, kFailed = 2 };

struct Bench {
  const char* name;
  const char* summary;
  Verdict (*run)(const Options& options);
};

Verdict RunOverhead(const Options& options);
Verdict RunEta(const Options& options);
Verdict RunPredict(const Options& options);
Verdict RunPredictedMemory(const Options& options);
Verdict RunShadow(const Options& options);
Verdict RunStall(const Options& options);
Verdict RunStress(const Options& options);
Verdict RunRecord(const Options& options);
Verdict RunErrorprone(const Options& options);
Verdict RunChaos(const Options& options);
Verdict RunWorkloads(const Options& options);
Verdict RunKept(const Options& options);
Verdict RunRunaway(const Options& options);
Verdict RunPlanning(const Options& options);
Verdict RunSubplans(const Options& options);
Verdict RunPrefetch(const Options& options);
Verdict RunMemoryQuery(const Options& options);
Verdict RunMemoryMixed(const Options& options);

// Order statistics of a sample; quantiles interpolate linearly. An empty sample gives NaN.
double Quantile(std::vector<double> sample, double share);

struct Spread {
  size_t count = 0;
  double q1 = 0, median = 0, q3 = 0;
  double low = 0, high = 0;  // 95 % confidence interval of the median by order statistics (binomial)
};
Spread SpreadOf(const std::vector<double>& sample);

// A JSON value; objects keep the order in which members were set.
class Json {
 public:
  Json() = default;
  Json(double number);
  Json(int number) : Json(static_cast<double>(number)) {}
  Json(size_t number) : Json(static_cast<double>(number)) {}
  Json(bool truth) : kind_(Kind::kScalar), text_(truth ? "true" : "false") {}
  Json(const char* text) : Json(std::string(text)) {}
  Json(const std::string& text);
  static Json Array();
  static Json Array(const std::vector<double>& numbers);
  Json& Set(const std::string& name, Json value);
  Json& Push(Json value);
  std::string Dump(int indent = 0) const;

 private:
  enum class Kind { kScalar, kObject, kArray } kind_ = Kind::kObject;
  std::string text_;
  std::vector<std::pair<std::string, Json>> members_;
};
Json ToJson(const Spread& spread);

// Adds when, where and on which server it was measured, writes bench/results/NAME-TIME.json and says so.
void WriteResult(const Options& options, const std::string& name, Json result);

// Prints "target: text ... met|missed" and returns met.
bool Check(const std::string& text, double figure, double low, double high);

struct CommandResult {
  int status = -1;
  std::string output;
};
CommandResult RunCommand(const std::string& command);  // through the shell, standard output captured
std::string ShellQuote(const std::string& text);

// A cluster of scripts/cluster.sh. Without --keep it vanishes with the object; with it, a running one is taken over.
class Cluster {
 public:
  Cluster(const Options& options, const std::string& name, const std::string& preload,
          const std::vector<std::string>& settings);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string Connection(const std::string& database) const;  // libpq connection string
  std::string ClientEnvironment() const;                      // PGHOST=... PGPORT=... for a shell command
  bool HasDatabase(const std::string& database) const;
  const std::string& dir() const { return dir_; }
  void Restart();
  void SaveData(const std::string& target);  // stops it for good and moves its data directory there
  bool CleanLog() const;                     // no crash in the server's log; prints the lines otherwise

 private:
  std::string script_, dir_, host_, port_;
  bool kept_ = false;
};

// On SIGINT and SIGTERM stops the clusters that are not kept, then ends the process.
void StopClustersOnInterrupt();

// Ties a process to the last core. Without the right to do so figures are noisier, nothing else.
void PinToOneCore(int pid);

// Ties this process, and what it starts, to the last core while it lives: a wake-up across cores costs as much as a
// point query.
class OneCore {
 public:
  OneCore();
  ~OneCore();
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_;
};

// CPU time in ms that a process has used, user and system.
double ProcessCpuMs(int pid);
double NowMs();  // monotonic

}  // namespace query_shaper::bench
