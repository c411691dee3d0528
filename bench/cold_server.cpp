#include "cold_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <thread>

namespace query_shaper::bench {

namespace fs = std::filesystem;

// A slow file system over a data directory for as long as the object lives.
class SlowMount {
 public:
  SlowMount(const Options& options, const std::string& program, const std::string& data, const std::string& faults)
      : data_(data), behind_(data + ".behind") {
    fs::rename(data_, behind_);
    fs::create_directory(data_);
    const std::string cpus = options.Text("slow-cpus", "");
    const CommandResult mounted = RunCommand(
        (cpus.empty() ? "" : "taskset -c " + ShellQuote(cpus) + " nice -n -10 ") + ShellQuote(program) + " " +
        ShellQuote(behind_) + " " + options.Text("slow", "0") + " " + ShellQuote(data_) + " " + ShellQuote(faults));
    if (mounted.status != 0) throw std::runtime_error("could not mount the slow file system: " + mounted.output);
    // What lies behind is in the page cache, so that a read takes the delay and nothing else, whoever read it before.
    RunCommand("find " + ShellQuote(behind_ + "/base") + " -type f -exec cat {} + >/dev/null");
  }
  ~SlowMount() {
    RunCommand("fusermount3 -u " + ShellQuote(data_) + " || umount -l " + ShellQuote(data_));
    std::error_code ignored;
    fs::remove(data_, ignored);
    fs::rename(behind_, data_, ignored);
  }
  SlowMount(const SlowMount&) = delete;
  SlowMount& operator=(const SlowMount&) = delete;

 private:
  std::string data_, behind_;
};

ColdServer::ColdServer(const Options& options, const DataTemplate& data, const std::string& database)
    : database_(database) {
  setenv("TEMPLATE", data.dir().c_str(), 1);
  cluster_ = std::make_unique<Cluster>(
      options, "prefetch", "",
      std::vector<std::string>{"shared_buffers = '512MB'", "autovacuum = off", "checkpoint_timeout = '1h'"});
  unsetenv("TEMPLATE");
  if (options.Number("slow", 0) == 0) return;
  const std::string program = options.root + "/build/cmake/slow_files";
  if (!fs::exists(program)) throw std::runtime_error("no " + program + ": needs libfuse3-dev and fuse3");
  Control("stop");
  slow_ = std::make_unique<SlowMount>(options, program, cluster_->dir() + "/data", FaultsFile());
  Control("start");
}

ColdServer::~ColdServer() {
  if (slow_ != nullptr) Control("stop");
}

void ColdServer::Restart(bool loaded, bool cold, const std::string& settings) {
  Control("stop");
  const fs::path line = cluster_->dir() + "/data/postgresql.auto.conf";
  std::FILE* file = std::fopen(line.c_str(), "w");
  if (file == nullptr) throw std::runtime_error("could not write " + line.string());
  std::fprintf(file, "shared_preload_libraries = '%s'\n%s\n", loaded ? "query_shaper" : "", settings.c_str());
  std::fclose(file);
  if (cold) Evict();
  Control("start");
  Settle(loaded);
}

// The learners of a started server look at every database and load what was learned: some 60 ms of processor time in
// the first second, on the one core that the scan has here. With nothing loaded it is as long until the first
// statement.
void ColdServer::Settle(bool loaded) {
  const auto started = std::chrono::steady_clock::now();
  if (!loaded) {
    std::this_thread::sleep_until(started + settled_after_);
    return;
  }
  {
    pqxx::connection connection(Connection());
    pqxx::nontransaction session(connection);
    if (ValueOf(&session, "SELECT count(*) FROM pg_extension WHERE extname = 'query_shaper'") == "0") return;
    try {
      session.exec("SELECT query_shaper.flush()");
    } catch (const pqxx::sql_error&) {
      return;  // kept data with the extension of an earlier build, which is made anew
    }
  }
  // From a database without the extension: what is asked there teaches nothing.
  pqxx::connection connection(cluster_->Connection("postgres"));
  pqxx::nontransaction session(connection);
  const std::string learners = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'";
  while (ValueOf(&session, learners) != "0" && std::chrono::steady_clock::now() - started < std::chrono::seconds(10))
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  settled_after_ = std::chrono::steady_clock::now() - started;
}

std::vector<std::string> ColdServer::FilesOf(const std::string& relation) {
  pqxx::connection connection(Connection());
  pqxx::nontransaction session(connection);
  const std::string path = ValueOf(&session, "SELECT pg_relation_filepath('" + relation + "')");
  std::vector<std::string> files;
  const std::string first = cluster_->dir() + "/data/" + path;
  for (int i = 0; fs::exists(i == 0 ? first : first + "." + std::to_string(i)); i++)
    files.push_back(i == 0 ? first : first + "." + std::to_string(i));
  return files;
}

void ColdServer::Evict() {
  for (const auto& entry : fs::recursive_directory_iterator(cluster_->dir() + "/data/base")) {
    if (!entry.is_regular_file()) continue;
    const int file = open(entry.path().c_str(), O_RDONLY);
    if (file < 0) throw std::runtime_error("could not open " + entry.path().string());
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

double ColdServer::DiskRate(const std::string& relation, int depth) {
  std::string files;
  for (const std::string& file : FilesOf(relation)) files += (files.empty() ? "" : ":") + file;
  Evict();
  const CommandResult fio =
      RunCommand("fio --name=reads --filename=" + ShellQuote(files) +
                 " --rw=randread --bs=8k --direct=1 --ioengine=libaio --iodepth=" + std::to_string(depth) +
                 " --runtime=5 --time_based --readonly" + " --randrepeat=0 --output-format=json 2>/dev/null");
  const size_t reads = fio.output.find("\"read\"");
  return fio.status == 0 && reads != std::string::npos ? NumberAfter(fio.output.substr(reads), "iops") : 0;
}

void ColdServer::Control(const std::string& verb) {
  const std::string dir = cluster_->dir();
  const CommandResult done =
      RunCommand("cd / && bindir=$(cat " + ShellQuote(dir + "/bindir") + ") && user=" + "$(stat -c %U " +
                 ShellQuote(dir + "/log") + ") && cmd=\"$bindir/pg_ctl -D " + dir + "/data -l " + dir +
                 "/log -w -t 120 -s -m fast " + verb +
                 "\" && if [ \"$(id -un)\" = \"$user\" ]; then $cmd; else runuser -u \"$user\" -- $cmd; fi" +
                 " </dev/null >" + ShellQuote(dir + "/control.log") + " 2>&1");
  if (done.status != 0) throw std::runtime_error("the server did not " + verb);
}

std::string ValueOf(pqxx::transaction_base* session, const std::string& query) {
  return session->exec1(query)[0].as<std::string>();
}

double QueuedMs(const Options& options, int pid) {
  if (options.Text("clock", "wall") != "adjusted") return 0;
  double running_ns = 0, queued_ns = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> running_ns >> queued_ns;
  return queued_ns / 1e6;
}

double NumberAfter(const std::string& text, const std::string& name) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex("\"" + name + "\" ?: ([0-9.]+)"))) return 0;
  return std::stod(found[1]);
}

}  // namespace query_shaper::bench
