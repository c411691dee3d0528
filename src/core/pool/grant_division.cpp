#include "core/pool/grant_division.h"

#include <algorithm>
#include <vector>

namespace query_shaper {
namespace {

// The limit that is of use to it: of a sort that may not have all, what it merges with, or nothing.
double ReachKb(const MemoryWish& wish) {
  if (wish.gradual || wish.wanted_kb - wish.margin_kb <= wish.most_kb) return std::min(wish.wanted_kb, wish.most_kb);
  return wish.merge_kb <= wish.most_kb ? wish.merge_kb : 0;
}

// What a wish may have beyond a limit, in one process.
double RoomKb(const MemoryWish& wish, double limit_kb) {
  double reach = ReachKb(wish);
  return wish.fixed || !(reach > limit_kb) ? 0 : reach - limit_kb;
}

// Saved when the room is filled.
double GainKb(const MemoryWish& wish, double limit_kb) {
  double reach = limit_kb + RoomKb(wish, limit_kb);
  return SpilledKbUnder(wish, limit_kb) - SpilledKbUnder(wish, reach);
}

double Beyond(const MemoryWish& wish, double limit_kb) { return wish.processes * RoomKb(wish, limit_kb); }

// Without regard to margins. Returns what is left.
double DividePieces(const std::vector<MemoryWish>& wishes, double left_kb, double* limits_kb) {
  const int count = static_cast<int>(wishes.size());
  auto at = [](int i) { return static_cast<size_t>(i); };
  for (int i = 0; i < count; ++i) {
    const MemoryWish& wish = wishes[at(i)];
    double merge_kb = std::min(wish.merge_kb, ReachKb(wish));
    double room_kb = wish.processes * (merge_kb - wish.floor_kb);
    if (wish.gradual || wish.fixed || !(wish.spill_kb > 0) || !(room_kb > 0) || room_kb > left_kb) continue;
    limits_kb[i] = merge_kb;
    left_kb -= room_kb;
  }
  const std::vector<double> from_kb(limits_kb, limits_kb + count);
  std::vector<int> order;
  for (int i = 0; i < count; ++i)
    if (RoomKb(wishes[at(i)], limits_kb[i]) > 0 && GainKb(wishes[at(i)], limits_kb[i]) > 0) order.push_back(i);
  auto slope = [&](int i) { return GainKb(wishes[at(i)], from_kb[at(i)]) / Beyond(wishes[at(i)], from_kb[at(i)]); };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return slope(a) > slope(b); });

  const double divided_kb = left_kb;
  double saved_kb = 0;
  for (int i : order) {
    const MemoryWish& wish = wishes[at(i)];
    double room_kb = Beyond(wish, from_kb[at(i)]);
    double share = std::min(1.0, left_kb / room_kb);
    if (share < 1 && !wish.gradual) continue;
    limits_kb[i] = from_kb[at(i)] + share * RoomKb(wish, from_kb[at(i)]);
    left_kb -= share * room_kb;
    saved_kb += share * GainKb(wish, from_kb[at(i)]);
    if (left_kb <= 0) break;
  }
  for (int i : order) {
    const MemoryWish& wish = wishes[at(i)];
    double room_kb = Beyond(wish, from_kb[at(i)]), gain_kb = GainKb(wish, from_kb[at(i)]);
    if (wish.gradual || room_kb > divided_kb || gain_kb <= saved_kb) continue;
    for (int other : order) limits_kb[other] = from_kb[at(other)];
    limits_kb[i] = from_kb[at(i)] + RoomKb(wish, from_kb[at(i)]);
    left_kb = divided_kb - room_kb;
    saved_kb = gain_kb;
  }
  return left_kb;
}

}  // namespace

double LeastKb(const MemoryWish& wish) { return wish.processes * std::min(wish.wanted_kb, wish.floor_kb); }

double MostKb(const MemoryWish& wish) { return LeastKb(wish) + Beyond(wish, wish.floor_kb); }

double SpilledKbUnder(const MemoryWish& wish, double limit_kb) {
  if (!(wish.wanted_kb > limit_kb)) return 0;
  if (!wish.gradual) return wish.processes * wish.spill_kb * (limit_kb < wish.merge_kb ? 2 : 1);
  return wish.processes * wish.spill_kb * (1 - std::max(0.0, limit_kb) / wish.wanted_kb);
}

double DivideGrant(const MemoryWish* wishes, int count, double granted_kb, double* limits_kb) {
  double left_kb = granted_kb;
  std::vector<MemoryWish> bare(wishes, wishes + count);
  for (int i = 0; i < count; ++i) {
    limits_kb[i] = wishes[i].floor_kb;
    left_kb -= LeastKb(wishes[i]);
    bare[static_cast<size_t>(i)].wanted_kb -= wishes[i].margin_kb;
  }
  if (!(left_kb > 0)) return 0;
  const double all_kb = left_kb;
  left_kb = DividePieces(bare, left_kb, limits_kb);

  // Those alone that have all the rest.
  auto margin_kb = [&](int i) {
    return limits_kb[i] >= ReachKb(bare[static_cast<size_t>(i)]) ? Beyond(wishes[i], limits_kb[i]) : 0;
  };
  double margins_kb = 0;
  for (int i = 0; i < count; ++i) margins_kb += margin_kb(i);
  if (!(margins_kb > 0) || !(left_kb > 0)) return all_kb - std::max(0.0, left_kb);
  const double share = std::min(1.0, left_kb / margins_kb);
  for (int i = 0; i < count; ++i)
    if (margin_kb(i) > 0) limits_kb[i] += share * RoomKb(wishes[i], limits_kb[i]);
  return all_kb - std::max(0.0, left_kb - share * margins_kb);
}

}  // namespace query_shaper
