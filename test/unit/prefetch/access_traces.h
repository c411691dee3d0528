// Made traces of block accesses, in episodes (scans, statements), and what a model's requests were worth on them,
// counted outside the model.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/prefetch/access_model.h"

namespace query_shaper {

using Episode = std::vector<uint32_t>;

struct Trace {
  std::string name;
  uint32_t relation_blocks;
  std::vector<Episode> episodes;
};

struct Worth {
  int64_t accesses = 0, hits = 0, issued = 0, used = 0, lead = 0, last_issue = -1;
  double coverage() const { return accesses > 0 ? static_cast<double>(hits) / static_cast<double>(accesses) : 0; }
  double precision() const { return issued > 0 ? static_cast<double>(used) / static_cast<double>(issued) : 1; }
  double wasted() const { return 1 - precision(); }
  double mean_lead() const { return used > 0 ? static_cast<double>(lead) / static_cast<double>(used) : 0; }
};

constexpr int kTraceDistance = 32;
constexpr int64_t kKeptFor = 1024;  // accesses that a requested block stays cached for

// Plays episodes [from, to); figures only of these. A request counts as used when its block is read later, once.
inline Worth PlayEpisodes(const Trace& trace, AccessModel* model, size_t from, size_t to,
                          int distance = kTraceDistance) {
  Worth worth;
  std::unordered_map<uint32_t, int64_t> asked;
  uint32_t ask[64];
  const auto followers = std::make_unique<BlockFollowers>();
  StartFollowers(followers.get());
  for (size_t i = from; i < std::min(to, trace.episodes.size()); ++i) {
    StartEpisode(model);
    for (const uint32_t block : trace.episodes[i]) {
      const auto found = asked.find(block);
      if (found != asked.end()) {
        if (worth.accesses - found->second <= kKeptFor) {
          ++worth.hits;
          ++worth.used;
          worth.lead += worth.accesses - found->second;
        }
        asked.erase(found);
      }
      const int count = NoteAccess(model, block, distance, trace.relation_blocks, ask, 64, followers.get());
      for (int j = 0; j < count; ++j) asked.emplace(ask[j], worth.accesses);
      worth.issued += count;
      if (count > 0) worth.last_issue = worth.accesses;
      ++worth.accesses;
    }
    EndEpisode(model);
  }
  return worth;
}

inline std::unique_ptr<AccessModel> NewModel() {
  auto model = std::make_unique<AccessModel>();
  StartModel(model.get());
  return model;
}

inline Worth PlayTrace(const Trace& trace, int distance = kTraceDistance) {
  const auto model = NewModel();
  return PlayEpisodes(trace, model.get(), 0, trace.episodes.size(), distance);
}

namespace traces {

constexpr uint32_t kBlocks = 350000;  // 2.7 GB

inline Trace Sequential(int accesses) {
  Episode episode;
  for (int i = 0; i < accesses; ++i) episode.push_back(1000 + static_cast<uint32_t>(i));
  return {"sequential", kBlocks, {episode}};
}

// Progress of one block a step, but in the order of a jittered key.
inline Trace Jittered(int accesses, uint32_t seed) {
  std::mt19937 random(seed);
  Episode episode;
  for (int i = 0; i < accesses; ++i) episode.push_back(1000 + static_cast<uint32_t>(i) / 4 + random() % 6);
  return {"jittered", kBlocks, {episode}};
}

inline Trace Strided(int accesses, int64_t step) {
  Episode episode;
  for (int i = 0; i < accesses; ++i) episode.push_back(static_cast<uint32_t>((step < 0 ? kBlocks - 1 : 0) + step * i));
  return {"strided by " + std::to_string(step), kBlocks, {episode}};
}

// Several steps in turn, as a table read by two keys shows.
inline Trace StridedInTurn(int accesses) {
  constexpr uint32_t kSteps[] = {7, 40, 7, 190};
  Episode episode;
  uint32_t at = 5;
  for (int i = 0; i < accesses; ++i) {
    episode.push_back(at);
    at += kSteps[i % 4];
  }
  return {"steps in turn", kBlocks, {episode}};
}

// A stride with steps that go astray now and then.
inline Trace NoisyStride(int accesses, int one_in, uint32_t seed) {
  std::mt19937 random(seed);
  Episode episode;
  uint32_t at = 0;
  for (int i = 0; i < accesses; ++i) {
    episode.push_back(random() % one_in == 0 ? random() % kBlocks : at);
    at += 23;
  }
  return {"stride, 1 in " + std::to_string(one_in) + " astray", kBlocks, {episode}};
}

// The same scattered blocks again and again, as the inner side of a nested loop shows.
inline Trace Cyclic(int blocks, int rounds, uint32_t seed) {
  std::mt19937 random(seed);
  Episode round, episode;
  std::unordered_map<uint32_t, bool> seen;
  while (static_cast<int>(round.size()) < blocks) {
    const uint32_t block = random() % kBlocks;
    if (seen.emplace(block, true).second) round.push_back(block);
  }
  for (int i = 0; i < rounds; ++i) episode.insert(episode.end(), round.begin(), round.end());
  return {"cycle of " + std::to_string(blocks), kBlocks, {episode}};
}

inline Trace Random(int accesses, uint32_t relation_blocks, uint32_t seed) {
  std::mt19937 random(seed);
  Episode episode;
  for (int i = 0; i < accesses; ++i) episode.push_back(random() % relation_blocks);
  return {"random in " + std::to_string(relation_blocks), relation_blocks, {episode}};
}

// One statement with ever new parameters: each begins elsewhere, reads `least` to `most` blocks, `step` apart.
inline Trace Template(int runs, int least, int most, uint32_t step, uint32_t seed) {
  std::mt19937 random(seed);
  Trace trace = {"template of " + std::to_string(least) + (most > least ? ".." + std::to_string(most) : "") +
                     " blocks, step " + std::to_string(step),
                 kBlocks,
                 {}};
  for (int i = 0; i < runs; ++i) {
    const int length = least + static_cast<int>(random() % static_cast<uint32_t>(most - least + 1));
    const uint32_t start = random() % (kBlocks - step * static_cast<uint32_t>(most));
    Episode episode;
    for (int j = 0; j < length; ++j) episode.push_back(start + step * static_cast<uint32_t>(j));
    trace.episodes.push_back(episode);
  }
  return trace;
}

// The same for steps in turn: the index visits a row's neighbours in two places.
inline Trace TemplateInTurn(int runs, int length, uint32_t seed) {
  constexpr uint32_t kSteps[] = {3, 60, 3, 117, 30};
  std::mt19937 random(seed);
  Trace trace = {"template of " + std::to_string(length) + " blocks, steps in turn", kBlocks, {}};
  for (int i = 0; i < runs; ++i) {
    uint32_t at = random() % (kBlocks - 300 * static_cast<uint32_t>(length));
    Episode episode;
    for (int j = 0; j < length; ++j) {
      episode.push_back(at);
      at += kSteps[j % 5];
    }
    trace.episodes.push_back(episode);
  }
  return trace;
}

// Neighbourhoods that come again, each time in another order inside: only extents repeat.
inline Trace Clusters(int clusters, int rounds, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Episode> all;
  for (int i = 0; i < clusters; ++i) {
    const uint32_t first = random() % (kBlocks / kModelExtent) * kModelExtent;
    Episode blocks;
    for (uint32_t j = 0; j < kModelExtent; j += 1 + random() % 2) blocks.push_back(first + j);
    all.push_back(blocks);
  }
  Episode episode;
  for (int round = 0; round < rounds; ++round)
    for (Episode& blocks : all) {
      std::shuffle(blocks.begin(), blocks.end(), random);
      episode.insert(episode.end(), blocks.begin(), blocks.end());
    }
  return {"clusters, order inside random", kBlocks, {episode}};
}

}  // namespace traces
}  // namespace query_shaper
