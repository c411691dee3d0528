#include "core/pool/memory_limit.h"

#include <algorithm>
#include <cstring>

namespace query_shaper {

namespace {

// v1 says "none" by LONG_MAX rounded down to a page; nobody has a tenth of that.
constexpr int64_t kNoneFromKb = int64_t{1} << 50;

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

std::string_view TakeWord(std::string_view* line, char separator = ' ') {
  const size_t end = line->find(separator);
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(end == std::string_view::npos ? line->size() : end + 1);
  return word;
}

bool Lists(std::string_view list, std::string_view entry) {
  while (!list.empty())
    if (TakeWord(&list, ',') == entry) return true;
  return false;
}

// Number at the start; false when there is none or it passes 64 bits.
bool ParseNumber(std::string_view text, int64_t* number) {
  *number = 0;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, text[digits] - '0', number))
      return false;
  }
  return digits > 0;
}

// Mount points have blanks and the like as three octal digits behind a backslash. False when it does not fit.
bool Append(std::string_view text, bool escaped, MemoryGroup* group, size_t* length) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (*length + 1 >= sizeof group->path) return false;
    char c = text[i];
    if (escaped && c == '\\' && i + 3 < text.size()) {
      c = static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    }
    group->path[(*length)++] = c;
  }
  return true;
}

struct Mount {
  std::string_view root, point;
};

// Of a container the mount shows a part of the hierarchy alone: what the group's name has below its root.
MemoryGroup GroupAt(const Mount& mount, std::string_view name) {
  MemoryGroup group{};
  if (mount.point.empty()) return group;
  std::string_view below = name;
  if (mount.root != "/") {
    const bool inside =
        name.starts_with(mount.root) && (name.size() == mount.root.size() || name[mount.root.size()] == '/');
    below = inside ? name.substr(mount.root.size()) : std::string_view();
  }
  // A group outside of what a namespace shows is named by way of "..".
  if (below == "/" || below.find("/..") != std::string_view::npos) below = {};
  size_t length = 0;
  if (!Append(mount.point, true, &group, &length)) return MemoryGroup{};
  group.mount_length = static_cast<int>(length);
  if (!Append(below, false, &group, &length)) {
    length = static_cast<size_t>(group.mount_length);
  }
  group.path[length] = '\0';
  return group;
}

}  // namespace

MemoryGroups FindMemoryGroups(std::string_view mounts, std::string_view groups) {
  Mount v1, v2;
  while (!mounts.empty()) {
    std::string_view line = TakeLine(&mounts);
    for (int i = 0; i < 3; ++i) TakeWord(&line);
    const std::string_view root = TakeWord(&line), point = TakeWord(&line);
    const size_t behind = line.find("- ");
    if (behind == std::string_view::npos) continue;
    line.remove_prefix(behind + 2);
    const std::string_view type = TakeWord(&line);
    TakeWord(&line);
    if (type == "cgroup" && Lists(line, "memory")) v1 = {root, point};
    if (type == "cgroup2") v2 = {root, point};
  }
  MemoryGroups found{};
  while (!groups.empty()) {
    std::string_view line = TakeLine(&groups);
    const std::string_view number = TakeWord(&line, ':'), controllers = TakeWord(&line, ':');
    if (Lists(controllers, "memory")) found.v1 = GroupAt(v1, line);
    if (number == "0" && controllers.empty()) found.v2 = GroupAt(v2, line);
  }
  return found;
}

bool GoUp(MemoryGroup* group) {
  auto length = static_cast<int>(std::strlen(group->path));
  if (length <= group->mount_length) return false;
  while (length > group->mount_length && group->path[length - 1] != '/') --length;
  if (length > group->mount_length) --length;  // the slash itself
  group->path[length] = '\0';
  return true;
}

int64_t ParseLimitKb(std::string_view text) {
  int64_t bytes = 0;
  if (!ParseNumber(text, &bytes) || bytes / 1024 >= kNoneFromKb) return kNoMemoryLimit;
  return bytes / 1024;
}

int64_t LowerLimit(int64_t a, int64_t b) {
  if (a < 0 || b < 0) return std::max(a, b);
  return std::min(a, b);
}

int64_t NumberAfter(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    std::string_view line = TakeLine(&text);
    if (!line.starts_with(word)) continue;
    line.remove_prefix(word.size());
    while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
    int64_t number = 0;
    if (ParseNumber(line, &number)) return number;
  }
  return -1;
}

int64_t AutomaticCapacityKb(int64_t machine_kb, int64_t limit_kb, int64_t shared_buffers_kb) {
  const int64_t all_kb = LowerLimit(machine_kb, limit_kb);
  return all_kb < 0 ? 0 : std::max<int64_t>(0, all_kb - shared_buffers_kb);
}

int64_t CacheShareKb(int64_t all_kb, int64_t reserved_kb, int64_t shared_buffers_kb, int64_t statements) {
  return std::max(all_kb - reserved_kb, shared_buffers_kb) / std::max<int64_t>(1, statements);
}

}  // namespace query_shaper
