#include <cmath>

#include "core/base/bytes.h"
#include "core/cardinality/row_model.h"

namespace query_shaper {

namespace {

constexpr uint32_t kRowMagic = 0x4f525351;  // "QSRO"
constexpr uint32_t kRowVersion = 1;

// A field that is added must be stored too, under a new version: these fail until that is done.
static_assert(sizeof(RowSample) == sizeof(uint64_t) + sizeof(double) * (kRowConstants + 1) + sizeof(float) * 4);
static_assert(sizeof(RowProfile) == sizeof(double) * 10 + sizeof(RowSample) * kRowSamples);

void Require(bool condition) {
  if (!condition) throw Error(Fault::kCorruptModel, "stored row counts hold a number out of its range");
}

double NotNegative(ByteReader* reader) {
  const double value = reader->Double();
  Require(value >= 0);
  return value;
}

// Constants without a number are told by a mask: the reader takes only finite numbers.
void WriteSample(const RowSample& sample, ByteWriter* bytes) {
  uint32_t mask = 0;
  for (int d = 0; d < kRowConstants; ++d) mask |= std::isfinite(sample.values[d]) ? 1U << d : 0;
  bytes->U64(sample.constants_hash);
  bytes->U32(mask);
  for (int d = 0; d < kRowConstants; ++d) bytes->Double((mask & 1U << d) != 0 ? sample.values[d] : 0);
  bytes->Float(sample.log_rows);
  bytes->Float(sample.log_natural);
  bytes->Float(sample.weight);
  bytes->Double(sample.seen_s);
}

void ReadSample(ByteReader* reader, RowSample* sample) {
  sample->constants_hash = reader->U64();
  const uint32_t mask = reader->U32();
  Require(mask < 1U << kRowConstants);
  for (int d = 0; d < kRowConstants; ++d) {
    sample->values[d] = reader->Double();
    if ((mask & 1U << d) == 0) sample->values[d] = std::nan("");
  }
  sample->log_rows = reader->Float();
  sample->log_natural = reader->Float();
  sample->weight = reader->Float();
  sample->seen_s = NotNegative(reader);
  Require(sample->log_rows >= 0 && sample->log_natural >= 0 && sample->weight > 0);
}

}  // namespace

uint32_t WriteRowProfile(const RowProfile& profile, char* out, uint32_t capacity) {
  ByteWriter bytes(kRowMagic, kRowVersion, out, capacity);
  bytes.Double(profile.last_seen_s);
  bytes.Double(profile.seen);
  bytes.Double(profile.natural_rows);
  bytes.Double(profile.planner_rows);
  bytes.Double(profile.actual_rows);
  bytes.Double(profile.relation_rows);
  bytes.Double(profile.guess_square);
  bytes.Double(profile.natural_square);
  bytes.Double(profile.scored);
  bytes.U32(static_cast<uint32_t>(profile.constant_count));
  uint32_t used = 0;
  for (const RowSample& sample : profile.samples) used += sample.weight > 0 ? 1 : 0;
  bytes.U32(used);
  for (const RowSample& sample : profile.samples)
    if (sample.weight > 0) WriteSample(sample, &bytes);
  return bytes.Finish();
}

void ReadRowProfile(const char* bytes, uint32_t length, RowProfile* profile) {
  ByteReader reader(kRowMagic, kRowVersion, bytes, length);
  RowProfile read;
  read.last_seen_s = NotNegative(&reader);
  read.seen = NotNegative(&reader);
  read.natural_rows = NotNegative(&reader);
  read.planner_rows = NotNegative(&reader);
  read.actual_rows = NotNegative(&reader);
  read.relation_rows = NotNegative(&reader);
  read.guess_square = NotNegative(&reader);
  read.natural_square = NotNegative(&reader);
  read.scored = NotNegative(&reader);
  read.constant_count = static_cast<int32_t>(reader.U32());
  const uint32_t used = reader.U32();
  Require(read.constant_count >= 0 && read.constant_count <= kRowConstants && used <= kRowSamples);
  for (uint32_t i = 0; i < used; ++i) ReadSample(&reader, &read.samples[i]);
  reader.Finish();
  *profile = read;
}

}  // namespace query_shaper
