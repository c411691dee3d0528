// A file system that hands everything through to a directory and answers each read late:
//   slow_files DIRECTORY DELAY_US MOUNT [FAULTS]
// Reads wait side by side, as in a disk's queue: as many at once as there are threads.
//
// FAULTS is a file that is read again at every read of the file system: "N EXTRA_US" says that one page of 4 kB in N is
// bad; the first read that begins at it takes EXTRA_US longer and fails with EIO, later ones succeed. The kernel reads
// ahead (also when asked to) before it reads because it must: so it is the former that fail. Without the file all is
// well.
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>
#include <unordered_set>

namespace {

constexpr int kAtOnce = 128;

constexpr off_t kPage = 4096;

std::string source, faults;
long delay_us;
std::mutex failed_lock;
std::unordered_set<uint64_t> failed_once;

std::string Real(const char* path) { return source + path; }
int Done(int status) { return status < 0 ? -errno : 0; }
int FileOf(const fuse_file_info* info) { return static_cast<int>(info->fh); }

// What is made belongs to whom the caller is, not to this process.
int GiveToCaller(const std::string& path) {
  const fuse_context* caller = fuse_get_context();
  return Done(lchown(path.c_str(), caller->uid, caller->gid));
}

void* Init(fuse_conn_info* connection, fuse_config* config) {
  connection->max_background = kAtOnce;
  connection->congestion_threshold = kAtOnce;
  config->kernel_cache = 1;  // files change through this mount alone
  config->attr_timeout = config->entry_timeout = 60;
  return nullptr;
}
int GetAttributes(const char* path, struct stat* out, fuse_file_info*) { return Done(lstat(Real(path).c_str(), out)); }
int ReadDirectory(const char* path, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  DIR* directory = opendir(Real(path).c_str());
  if (directory == nullptr) return -errno;
  while (const dirent* entry = readdir(directory))
    if (fill(out, entry->d_name, nullptr, 0, static_cast<fuse_fill_dir_flags>(0)) != 0) break;
  closedir(directory);
  return 0;
}
int Open(const char* path, fuse_file_info* info) {
  const int file = open(Real(path).c_str(), info->flags & ~O_DIRECT);
  if (file < 0) return -errno;
  info->fh = static_cast<uint64_t>(file);
  return 0;
}
int Create(const char* path, mode_t mode, fuse_file_info* info) {
  const int file = open(Real(path).c_str(), info->flags | O_CREAT, mode);
  if (file < 0) return -errno;
  info->fh = static_cast<uint64_t>(file);
  return GiveToCaller(Real(path));
}

void Wait(long us) {
  const timespec late = {us / 1000000, us % 1000000 * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &late, nullptr);
}

uint64_t NameOf(const char* path, off_t page) {
  uint64_t name = std::hash<std::string>()(path) + static_cast<uint64_t>(page);
  name *= 0x9E3779B97F4A7C15;
  return name ^ name >> 29;
}

bool Fails(const char* path, size_t bytes, off_t offset) {
  std::FILE* file = faults.empty() ? nullptr : std::fopen(faults.c_str(), "r");
  if (file == nullptr) return false;
  unsigned long one_in = 0;
  long extra_us = 0;
  const bool said = std::fscanf(file, "%lu %ld", &one_in, &extra_us) == 2 && one_in > 0;
  std::fclose(file);
  if (!said || NameOf(path, offset / kPage) % one_in != 0) return false;
  {
    const std::lock_guard<std::mutex> hold(failed_lock);
    if (failed_once.count(NameOf(path, offset / kPage)) != 0) return false;
    for (off_t at = offset; at < offset + static_cast<off_t>(bytes); at += kPage)
      failed_once.insert(NameOf(path, at / kPage));
  }
  Wait(extra_us);
  return true;
}

int Read(const char* path, char* out, size_t bytes, off_t offset, fuse_file_info* info) {
  Wait(delay_us);
  if (Fails(path, bytes, offset)) return -EIO;
  const ssize_t got = pread(FileOf(info), out, bytes, offset);
  return got < 0 ? -errno : static_cast<int>(got);
}
int Write(const char*, const char* in, size_t bytes, off_t offset, fuse_file_info* info) {
  const ssize_t put = pwrite(FileOf(info), in, bytes, offset);
  return put < 0 ? -errno : static_cast<int>(put);
}
int Release(const char*, fuse_file_info* info) { return Done(close(FileOf(info))); }
int Sync(const char*, int, fuse_file_info*) { return 0; }
int Truncate(const char* path, off_t size, fuse_file_info* info) {
  return Done(info != nullptr ? ftruncate(FileOf(info), size) : truncate(Real(path).c_str(), size));
}
int Remove(const char* path) { return Done(unlink(Real(path).c_str())); }
int RemoveDirectory(const char* path) { return Done(rmdir(Real(path).c_str())); }
int MakeDirectory(const char* path, mode_t mode) {
  if (mkdir(Real(path).c_str(), mode) < 0) return -errno;
  return GiveToCaller(Real(path));
}
int Rename(const char* from, const char* to, unsigned int flags) {
  return flags != 0 ? -EINVAL : Done(rename(Real(from).c_str(), Real(to).c_str()));
}
int ReadLink(const char* path, char* out, size_t bytes) {
  const ssize_t got = readlink(Real(path).c_str(), out, bytes - 1);
  if (got < 0) return -errno;
  out[got] = '\0';
  return 0;
}
int ChangeMode(const char* path, mode_t mode, fuse_file_info*) { return Done(chmod(Real(path).c_str(), mode)); }
int ChangeOwner(const char* path, uid_t user, gid_t group, fuse_file_info*) {
  return Done(lchown(Real(path).c_str(), user, group));
}
int SetTimes(const char* path, const timespec times[2], fuse_file_info*) {
  return Done(utimensat(AT_FDCWD, Real(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}
int Statistics(const char* path, struct statvfs* out) { return Done(statvfs(Real(path).c_str(), out)); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s DIRECTORY DELAY_US MOUNT [FAULTS]\n", argv[0]);
    return 2;
  }
  source = argv[1];
  delay_us = std::atol(argv[2]);
  if (argc > 4) faults = argv[4];
  fuse_operations operations = {};
  operations.init = Init;
  operations.getattr = GetAttributes;
  operations.readdir = ReadDirectory;
  operations.open = Open;
  operations.create = Create;
  operations.read = Read;
  operations.write = Write;
  operations.release = Release;
  operations.fsync = Sync;
  operations.truncate = Truncate;
  operations.unlink = Remove;
  operations.rmdir = RemoveDirectory;
  operations.mkdir = MakeDirectory;
  operations.rename = Rename;
  operations.readlink = ReadLink;
  operations.chmod = ChangeMode;
  operations.chown = ChangeOwner;
  operations.utimens = SetTimes;
  operations.statfs = Statistics;
  const std::string threads = "max_threads=" + std::to_string(kAtOnce);
  const char* const arguments[] = {argv[0], argv[3], "-o", "allow_other,default_permissions", "-o", threads.c_str()};
  return fuse_main(6, const_cast<char**>(arguments), &operations, nullptr);
}
