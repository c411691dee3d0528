// Who is next in the line of statements that wait for memory: by priority, with ageing.
//
// A waiter's standing grows by one point of priority per kAgeingS of waiting. All age alike, so the order of two
// waiters never changes: who comes with p points more overtakes those who have waited less than p x kAgeingS longer,
// and nobody else. Nobody starves. What is freed goes to the head alone, however large its want, so that small wants do
// not pass a large one for ever.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr double kAgeingS = 1;

struct Waiter {
  double priority;
  double since_s;
  int64_t want;
  int32_t owner;  // whatever names it to the caller; below 0: an empty place
};
static_assert(std::is_trivially_copyable_v<Waiter>);

bool Before(const Waiter& a, const Waiter& b);

// Index of the first in line, -1 when nobody waits.
int HeadOfLine(const Waiter* waiters, int places);

}  // namespace query_shaper
