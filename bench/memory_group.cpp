#include "memory_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace query_shaper::bench {

namespace fs = std::filesystem;

MemoryGroup::MemoryGroup(const std::string& name, double limit_mb) : path_("/sys/fs/cgroup/memory/" + name) {
  if (!fs::create_directory(path_)) throw std::runtime_error("could not make " + path_.string());
  SetLimit(limit_mb);
}

MemoryGroup::~MemoryGroup() {
  std::error_code ignored;
  for (int i = 0; i < 100 && !fs::remove(path_, ignored); i++) usleep(100000);
}

void MemoryGroup::SetLimit(double mb) {
  Write("memory.limit_in_bytes", std::to_string(static_cast<long long>(mb * 1048576)));
}

void MemoryGroup::Take(int pid) { Write("cgroup.procs", std::to_string(pid)); }

void MemoryGroup::TakeServer(const Cluster& cluster) {
  const int postmaster = PostmasterOf(cluster);
  Take(postmaster);
  for (const int pid : ChildrenOf(postmaster)) Take(pid);
}

void MemoryGroup::LetGo() {
  // What is moved may be forking: until nobody is left.
  for (int tries = 0; tries < 100; tries++) {
    std::ifstream members(path_ / "cgroup.procs");
    bool any = false;
    for (std::string pid; members >> pid; any = true) {
      std::ofstream out("/sys/fs/cgroup/memory/cgroup.procs");
      out << pid << std::flush;
    }
    if (!any) return;
    usleep(20000);
  }
}

double MemoryGroup::Kills() const {
  std::ifstream in(path_ / "memory.oom_control");
  std::string word;
  double value = 0;
  while (in >> word >> value)
    if (word == "oom_kill") return value;
  return 0;
}

void MemoryGroup::Write(const std::string& file, const std::string& text) {
  std::ofstream out(path_ / file);
  out << text << std::flush;
  if (!out) throw std::runtime_error("could not write " + (path_ / file).string());
}

DiskGroup::DiskGroup(const std::string& name, const Cluster& cluster, double mb_per_second)
    : path_("/sys/fs/cgroup/blkio/" + name) {
  struct stat data = {};
  if (stat((cluster.dir() + "/data").c_str(), &data) != 0 || !fs::create_directory(path_))
    throw std::runtime_error("could not make " + path_.string());
  const auto write = [&](const char* file, const std::string& text) {
    std::ofstream out(path_ / file);
    out << text << std::flush;
    if (!out) throw std::runtime_error("could not write " + (path_ / file).string());
  };
  // Of the whole disk: partitions have no limit of their own.
  write("blkio.throttle.read_bps_device",
        std::to_string(major(data.st_dev)) + ":0 " + std::to_string(static_cast<long long>(mb_per_second * 1048576)));
  const int postmaster = PostmasterOf(cluster);
  write("cgroup.procs", std::to_string(postmaster));
  for (const int pid : ChildrenOf(postmaster)) write("cgroup.procs", std::to_string(pid));
}

DiskGroup::~DiskGroup() {
  std::error_code ignored;
  for (int i = 0; i < 100 && !fs::remove(path_, ignored); i++) usleep(100000);
}

int PostmasterOf(const Cluster& cluster) {
  std::ifstream in(cluster.dir() + "/data/postmaster.pid");
  int pid = 0;
  in >> pid;
  return pid;
}

std::vector<int> ChildrenOf(int parent) {
  std::ifstream in("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  std::vector<int> children;
  for (int pid; in >> pid;) children.push_back(pid);
  return children;
}

double PrivateKb(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("RssAnon:", 0) == 0) return std::strtod(line.c_str() + 8, nullptr);
  return 0;
}

void EvictData(const Cluster& cluster) {
  for (const auto& entry : fs::recursive_directory_iterator(cluster.dir() + "/data")) {
    if (!entry.is_regular_file()) continue;
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    // Dirty pages stay.
    fdatasync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

}  // namespace query_shaper::bench
