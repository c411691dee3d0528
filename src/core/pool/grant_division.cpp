#include "core/pool/grant_division.h"

#include <algorithm>
#include <vector>

namespace query_shaper {
namespace {

// What a wish may have beyond its floor, in one process.
double RoomKb(const MemoryWish& wish) {
  double reach = std::min(wish.wanted_kb, wish.most_kb);
  return wish.fixed || !(reach > wish.floor_kb) ? 0 : reach - wish.floor_kb;
}

// Saved when the room is filled.
double GainKb(const MemoryWish& wish) {
  double reach = wish.floor_kb + RoomKb(wish);
  return SpilledKbUnder(wish, wish.floor_kb) - SpilledKbUnder(wish, reach);
}

}  // namespace

double LeastKb(const MemoryWish& wish) { return wish.processes * std::min(wish.wanted_kb, wish.floor_kb); }

double MostKb(const MemoryWish& wish) { return LeastKb(wish) + wish.processes * RoomKb(wish); }

double SpilledKbUnder(const MemoryWish& wish, double limit_kb) {
  if (!(wish.wanted_kb > limit_kb)) return 0;
  if (!wish.gradual) return wish.processes * wish.spill_kb;
  return wish.processes * wish.spill_kb * (1 - std::max(0.0, limit_kb) / wish.wanted_kb);
}

double DivideGrant(const MemoryWish* wishes, int count, double granted_kb, double* limits_kb) {
  double left_kb = granted_kb;
  std::vector<int> order;
  for (int i = 0; i < count; ++i) {
    limits_kb[i] = wishes[i].floor_kb;
    left_kb -= LeastKb(wishes[i]);
    if (RoomKb(wishes[i]) > 0 && GainKb(wishes[i]) > 0) order.push_back(i);
  }
  if (!(left_kb > 0)) return 0;
  auto slope = [&](int i) { return GainKb(wishes[i]) / (wishes[i].processes * RoomKb(wishes[i])); };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return slope(a) > slope(b); });

  const double all_kb = left_kb;
  double saved_kb = 0;
  for (int i : order) {
    const MemoryWish& wish = wishes[i];
    double room_kb = wish.processes * RoomKb(wish);
    double share = std::min(1.0, left_kb / room_kb);
    if (share < 1 && !wish.gradual) continue;
    limits_kb[i] = wish.floor_kb + share * RoomKb(wish);
    left_kb -= share * room_kb;
    saved_kb += share * GainKb(wish);
    if (left_kb <= 0) break;
  }
  for (int i : order) {
    const MemoryWish& wish = wishes[i];
    if (wish.gradual || wish.processes * RoomKb(wish) > all_kb || GainKb(wish) <= saved_kb) continue;
    for (int other : order) limits_kb[other] = wishes[other].floor_kb;
    limits_kb[i] = wish.floor_kb + RoomKb(wish);
    left_kb = all_kb - wish.processes * RoomKb(wish);
    saved_kb = GainKb(wish);
  }
  return all_kb - std::max(0.0, left_kb);
}

}  // namespace query_shaper
