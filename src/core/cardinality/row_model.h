// What a set of relations under a set of clauses will return: rows learned per key, shared among constants.
//
// A key names relations and clauses with their constants taken out; the constants are features. A profile keeps the
// last few constants with the rows they gave and the rows that the planner, left alone, expects for them ("natural"
// rows: no learned figure in them, so that samples of different times compare). Equal constants answer with the decayed
// mean of what was seen; other constants with the natural estimate times the error factor of their neighbours, on the
// log scale, shrunk towards 1 (Nadaraya-Watson over the constants, with a prior at factor 1):
//   f_i = log1p(rows_i) - log1p(natural_i),  k_i = min(w_i, 1) exp(-z_i^2 / 2),  K = sum k_i
//   m = sum k_i f_i / K,  s^2 = weighted variance of the f_i around m, with half a sample of prior
//   log1p(guess) = log1p(natural) + m x K / (K + prior) x m^2 / (m^2 + s^2 (1 + 1/n))
// w_i decays with time, z_i is the distance in bandwidths of the samples' constants, n = K^2 / sum k_i^2. Factors that
// disagree cancel what they say. Figures that were guessed for new constants are scored when the truth is known: where
// they did worse than the planner's own, none is given.
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

constexpr int kRowConstants = 4;
constexpr int kRowSamples = 8;

// The constants of the clauses in the order of the key. values: those that are numbers or times, as double (NaN: none).
struct RowConstants {
  uint64_t hash = 0;  // of all of them, exact
  int32_t count = 0;  // of values, at most kRowConstants
  double values[kRowConstants] = {};
};

struct RowSample {
  uint64_t constants_hash = 0;
  double values[kRowConstants] = {};
  float log_rows = 0;     // log1p(rows)
  float log_natural = 0;  // log1p(natural rows)
  float weight = 0;       // decayed number of runs with these constants; 0: free
  double seen_s = 0;      // seconds since the epoch
};

struct RowProfile {
  double last_seen_s = 0;
  double seen = 0;           // runs ever
  double natural_rows = 0;   // the planner's own in the last run
  double planner_rows = 0;   // as planned in the last run
  double actual_rows = 0;    // in the last run
  double relation_rows = 0;  // sum of rows of the relations (pg_class) at the last run; much change: forget
  // Prequential squared errors of log1p(rows) for constants that were new: of the guess, of the natural rows, and their
  // decayed number.
  double guess_square = 0, natural_square = 0, scored = 0;
  int32_t constant_count = 0;
  RowSample samples[kRowSamples];
};
static_assert(std::is_trivially_copyable_v<RowProfile>);

enum class RowSource : uint8_t { kNone = 0, kExact = 1, kSimilar = 2 };

struct RowGuess {
  double rows = -1;   // -1: nothing known
  double log_sd = 0;  // of log1p(rows)
  RowSource source = RowSource::kNone;
  double log_factor = 0;  // log1p(rows) less log1p(natural rows), as learned
};

// natural_rows >= 0, relation_rows >= 0 as at planning now. kNone when nothing was learned, when it has decayed away or
// when the relations have changed too much (rows more than doubled or halved).
RowGuess GuessRows(const RowProfile& profile, const RowConstants& constants, double natural_rows, double relation_rows,
                   double now_s, double half_life_s);

// One complete node: its rows per loop (or in all, for a node that is not parameterised). A profile of relations that
// have changed too much starts anew.
void LearnRows(RowProfile* profile, const RowConstants& constants, double natural_rows, double planner_rows,
               double actual_rows, double relation_rows, double now_s, double half_life_s);

// Takes over what `from` knows and `profile` does not: constants, and the number of runs. Nothing is counted twice when
// one has grown out of the other.
void MergeRows(const RowProfile& from, RowProfile* profile);

// Orders profiles by what is lost with them, on a log scale that does not change as time passes: late, often seen and
// with a planner far off counts.
double RowWorth(const RowProfile& profile, double half_life_s);

// Serialised, versioned, checksummed; as in core/base/bytes.h. Write returns the bytes needed. Read throws
// Error(kCorruptModel) and leaves *profile as it was.
uint32_t WriteRowProfile(const RowProfile& profile, char* out, uint32_t capacity);
void ReadRowProfile(const char* bytes, uint32_t length, RowProfile* profile);

}  // namespace query_shaper
