#include "core/base/bytes.h"
#include "core/predict/sequence_model.h"

namespace query_shaper {

namespace {

constexpr uint32_t kSequenceMagic = 0x51535351;  // "QSSQ"
constexpr uint32_t kSequenceVersion = 1;         // grows with every change of the model's shape or of its inputs

}  // namespace

// Parameters as floats: their last digits are noise.
uint32_t WriteSequence(const SequenceModel& model, char* out, uint32_t capacity) {
  ByteWriter bytes(kSequenceMagic, kSequenceVersion, out, capacity);
  bytes.U32(model.version);
  bytes.U64(static_cast<uint64_t>(model.trained_at_s));
  bytes.Double(model.samples);
  bytes.Doubles(model.noise, kTargets);
  for (const double parameter : model.params) bytes.Float(static_cast<float>(parameter));
  return bytes.Finish();
}

void ReadSequence(const char* bytes, uint32_t length, SequenceModel* model) {
  ByteReader reader(kSequenceMagic, kSequenceVersion, bytes, length);
  SequenceModel read;  // a damaged string leaves *model as it was
  read.version = reader.U32();
  read.trained_at_s = static_cast<int64_t>(reader.U64());
  read.samples = reader.Double();
  reader.Doubles(read.noise, kTargets);
  for (double& parameter : read.params) parameter = static_cast<double>(reader.Float());
  reader.Finish();
  bool sound = read.samples >= 0;
  for (const double noise : read.noise) sound = sound && noise >= 0;
  if (!sound) throw Error(Fault::kCorruptModel, "stored model holds a number out of its range");
  *model = read;
}

bool IsSequence(const char* bytes, uint32_t length) {
  if (length < 4) return false;
  for (int i = 0; i < 4; ++i)
    if (static_cast<unsigned char>(bytes[i]) != ((kSequenceMagic >> (8 * i)) & 0xff)) return false;
  return true;
}

}  // namespace query_shaper
