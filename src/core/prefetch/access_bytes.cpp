#include <cmath>

#include "core/base/bytes.h"
#include "core/prefetch/access_model.h"

namespace query_shaper {

namespace {

constexpr uint32_t kMagic = 0x4D415351;  // QSAM
constexpr uint32_t kVersion = 1;

// What it waits for and where it stands belongs to a running scan and is not stored.

void WriteTable(ByteWriter* out, const Transition* table, int size) {
  uint32_t used = 0;
  for (int i = 0; i < size; ++i) used += table[i].context != 0;
  out->U32(used);
  for (int i = 0; i < size; ++i) {
    const Transition& transition = table[i];
    if (transition.context == 0) continue;
    out->U32(static_cast<uint32_t>(i));
    out->U32(transition.context);
    out->U32(transition.touched | static_cast<uint32_t>(transition.inside) << 16);
    out->U32(transition.seen);
    for (int j = 0; j < kSuccessors; ++j) {
      out->U32(static_cast<uint32_t>(transition.next[j]));
      out->U32(transition.share[j]);
    }
  }
}

void WritePrecision(ByteWriter* out, const Precision& precision) {
  out->Float(precision.right);
  out->Float(precision.told);
}

uint16_t Short(uint32_t value) {
  if (value > UINT16_MAX) throw Error(Fault::kCorruptModel, "stored model holds a share above one");
  return static_cast<uint16_t>(value);
}

uint8_t Seen(uint32_t value) {
  if (value > UINT8_MAX) throw Error(Fault::kCorruptModel, "stored model holds a transition seen too often");
  return static_cast<uint8_t>(value);
}

void ReadTable(ByteReader* in, Transition* table, int size) {
  const uint32_t used = in->U32();
  for (uint32_t n = 0; n < used; ++n) {
    const uint32_t at = in->U32();
    if (at >= static_cast<uint32_t>(size)) throw Error(Fault::kCorruptModel, "stored model holds too many transitions");
    Transition& transition = table[at];
    transition.context = in->U32();
    const uint32_t words = in->U32();
    transition.touched = static_cast<uint16_t>(words & 0xFFFF);
    transition.inside = static_cast<uint16_t>(words >> 16);
    transition.seen = Seen(in->U32());
    for (int j = 0; j < kSuccessors; ++j) {
      transition.next[j] = static_cast<int32_t>(in->U32());
      transition.share[j] = Short(in->U32());
    }
  }
}

float NotNegative(float value) {
  if (value < 0) throw Error(Fault::kCorruptModel, "stored model holds a negative weight");
  return value;
}

Precision ReadPrecision(ByteReader* in) {
  Precision precision;
  precision.right = NotNegative(in->Float());
  precision.told = NotNegative(in->Float());
  if (precision.right > precision.told) throw Error(Fault::kCorruptModel, "stored model was right too often");
  return precision;
}

}  // namespace

uint32_t WriteAccessModel(const AccessModel& model, char* out, uint32_t capacity) {
  ByteWriter writer(kMagic, kVersion, out, capacity);
  for (const auto& order : model.steps) WriteTable(&writer, order, kStepContexts);
  WriteTable(&writer, model.blocks, kBlockContexts);
  WriteTable(&writer, model.extents, kExtentContexts);
  for (const Precision& shown : model.shown) WritePrecision(&writer, shown);
  WritePrecision(&writer, model.chain);
  WritePrecision(&writer, model.ends);
  for (const int32_t length : model.lengths) writer.U32(static_cast<uint32_t>(length));
  writer.U32(static_cast<uint32_t>(model.next_length));
  writer.Floats(model.pattern_weight, kPatterns);
  writer.Float(model.run_blocks);
  writer.U32(model.accesses);
  for (const double figure : {model.seen, model.issued, model.used, model.wasted}) writer.Double(figure);
  return writer.Finish();
}

void ReadAccessModel(const char* bytes, uint32_t length, AccessModel* model) {
  ByteReader reader(kMagic, kVersion, bytes, length);
  AccessModel read;
  StartModel(&read);
  for (auto& order : read.steps) ReadTable(&reader, order, kStepContexts);
  ReadTable(&reader, read.blocks, kBlockContexts);
  ReadTable(&reader, read.extents, kExtentContexts);
  for (Precision& shown : read.shown) shown = ReadPrecision(&reader);
  read.chain = ReadPrecision(&reader);
  read.ends = ReadPrecision(&reader);
  for (int32_t& episode : read.lengths) episode = static_cast<int32_t>(reader.U32() & INT32_MAX);
  read.next_length = static_cast<int32_t>(reader.U32() % kEpisodeLengths);
  for (float& weight : read.pattern_weight) weight = NotNegative(reader.Float());
  read.run_blocks = NotNegative(reader.Float());
  read.accesses = reader.U32();
  for (double* const figure : {&read.seen, &read.issued, &read.used, &read.wasted}) {
    *figure = reader.Double();
    if (*figure < 0) throw Error(Fault::kCorruptModel, "stored model holds a negative number");
  }
  reader.Finish();
  *model = read;
}

}  // namespace query_shaper
