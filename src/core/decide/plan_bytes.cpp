#include "core/decide/plan_bytes.h"

#include "core/base/bytes.h"
#include "core/plan/plan_tree.h"

namespace query_shaper {

namespace {

constexpr uint32_t kPlansMagic = 0x4c505351;  // "QSPL"
// Grows with every change of the fields below.
constexpr uint32_t kPlansVersion = 2;

// A field that is added must be stored too, under a new version: these fail until that is done.
static_assert(sizeof(PlanStep) == 8 + 8 + sizeof(float) + 1 + 1 + 2);
static_assert(sizeof(KnownPlan) == 8 + 4 + 4 * sizeof(float) + 4 + sizeof(double));
static_assert(sizeof(KnownPlans) ==
              kKnownPlans * sizeof(KnownPlan) + kPlanSteps * sizeof(PlanStep) + 8 + 8 + 8 + 8 + 8 + 8 + 8 + 16);

struct Writing {
  ByteWriter& bytes;
  void Number(const double& value) { bytes.Double(value); }
  void Number(const float& value) { bytes.Float(value); }
  void Number(const int32_t& value) { bytes.U32(static_cast<uint32_t>(value)); }
  void Number(const uint8_t& value) { bytes.U32(value); }
  void Number(const uint64_t& value) { bytes.U64(value); }
  void Number(const PlanOrigin& value) { bytes.U32(static_cast<uint32_t>(value)); }
};

struct Reading {
  ByteReader& bytes;
  void Number(double& value) { value = bytes.Double(); }
  void Number(float& value) { value = bytes.Float(); }
  void Number(int32_t& value) { value = static_cast<int32_t>(bytes.U32()); }
  void Number(uint8_t& value) { value = static_cast<uint8_t>(bytes.U32()); }
  void Number(uint64_t& value) { value = bytes.U64(); }
  void Number(PlanOrigin& value) { value = static_cast<PlanOrigin>(bytes.U32()); }
};

// One list of fields for both directions, so that they cannot part.
template <typename Direction, typename P>
void Fields(Direction io, P& plans) {
  for (auto& plan : plans.plans) {
    io.Number(plan.fingerprint);
    io.Number(plan.origin);
    io.Number(plan.log_ms);
    io.Number(plan.log_square);
    io.Number(plan.weight);
    io.Number(plan.given_up);
    io.Number(plan.last_s);
  }
  for (auto& step : plans.best_steps) {
    io.Number(step.key);
    io.Number(step.input);
    io.Number(step.rows);
    io.Number(step.op);
    io.Number(step.inner);
  }
  io.Number(plans.best_step_count);
  io.Number(plans.best_fingerprint);
  io.Number(plans.interruptions);
  io.Number(plans.interrupted_s);
  io.Number(plans.failed_tries);
  io.Number(plans.runs);
  io.Number(plans.counted_s);
  io.Number(plans.runaway);
  io.Number(plans.runaway_fingerprint);
  io.Number(plans.runaway_ms);
}

void Require(bool condition) {
  if (!condition) throw Error(Fault::kCorruptModel, "stored plans hold a number out of its range");
}

void Validate(const KnownPlans& plans) {
  for (const KnownPlan& plan : plans.plans) {
    Require(plan.origin <= PlanOrigin::kReplanned);
    Require(plan.log_square >= 0 && plan.weight >= 0 && plan.given_up >= 0 && plan.last_s >= 0);
  }
  Require(plans.best_step_count >= 0 && plans.best_step_count <= kPlanSteps);
  for (const PlanStep& step : plans.best_steps) {
    Require(step.rows >= -1);
    Require(step.op < static_cast<uint8_t>(Operator::kCount) && step.inner < static_cast<uint8_t>(Operator::kCount));
  }
  Require(plans.interruptions >= 0 && plans.failed_tries >= 0 && plans.runs >= 0);
}

}  // namespace

uint32_t WriteKnownPlans(const KnownPlans& plans, char* out, uint32_t capacity) {
  ByteWriter bytes(kPlansMagic, kPlansVersion, out, capacity);
  KnownPlans written = plans;
  for (int i = plans.best_step_count < 0 ? 0 : plans.best_step_count; i < kPlanSteps; ++i) written.best_steps[i] = {};
  Fields(Writing{bytes}, written);
  return bytes.Finish();
}

void ReadKnownPlans(const char* bytes, uint32_t length, KnownPlans* plans) {
  ByteReader reader(kPlansMagic, kPlansVersion, bytes, length);
  KnownPlans read{};
  Fields(Reading{reader}, read);
  reader.Finish();
  Validate(read);
  *plans = read;
}

}  // namespace query_shaper
