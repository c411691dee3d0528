#include "pg/pg.h"

#include "server/query/counting.h"

#include <array>
#include <csignal>
#include <utility>

#include "server/query/pause.h"

namespace query_shaper {
namespace {

Wrapper wrappers[kWrappers];
short free_numbers[kWrappers];
int free_count = -1;  // -1: not initialised
volatile sig_atomic_t changing = 0;

template <int N>
TupleTableSlot* CountRows(PlanState* node) {
  Wrapper& wrapper = wrappers[N];
  TupleTableSlot* slot = wrapper.real(node);
  if (likely(!TupIsNull(slot)))
    ++wrapper.rows;
  else
    ++wrapper.ends;
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

int WrapNode(PlanState* node) {
  if (changing || node->ExecProcNode == nullptr || node->ExecProcNodeReal == nullptr || node->instrument != nullptr)
    return -1;
  changing = 1;
  if (free_count < 0) {
    for (int i = 0; i < kWrappers; ++i) free_numbers[i] = static_cast<short>(kWrappers - 1 - i);
    free_count = kWrappers;
  }
  int number = -1;
  if (free_count > 0) {
    number = free_numbers[--free_count];
    wrappers[number] = Wrapper{node->ExecProcNodeReal, 0, 0};
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

bool StillWrapped(const PlanState* node, int number) {
  ExecProcNodeMtd now = node->ExecProcNode;
  return now == kCount[static_cast<size_t>(number)] || now == kFirst[static_cast<size_t>(number)] || now == PausedNode;
}

const Wrapper& WrapperAt(int number) { return wrappers[number]; }

TupleTableSlot* PausedNode(PlanState* node) {
  HoldHere();
  return node->ExecProcNode(node);
}

}  // namespace query_shaper
