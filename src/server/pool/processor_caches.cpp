#include "pg/pg.h"

#include "server/pool/processor_caches.h"

#include <cstdio>
#include <unistd.h>

namespace query_shaper {
namespace {

// sysconf() adds up what sockets have, or says what the machine under a virtual one has; sysfs tells of one processor.
double CacheKb(int level, int name) {
  char path[MAXPGPATH];
  for (int index = 0; index < 8; ++index) {
    int found = 0;
    double kb = 0;
    char unit = 'K';
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", index);
    FILE* file = fopen(path, "re");
    if (file == nullptr) break;
    const bool here = fscanf(file, "%d", &found) == 1 && found == level;
    fclose(file);
    if (!here) continue;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    file = fopen(path, "re");
    if (file == nullptr) break;
    const bool read = fscanf(file, "%lf%c", &kb, &unit) >= 1;
    fclose(file);
    if (read && kb > 0 && level > 1) return unit == 'M' ? kb * 1024 : kb;
  }
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<double>(bytes) / 1024 : 0;
}

}  // namespace

const ProcessorCaches& Caches() {
  static ProcessorCaches caches;
  static bool known = false;
  if (known) return caches;
  known = true;
  const double private_kb = CacheKb(2, _SC_LEVEL2_CACHE_SIZE);
  const double shared_kb = CacheKb(3, _SC_LEVEL3_CACHE_SIZE);
  if (private_kb > 0) caches.private_kb = private_kb;
  caches.shared_kb = Max(shared_kb > 0 ? shared_kb : caches.shared_kb, caches.private_kb);
  return caches;
}

}  // namespace query_shaper
