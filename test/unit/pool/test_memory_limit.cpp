#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "core/pool/memory_limit.h"

using namespace query_shaper;

namespace {

std::vector<std::string> Upwards(MemoryGroup group) {
  std::vector<std::string> paths;
  if (group.path[0] == '\0') return paths;
  do paths.emplace_back(group.path);
  while (GoUp(&group));
  return paths;
}

const char* const kHostMounts =
    "25 31 0:23 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"
    "26 25 0:24 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"
    "30 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:14 - cgroup cgroup rw,cpu,cpuacct\n"
    "31 25 0:29 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_limit)

BOOST_AUTO_TEST_CASE(limits_of_both_versions) {
  BOOST_TEST(ParseLimitKb("max\n") == kNoMemoryLimit);
  BOOST_TEST(ParseLimitKb("9223372036854771712\n") == kNoMemoryLimit);
  BOOST_TEST(ParseLimitKb("2147483648\n") == 2097152);
  BOOST_TEST(ParseLimitKb("0\n") == 0);
  BOOST_TEST(ParseLimitKb("") == kNoMemoryLimit);
  BOOST_TEST(ParseLimitKb("-1\n") == kNoMemoryLimit);
  BOOST_TEST(ParseLimitKb("99999999999999999999999\n") == kNoMemoryLimit);
  BOOST_TEST(LowerLimit(kNoMemoryLimit, 7) == 7);
  BOOST_TEST(LowerLimit(8, kNoMemoryLimit) == 8);
  BOOST_TEST(LowerLimit(8, 7) == 7);
  BOOST_TEST(LowerLimit(kNoMemoryLimit, kNoMemoryLimit) == kNoMemoryLimit);
}

BOOST_AUTO_TEST_CASE(numbers_behind_words) {
  const char* const meminfo = "MemTotal:       24684092 kB\nMemFree:        23502920 kB\nMemAvailable:   24157116 kB\n";
  BOOST_TEST(NumberAfter(meminfo, "MemTotal:") == 24684092);
  BOOST_TEST(NumberAfter(meminfo, "MemAvailable:") == 24157116);
  BOOST_TEST(NumberAfter(meminfo, "SwapTotal:") == -1);
  const char* const stat = "inactive_file 1\ntotal_inactive_file 4096\ntotal_active_file 8";
  BOOST_TEST(NumberAfter(stat, "inactive_file") == 1);
  BOOST_TEST(NumberAfter(stat, "total_inactive_file") == 4096);
  BOOST_TEST(NumberAfter(stat, "total_active_file") == 8);
  BOOST_TEST(NumberAfter("", "x") == -1);
}

BOOST_AUTO_TEST_CASE(groups_on_a_host) {
  const MemoryGroups found =
      FindMemoryGroups(kHostMounts, "12:cpu,cpuacct:/a\n9:memory:/system.slice/postgresql.service\n0::/init.scope\n");
  BOOST_TEST(
      Upwards(found.v1) == (std::vector<std::string>{"/sys/fs/cgroup/memory/system.slice/postgresql.service",
                                                     "/sys/fs/cgroup/memory/system.slice", "/sys/fs/cgroup/memory"}),
      boost::test_tools::per_element());
  BOOST_TEST(
      Upwards(found.v2) == (std::vector<std::string>{"/sys/fs/cgroup/unified/init.scope", "/sys/fs/cgroup/unified"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(groups_of_the_mount_root) {
  const MemoryGroups found = FindMemoryGroups(kHostMounts, "9:memory:/\n0::/\n");
  BOOST_TEST(Upwards(found.v1) == std::vector<std::string>{"/sys/fs/cgroup/memory"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(groups_in_a_container_without_a_namespace) {
  const char* const mounts =
      "31 25 0:29 /docker/4fe2 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "32 25 0:30 /pod /my\\040dir rw - cgroup2 cgroup rw\n";
  MemoryGroups found = FindMemoryGroups(mounts, "9:memory:/docker/4fe2/inner\n0::/pod/x\n");
  BOOST_TEST(found.v1.path == "/sys/fs/cgroup/memory/inner");
  BOOST_TEST(found.v2.path == "/my dir/x");
  // Elsewhere in the hierarchy than what is mounted, also by a name that only begins alike.
  found = FindMemoryGroups(mounts, "9:memory:/docker/4fe25\n0::/../other\n");
  BOOST_TEST(found.v1.path == "/sys/fs/cgroup/memory");
  BOOST_TEST(found.v2.path == "/my dir");
}

BOOST_AUTO_TEST_CASE(nothing_to_find) {
  const MemoryGroups found = FindMemoryGroups("garbage\n1 2 3\n", "nonsense\n:::\n");
  BOOST_TEST(Upwards(found.v1).empty());
  BOOST_TEST(Upwards(found.v2).empty());
  BOOST_TEST(Upwards(FindMemoryGroups("", "9:memory:/a\n").v1).empty());
}

BOOST_AUTO_TEST_CASE(names_too_long_are_cut_at_the_mount_point) {
  const std::string name = "/" + std::string(2000, 'x');
  const MemoryGroups found = FindMemoryGroups(kHostMounts, "9:memory:" + name + "\n");
  BOOST_TEST(found.v1.path == "/sys/fs/cgroup/memory");
}

BOOST_AUTO_TEST_CASE(capacity_is_the_lower_less_shared_buffers) {
  BOOST_TEST(AutomaticCapacityKb(1000, kNoMemoryLimit, 100) == 900);
  BOOST_TEST(AutomaticCapacityKb(1000, 500, 100) == 400);
  BOOST_TEST(AutomaticCapacityKb(1000, 5000, 100) == 900);
  BOOST_TEST(AutomaticCapacityKb(1000, 50, 100) == 0);
  BOOST_TEST(AutomaticCapacityKb(-1, kNoMemoryLimit, 100) == 0);
}

BOOST_AUTO_TEST_CASE(caches_are_what_is_not_reserved_shared_by_all) {
  BOOST_TEST(CacheShareKb(1000, 0, 100, 0) == 1000);
  BOOST_TEST(CacheShareKb(1000, 0, 100, 1) == 1000);
  BOOST_TEST(CacheShareKb(1000, 400, 100, 3) == 200);
  BOOST_TEST(CacheShareKb(1000, 950, 100, 1) == 100);
  BOOST_TEST(CacheShareKb(1000, 5000, 100, 4) == 25);
}

BOOST_AUTO_TEST_SUITE_END()
