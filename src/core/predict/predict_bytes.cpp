#include <cstddef>

#include "core/base/bytes.h"
#include "core/predict/predict.h"

namespace query_shaper {

namespace {

constexpr uint32_t kProfileMagic = 0x46505351;  // "QSPF"
constexpr uint32_t kModelsMagic = 0x4c4d5351;   // "QSML"
// Grows with every change of the layouts below, of the features or of the regressors.
constexpr uint32_t kProfileVersion = 3;
constexpr uint32_t kModelsVersion = 3;

// A field that is added must be stored too, under a new version: these fail until that is done.
static_assert(sizeof(Pace) == sizeof(float) * (2 + 2 * kMaxPipelines + 3 * kPaceNodes + kCurvePoints + 1));
static_assert(offsetof(Profile, pace) ==
              sizeof(double) * (5 + 6 * kTargets + 2 * kRegressors + kRegressors * kRegressors));

[[noreturn]] void Corrupt() { throw Error(Fault::kCorruptModel, "stored model holds a number out of its range"); }

void Require(bool condition) {
  if (!condition) Corrupt();
}

// One list of fields for both directions, so that they cannot part.
struct Writing {
  ByteWriter& bytes;
  void Number(const double& value) { bytes.Double(value); }
  void Number(const float& value) { bytes.Float(value); }
  void Number(const uint32_t& value) { bytes.U32(value); }
  void Number(const int32_t& value) { bytes.U32(static_cast<uint32_t>(value)); }
  void Number(const int64_t& value) { bytes.U64(static_cast<uint64_t>(value)); }
  template <typename T, size_t N>
  void Number(const T (&values)[N]) {
    for (const T& value : values) Number(value);
  }
  void Matrix(const double* matrix, int size) { bytes.Symmetric(matrix, size); }
};

struct Reading {
  ByteReader& bytes;
  void Number(double& value) { value = bytes.Double(); }
  void Number(float& value) { value = bytes.Float(); }
  void Number(uint32_t& value) { value = bytes.U32(); }
  void Number(int32_t& value) { value = static_cast<int32_t>(bytes.U32()); }
  void Number(int64_t& value) { value = static_cast<int64_t>(bytes.U64()); }
  template <typename T, size_t N>
  void Number(T (&values)[N]) {
    for (T& value : values) Number(value);
  }
  void Matrix(double* matrix, int size) { bytes.Symmetric(matrix, size); }
};

template <typename Direction, typename P>
void Fields(Direction io, P& profile) {
  io.Number(profile.weight);
  io.Number(profile.last_seen_s);
  io.Number(profile.mean);
  io.Number(profile.square);
  io.Number(profile.regressor_mean);
  io.Matrix(profile.regressor_square, kRegressors);
  io.Number(profile.regressor_time);
  io.Number(profile.base_mean);
  io.Number(profile.base_square);
  io.Number(profile.base_cross);
  io.Number(profile.blend_square);
  io.Number(profile.blend_weight);
  io.Number(profile.drift);
  io.Number(profile.runs);
  io.Number(profile.pace.weight);
  io.Number(profile.pace.pipelines);
  io.Number(profile.pace.ms);
  io.Number(profile.pace.work);
  io.Number(profile.pace.row_factor);
  io.Number(profile.pace.row_spread);
  io.Number(profile.pace.row_weight);
  io.Number(profile.pace.curve);
  io.Number(profile.pace.curve_spread);
}

template <typename Direction, typename M>
void ModelFields(Direction io, M& models) {
  io.Number(models.version);
  io.Number(models.trained_at_s);
  io.Matrix(models.linear.precision, kDesign);
  io.Matrix(models.linear.covariance, kDesign);
  io.Number(models.linear.moment);
  io.Number(models.linear.weights);
  io.Number(models.linear.noise);
  io.Number(models.linear.samples);
  io.Number(models.online.log_rate);
  io.Matrix(models.online.covariance, kRates);
  io.Number(models.online.noise);
  io.Number(models.online.samples);
  io.Number(models.calibration_ms_per_cost);
  io.Number(models.calibration_spread);
  io.Number(models.calibration_weight);
  for (auto& of_model : models.errors) {
    for (auto& stats : of_model) {
      io.Number(stats.buckets);
      io.Number(stats.samples);
    }
  }
  io.Number(models.blend_weight);
  io.Number(models.member_square);
  io.Number(models.cache_moments);
  io.Number(models.blend_square);
  io.Number(models.load.level);
  io.Number(models.load.variance);
  io.Number(models.load.covariance);
  io.Number(models.load.at_s);
  io.Number(models.load.told_square);
  io.Number(models.load.told_error);
  io.Number(models.interval_z);
  io.Number(models.target_z);
  io.Number(models.band.z80);
}

void Validate(const Profile& profile) {
  Require(profile.weight >= 0 && profile.blend_weight >= 0 && profile.runs >= 0 && profile.blend_square >= 0);
  for (const double square : profile.square) Require(square >= 0);
  for (const double square : profile.base_square) Require(square >= 0);
  for (int i = 0; i < kRegressors; ++i) Require(profile.regressor_square[i * kRegressors + i] >= 0);
  Require(profile.pace.weight >= 0 && profile.pace.pipelines >= 0 && profile.pace.pipelines <= kMaxPipelines);
}

void Validate(const Models& models) {
  for (int i = 0; i < kDesign; ++i) {
    Require(models.linear.precision[i * kDesign + i] > 0);
    Require(models.linear.covariance[i * kDesign + i] > 0);
  }
  for (const double noise : models.linear.noise) Require(noise > 0);
  for (int i = 0; i < kRates; ++i) Require(models.online.covariance[i * kRates + i] > 0);
  Require(models.linear.samples >= 0 && models.online.samples >= 0 && models.online.noise > 0);
  Require(models.calibration_ms_per_cost >= 0 && models.calibration_weight >= 0);
  for (const auto& of_model : models.errors) {
    for (const ErrorStats& stats : of_model) {
      Require(stats.samples >= 0);
      for (const float count : stats.buckets) Require(count >= 0);
    }
  }
  for (const auto& target : models.cache_moments)
    for (const auto& moments : target) Require(moments[0] >= 0 && moments[1] >= 0);
  for (int w = 0; w < kLoadWaves; ++w) Require(models.load.variance[w] >= 0 && models.load.told_square[w] >= 0);
  for (const float z : models.interval_z) Require(z > 0);
  for (const auto& side : models.target_z)
    for (const auto& target : side)
      for (const float z : target) Require(z > 0);
  for (const auto& context : models.band.z80)
    for (const float z : context) Require(z > 0);
}

}  // namespace

uint32_t WriteProfile(const Profile& profile, char* out, uint32_t capacity) {
  ByteWriter bytes(kProfileMagic, kProfileVersion, out, capacity);
  Fields(Writing{bytes}, profile);
  return bytes.Finish();
}

void ReadProfile(const char* bytes, uint32_t length, Profile* profile) {
  ByteReader reader(kProfileMagic, kProfileVersion, bytes, length);
  Profile read;  // a damaged string leaves *profile as it was
  Fields(Reading{reader}, read);
  reader.Finish();
  Validate(read);
  *profile = read;
}

uint32_t WriteModels(const Models& models, char* out, uint32_t capacity) {
  ByteWriter bytes(kModelsMagic, kModelsVersion, out, capacity);
  ModelFields(Writing{bytes}, models);
  return bytes.Finish();
}

void ReadModels(const char* bytes, uint32_t length, Models* models) {
  ByteReader reader(kModelsMagic, kModelsVersion, bytes, length);
  Models read;
  ModelFields(Reading{reader}, read);
  reader.Finish();
  Validate(read);
  *models = read;
}

}  // namespace query_shaper
