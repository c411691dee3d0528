// One cluster whose files can be put out of the page cache, restarted with or without the extension, on the disk as it
// is or behind a file system that answers late (--slow).
#pragma once
#include <chrono>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "duel.h"

namespace query_shaper::bench {

class SlowMount;

class ColdServer {
 public:
  // A copy of the data, which has the database `database`.
  ColdServer(const Options& options, const DataTemplate& data, const std::string& database);
  ~ColdServer();
  ColdServer(const ColdServer&) = delete;
  ColdServer& operator=(const ColdServer&) = delete;

  // cold: its files are evicted from the page cache. settings: further lines of configuration. Returns when the
  // extension has nothing left to do.
  void Restart(bool loaded, bool cold, const std::string& settings = "");
  // Random reads of 8 kB of the relation's files a second, as fio has it; 0: it could not be measured.
  double DiskRate(const std::string& relation, int depth);
  // What slow_files takes its faults from.
  std::string FaultsFile() const { return cluster_->dir() + "/faults"; }
  std::string Connection() const { return cluster_->Connection(database_); }

 private:
  std::vector<std::string> FilesOf(const std::string& relation);
  void Evict();
  void Control(const std::string& verb);
  void Settle(bool loaded);

  std::string database_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<SlowMount> slow_;
  std::chrono::steady_clock::duration settled_after_{};
};

std::string ValueOf(pqxx::transaction_base* session, const std::string& query);

// That a process was ready to run and waited for a core, with --clock adjusted; else 0.
double QueuedMs(const Options& options, int pid);

// The first number that JSON text gives under that name; 0: none.
double NumberAfter(const std::string& text, const std::string& name);

}  // namespace query_shaper::bench
