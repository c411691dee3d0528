// Plays made traces of block accesses through room `prefetch` without a server: what the model would have asked for,
// and what that was worth.
//
//   access_replay [DISTANCE]
//
// coverage: share of the accesses whose block had been asked for before; precision: share of the requests that were
// used; after 200: requests after the first 200 accesses; lead: accesses between request and use; ns: per access.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "../../test/unit/prefetch/access_traces.h"

namespace query_shaper {
namespace {

constexpr int kAccesses = 20000;

void Show(const Trace& trace, int distance) {
  const auto model = NewModel();
  const auto from = std::chrono::steady_clock::now();
  const Worth worth = PlayEpisodes(trace, model.get(), 0, trace.episodes.size(), distance);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - from;
  std::printf("%-44s %8lld %9.3f %9.3f %8.3f %7.1f %10lld  %-10s %6u %5.0f\n", trace.name.c_str(),
              static_cast<long long>(worth.accesses), worth.coverage(), worth.precision(), worth.wasted(),
              worth.mean_lead(), static_cast<long long>(worth.last_issue), PatternName(ModelPattern(*model)),
              ModelExtentBlocks(*model), took.count() / static_cast<double>(worth.accesses));
}

void ShowAll(int distance) {
  std::printf("%-44s %8s %9s %9s %8s %7s %10s  %-10s %6s %5s\n", "trace", "accesses", "coverage", "precision", "wasted",
              "lead", "last issue", "pattern", "extent", "ns");
  using namespace traces;
  for (const Trace& trace : {Strided(kAccesses, 17),
                             Strided(kAccesses, -9),
                             StridedInTurn(kAccesses / 4),
                             NoisyStride(kAccesses / 2, 50, 3),
                             NoisyStride(kAccesses / 2, 10, 3),
                             Cyclic(100, 200, 1),
                             Cyclic(500, 40, 1),
                             Cyclic(800, 40, 1),
                             Cyclic(3000, 40, 1),
                             Cyclic(16000, 40, 1),
                             Cyclic(60000, 10, 1),
                             Clusters(60, 40, 5),
                             Sequential(kAccesses),
                             Jittered(kAccesses, 2),
                             Random(kAccesses, kBlocks, 1),
                             Random(kAccesses, 2000, 2),
                             Random(kAccesses, 100, 3),
                             Template(100, 200, 200, 11, 4),
                             Template(100, 40, 40, 11, 4),
                             Template(100, 50, 400, 11, 4),
                             Template(100, 20, 2000, 3, 4),
                             TemplateInTurn(100, 150, 6)})
    Show(trace, distance);
}

}  // namespace
}  // namespace query_shaper

int main(int count, char** arguments) {
  query_shaper::ShowAll(count > 1 ? std::atoi(arguments[1]) : query_shaper::kTraceDistance);
}
