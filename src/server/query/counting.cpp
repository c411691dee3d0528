#include "pg/pg.h"

#include "server/query/counting.h"

#include <array>
#include <csignal>
#include <utility>

#include "server/query/carry_out.h"

namespace query_shaper {
namespace {

Wrapper wrappers[kWrappers];
bool laid_off[kWrappers];
short free_numbers[kWrappers];
int free_count = -1;  // -1: not initialised
volatile sig_atomic_t changing = 0;

template <int N>
TupleTableSlot* CountRows(PlanState* node) {
  Wrapper& wrapper = wrappers[N];
  TupleTableSlot* slot = wrapper.real(node);
  if (likely(!TupIsNull(slot))) {
    if (unlikely(++wrapper.rows >= wrapper.limit)) CarryOutRowLimit(node, N);
  } else if (wrapper.ends++ == 0) {
    wrapper.first_end_rows = wrapper.rows;
  }
  return slot;
}

// ExecProcNodeFirst, which the wrapper displaces, checks the stack once: so does the wrapper's first call.
template <int N>
TupleTableSlot* FirstCall(PlanState* node) {
  check_stack_depth();
  node->ExecProcNode = CountRows<N>;
  return CountRows<N>(node);
}

template <size_t... N>
constexpr std::array<ExecProcNodeMtd, sizeof...(N)> CountTable(std::index_sequence<N...>) {
  return {CountRows<static_cast<int>(N)>...};
}
template <size_t... N>
constexpr std::array<ExecProcNodeMtd, sizeof...(N)> FirstTable(std::index_sequence<N...>) {
  return {FirstCall<static_cast<int>(N)>...};
}
constexpr auto kCount = CountTable(std::make_index_sequence<kWrappers>());
constexpr auto kFirst = FirstTable(std::make_index_sequence<kWrappers>());

}  // namespace

int WrapNode(PlanState* node, uint64_t limit, bool below_clock) {
  bool timed = node->instrument != nullptr;
  if (changing || node->ExecProcNode == nullptr || node->ExecProcNodeReal == nullptr || (timed && !below_clock))
    return -1;
  changing = 1;
  if (free_count < 0) {
    for (int i = 0; i < kWrappers; ++i) free_numbers[i] = static_cast<short>(kWrappers - 1 - i);
    free_count = kWrappers;
  }
  int number = -1;
  if (free_count > 0) {
    number = free_numbers[--free_count];
    wrappers[number] = Wrapper{node->ExecProcNodeReal, 0, 0, 0, limit};
    laid_off[number] = false;
    if (timed)
      node->ExecProcNodeReal = kCount[static_cast<size_t>(number)];
    else
      node->ExecProcNode = kFirst[static_cast<size_t>(number)];
  }
  changing = 0;
  return number;
}

void ReleaseWrapper(int number) {
  if (number < 0) return;
  changing = 1;
  free_numbers[free_count++] = static_cast<short>(number);
  changing = 0;
}

void SetRowLimit(int number, uint64_t limit) {
  if (number >= 0) wrappers[number].limit = limit;
}

bool LayOffWrapper(PlanState* node, int number) {
  auto at = static_cast<size_t>(number);
  if (node->instrument != nullptr || node->ExecProcNode != kCount[at]) return false;
  laid_off[at] = true;
  node->ExecProcNode = wrappers[at].real;
  return true;
}

bool RecallWrapper(PlanState* node, int number) {
  auto at = static_cast<size_t>(number);
  if (!laid_off[at] || node->ExecProcNode != wrappers[at].real) return false;
  laid_off[at] = false;
  node->ExecProcNode = kCount[at];
  return true;
}

void CreditWrapper(int number, uint64_t rows, uint64_t ends) {
  Wrapper& wrapper = wrappers[number];
  wrapper.rows += rows;
  if (wrapper.ends == 0 && ends > 0) wrapper.first_end_rows = wrapper.rows;
  wrapper.ends += ends;
}

bool StillWrapped(const PlanState* node, int number) {
  ExecProcNodeMtd now = node->instrument != nullptr ? node->ExecProcNodeReal : node->ExecProcNode;
  auto at = static_cast<size_t>(number);
  return now == kCount[at] || now == kFirst[at] || now == ArmedNode || (laid_off[at] && now == wrappers[at].real);
}

const Wrapper& WrapperAt(int number) { return wrappers[number]; }

bool RebaseWrapper(PlanState* node, int number, ExecProcNodeMtd from, ExecProcNodeMtd to) {
  if (wrappers[number].real != from) return false;
  wrappers[number].real = to;
  if (laid_off[static_cast<size_t>(number)] && node->ExecProcNode == from) node->ExecProcNode = to;
  return true;
}

}  // namespace query_shaper
