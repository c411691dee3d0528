// Options, commands, throwaway clusters and what the kernel says about a process.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <pqxx/pqxx>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "driver.h"

namespace query_shaper::bench {

namespace fs = std::filesystem;

std::string Options::Text(const std::string& name, const std::string& fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second;
}

std::vector<std::string> Options::List(const std::string& name, char separator, const std::string& fallback) const {
  std::vector<std::string> parts;
  std::istringstream in(Text(name, fallback));
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

double Options::Number(const std::string& name, double fallback) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fallback;
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(found->second, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != found->second.size()) throw std::runtime_error("--" + name + " needs a number");
  return number;
}

std::string Options::DataDir() const {
  if (Has("data")) {
    const fs::path dir = fs::absolute(Text("data", ""));
    if (!fs::exists(dir / "load.sh")) throw std::runtime_error("no load.sh in " + dir.string());
    return dir.string();
  }
  const fs::path beside = fs::path(root) / "../shared/data";
  return fs::exists(beside / "load.sh") ? fs::canonical(beside).string() : "";
}

CommandResult RunCommand(const std::string& command) {
  CommandResult result;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("could not start: " + command);
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) result.output.append(buffer, got);
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string ShellQuote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

namespace {

std::mutex live_mutex;
std::set<std::pair<std::string, std::string>> live;  // script and directory of the clusters that vanish with us
int interrupt_pipe[2];

void StopCluster(const std::string& script, const std::string& dir) {
  RunCommand(ShellQuote(script) + " stop " + ShellQuote(dir));
  std::error_code ignored;
  fs::remove(fs::path(dir).parent_path(), ignored);
}

}  // namespace

void StopClustersOnInterrupt() {
  if (pipe2(interrupt_pipe, O_CLOEXEC) != 0) throw std::runtime_error("could not make a pipe");
  // Handlers end with exec, so children keep their own ways with these signals.
  struct sigaction action = {};
  action.sa_handler = [](int) {
    const ssize_t written = write(interrupt_pipe[1], "", 1);
    static_cast<void>(written);
  };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::thread([] {
    char byte;
    while (read(interrupt_pipe[0], &byte, 1) != 1) continue;
    const std::lock_guard<std::mutex> guard(live_mutex);
    for (const auto& [script, dir] : live) StopCluster(script, dir);
    _exit(130);
  }).detach();
}

Cluster::Cluster(const Options& options, const std::string& name, const std::string& preload,
                 const std::vector<std::string>& settings)
    : script_(options.root + "/scripts/cluster.sh") {
  const std::string keep = options.Text("keep", "");
  kept_ = !keep.empty();
  if (kept_) {
    dir_ = fs::absolute(keep).string() + "/" + name;
    // Socket file: .s.PGSQL.PORT
    if (fs::exists(dir_ + "/data/postmaster.pid")) {
      for (const auto& entry : fs::directory_iterator(dir_)) {
        const std::string file = entry.path().filename();
        if (file.rfind(".s.PGSQL.", 0) == 0 && entry.path().extension() != ".lock") port_ = file.substr(9);
      }
    }
    if (!port_.empty()) {
      host_ = dir_;
      std::printf("taking over the cluster in %s\n", dir_.c_str());
      return;
    }
    fs::create_directories(fs::path(dir_).parent_path());
  } else {
    std::string pattern = fs::temp_directory_path().string() + "/qs-bench.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("could not make a temporary directory");
    fs::permissions(pattern, fs::perms(0755));
    dir_ = pattern + "/" + name;
  }
  if (!kept_) {
    const std::lock_guard<std::mutex> guard(live_mutex);
    live.emplace(script_, dir_);
  }
  std::string command = "PRELOAD=" + ShellQuote(preload) + " " + ShellQuote(script_) + " start " + ShellQuote(dir_);
  for (const std::string& line : settings) command += " " + ShellQuote(line);
  const CommandResult started = RunCommand(command);
  if (started.status != 0) throw std::runtime_error("the cluster " + name + " did not start");
  const auto value = [&](const std::string& key) {
    const size_t start = started.output.find(key + "='") + key.size() + 2;
    return started.output.substr(start, started.output.find('\'', start) - start);
  };
  host_ = value("PGHOST");
  port_ = value("PGPORT");
}

Cluster::~Cluster() {
  if (kept_) return;
  const std::lock_guard<std::mutex> guard(live_mutex);
  live.erase({script_, dir_});
  StopCluster(script_, dir_);
}

std::string Cluster::Connection(const std::string& database) const {
  return "host=" + host_ + " port=" + port_ + " user=postgres dbname=" + database + " application_name=bench";
}

std::string Cluster::ClientEnvironment() const {
  return "PGHOST=" + ShellQuote(host_) + " PGPORT=" + port_ + " PGUSER=postgres";
}

bool Cluster::HasDatabase(const std::string& database) const {
  pqxx::connection connection(Connection("postgres"));
  pqxx::nontransaction transaction(connection);
  return !transaction.exec("SELECT 1 FROM pg_database WHERE datname = " + transaction.quote(database)).empty();
}

void Cluster::Restart() {
  const CommandResult restarted = RunCommand(ShellQuote(script_) + " restart " + ShellQuote(dir_) + " 2>&1");
  if (restarted.status != 0) throw std::runtime_error("could not restart " + dir_ + ": " + restarted.output);
}

void Cluster::SaveData(const std::string& target) {
  const std::string command = ShellQuote(script_) + " save " + ShellQuote(dir_) + " " + ShellQuote(target) + " 2>&1";
  const CommandResult saved = RunCommand(command);
  if (saved.status != 0) throw std::runtime_error("could not keep the data in " + target + ": " + saved.output);
  const std::lock_guard<std::mutex> guard(live_mutex);
  live.erase({script_, dir_});
  std::error_code ignored;
  fs::remove(fs::path(dir_).parent_path(), ignored);
  kept_ = true;
}

bool Cluster::CleanLog() const { return RunCommand(ShellQuote(script_) + " check " + ShellQuote(dir_)).status == 0; }

void PinToOneCore(int pid) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cores);
  if (sched_setaffinity(pid, sizeof cores, &cores) != 0) std::printf("process %d could not be tied to one core\n", pid);
}

OneCore::OneCore() {
  sched_getaffinity(0, sizeof before_, &before_);
  PinToOneCore(0);
}

OneCore::~OneCore() { sched_setaffinity(0, sizeof before_, &before_); }

double ProcessCpuMs(int pid) {
  const std::string dir = "/proc/" + std::to_string(pid);
  std::ifstream schedstat(dir + "/schedstat");
  double run_ns = 0;
  if (schedstat >> run_ns && run_ns > 0) return run_ns / 1e6;
  // Kernels without scheduler statistics: clock ticks, fields 14 and 15 of stat, after the name in parentheses.
  std::ifstream stat(dir + "/stat");
  std::string line;
  if (!std::getline(stat, line)) throw std::runtime_error("no process " + std::to_string(pid));
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  double user = 0, system = 0;
  for (int i = 3; i < 14; i++) fields >> skipped;
  fields >> user >> system;
  return (user + system) * 1000.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double NowMs() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace query_shaper::bench
