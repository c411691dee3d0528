// A memory control group (v1) for a server, and what the kernel tells of the memory of its processes.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "driver.h"

namespace query_shaper::bench {

// A group of its own below the root; gone with the object, when all processes in it have ended or were moved out.
class MemoryGroup {
 public:
  MemoryGroup(const std::string& name, double limit_mb);
  ~MemoryGroup();
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  void SetLimit(double mb);
  void Take(int pid);
  // The postmaster and all its processes.
  void TakeServer(const Cluster& cluster);
  // Back to the root.
  void LetGo();
  double Kills() const;  // how often the kernel had to kill

 private:
  void Write(const std::string& file, const std::string& text);
  std::filesystem::path path_;
};

// Reads of a server's processes from the disk of its data take no more than so many MB a second (blkio, v1): a volume
// as clouds rent them. What the kernel writes back by itself counts for nobody.
class DiskGroup {
 public:
  DiskGroup(const std::string& name, const Cluster& cluster, double mb_per_second);
  ~DiskGroup();
  DiskGroup(const DiskGroup&) = delete;
  DiskGroup& operator=(const DiskGroup&) = delete;

 private:
  std::filesystem::path path_;
};

int PostmasterOf(const Cluster& cluster);
std::vector<int> ChildrenOf(int parent);

// Anonymous memory of a process in kB: what is private to it, without shared buffers and files.
double PrivateKb(int pid);

// Puts the files of the cluster's data out of the page cache: memory is accounted to the group of whoever reads a page
// first, and what a copy has left there would be free of charge.
void EvictData(const Cluster& cluster);

}  // namespace query_shaper::bench
