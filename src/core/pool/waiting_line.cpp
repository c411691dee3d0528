#include "core/pool/waiting_line.h"

namespace query_shaper {

bool Before(const Waiter& a, const Waiter& b) {
  // As if each had come earlier by what its priority is worth.
  const double came_a = a.since_s - a.priority * kAgeingS;
  const double came_b = b.since_s - b.priority * kAgeingS;
  return came_a != came_b ? came_a < came_b : a.owner < b.owner;
}

int HeadOfLine(const Waiter* waiters, int places) {
  int head = -1;
  for (int i = 0; i < places; ++i)
    if (waiters[i].owner >= 0 && (head < 0 || Before(waiters[i], waiters[head]))) head = i;
  return head;
}

}  // namespace query_shaper
