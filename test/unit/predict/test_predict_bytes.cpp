#include <boost/test/unit_test.hpp>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "predict/made_plans.h"

using namespace query_shaper;

namespace {

bool IsCorrupt(const Error& error) { return error.fault == Fault::kCorruptModel; }

// Models and a profile that have learned something.
void Teach(Models* models, Profile* profile) {
  std::mt19937 random(5);
  InitModels(models);
  PaceSample pace;
  pace.pipelines = 2;
  pace.pipeline_ms[0] = 3;
  pace.pipeline_ms[1] = 9;
  pace.pipeline_work[0] = pace.pipeline_work[1] = 4;
  for (int i = 0; i < 50; ++i) {
    const MadeRun run = MakeRun(i % 6, 1 + i % 3, 1, 0.1, &random);
    const Estimate made = Predict(run.features, profile, nullptr, *models, 1e9 + i);
    Learn(run.features, made, run.actual, pace, 1e9 + i, kHalfLife, profile, nullptr, models);
  }
  Train(models, 1234567890);
}

std::string Stored(const Models& models) {
  std::string bytes(WriteModels(models, nullptr, 0), '\0');
  BOOST_REQUIRE_EQUAL(WriteModels(models, bytes.data(), static_cast<uint32_t>(bytes.size())), bytes.size());
  return bytes;
}

std::string Stored(const Profile& profile) {
  std::string bytes(WriteProfile(profile, nullptr, 0), '\0');
  BOOST_REQUIRE_EQUAL(WriteProfile(profile, bytes.data(), static_cast<uint32_t>(bytes.size())), bytes.size());
  return bytes;
}

void Read(const std::string& bytes, Models* models) {
  ReadModels(bytes.data(), static_cast<uint32_t>(bytes.size()), models);
}

void Read(const std::string& bytes, Profile* profile) {
  ReadProfile(bytes.data(), static_cast<uint32_t>(bytes.size()), profile);
}

struct Taught {
  std::unique_ptr<Models> models = std::make_unique<Models>();
  Profile profile;
  Taught() { Teach(models.get(), &profile); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stored_models)

BOOST_FIXTURE_TEST_CASE(what_is_stored_predicts_the_same, Taught) {
  auto other = std::make_unique<Models>();
  Profile other_profile;
  Read(Stored(*models), other.get());
  Read(Stored(profile), &other_profile);
  std::mt19937 random(1);
  for (int kind = 0; kind < 6; ++kind) {
    const MadeRun run = MakeRun(kind, 2, 1, 0, &random);
    const Estimate a = Predict(run.features, &profile, nullptr, *models, 1e9 + 50);
    const Estimate b = Predict(run.features, &other_profile, nullptr, *other, 1e9 + 50);
    // Only the lower triangles of the matrices are stored, so the last bits of what rests on them may differ.
    for (int t = 0; t < kTargets; ++t) {
      BOOST_CHECK_CLOSE(a.targets[t].value + 1, b.targets[t].value + 1, 1e-9);
      BOOST_CHECK_CLOSE(a.targets[t].low + 1, b.targets[t].low + 1, 1e-9);
      BOOST_CHECK_CLOSE(a.targets[t].high + 1, b.targets[t].high + 1, 1e-9);
    }
    for (int m = 0; m < kModels; ++m) BOOST_CHECK_CLOSE(a.model_log_sd[m], b.model_log_sd[m], 1e-6);
    BOOST_TEST((a.origin == b.origin));
    BOOST_TEST(a.seen == b.seen);
  }
  BOOST_TEST(other->version == models->version);
  BOOST_TEST(other->trained_at_s == 1234567890);
  BOOST_TEST(other_profile.pace.pipelines == 2);
  BOOST_TEST(other_profile.pace.ms[1] == profile.pace.ms[1]);
  // And storing again gives the same bytes.
  BOOST_TEST((Stored(*other) == Stored(*models)));
  BOOST_TEST((Stored(other_profile) == Stored(profile)));
}

BOOST_FIXTURE_TEST_CASE(a_small_buffer_is_left_alone_past_its_end, Taught) {
  std::vector<char> buffer(64, 'x');
  BOOST_TEST(WriteModels(*models, buffer.data(), 60) > 60u);
  for (int i = 60; i < 64; ++i) BOOST_TEST(buffer[i] == 'x');
  BOOST_TEST(sizeof(Models) < 80u * 1024);
}

BOOST_FIXTURE_TEST_CASE(damage_is_noticed_and_leaves_the_model_as_it_was, Taught) {
  const std::string whole = Stored(*models);
  auto target = std::make_unique<Models>();
  InitModels(target.get());
  const std::string before = Stored(*target);
  for (size_t at = 0; at < whole.size(); at += at < 64 ? 1 : 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    BOOST_CHECK_EXCEPTION(Read(damaged, target.get()), Error, IsCorrupt);
  }
  for (size_t length = 0; length < whole.size(); length += 501)
    BOOST_CHECK_EXCEPTION(Read(whole.substr(0, length), target.get()), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(Read(whole + "y", target.get()), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(Read(Stored(profile), target.get()), Error, IsCorrupt);
  BOOST_TEST((Stored(*target) == before));

  Profile other;
  BOOST_CHECK_EXCEPTION(Read(whole, &other), Error, IsCorrupt);
  BOOST_TEST(other.weight == 0);
}

BOOST_FIXTURE_TEST_CASE(well_formed_bytes_with_impossible_numbers_are_refused, Taught) {
  auto bad = std::make_unique<Models>();
  const auto refused = [&](auto change) {
    *bad = *models;
    change(*bad);
    BOOST_CHECK_EXCEPTION(Read(Stored(*bad), bad.get()), Error, IsCorrupt);
  };
  refused([](Models& m) { m.linear.weights[0][3] = std::numeric_limits<double>::quiet_NaN(); });
  refused([](Models& m) { m.linear.precision[0] = -1; });
  refused([](Models& m) { m.online.covariance[0] = 0; });
  refused([](Models& m) { m.interval_z[2] = 0; });
  refused([](Models& m) { m.errors[1][kMemoryKb].buckets[4] = -3; });
  refused([](Models& m) { m.linear.noise[kRows] = 0; });
  const auto refused_profile = [&](auto change) {
    Profile wrong = profile;
    change(wrong);
    BOOST_CHECK_EXCEPTION(Read(Stored(wrong), &wrong), Error, IsCorrupt);
  };
  refused_profile([](Profile& p) { p.weight = -1; });
  refused_profile([](Profile& p) { p.pace.pipelines = kMaxPipelines + 1; });
  refused_profile([](Profile& p) { p.pace.curve[3] = std::numeric_limits<float>::infinity(); });
  refused_profile([](Profile& p) { p.regressor_square[0] = -1; });
}

BOOST_AUTO_TEST_SUITE_END()
