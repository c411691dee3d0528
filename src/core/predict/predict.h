// Predicts what a statement will take before it runs, and learns from what it took: plain structs in, plain structs
// out.
//
// Four models answer on a log scale, target by target, and a blend weighs them by their recent prequential error, the
// cache against the others together:
//   cache   the statement's own history: decayed mean of the outcome, moved along cost and operator work by a small
//           ridge regression per profile
//   linear  Bayesian ridge regression over the feature vector (Bishop 2006, 3.3), for the unseen; it learns the
//   residual
//           against plan cost, so that a model which has seen little is cost calibrated on this server
//   online  operator rates: time = sum of rate x work, every rate positive, followed by an iterated extended Kalman
//   filter
//           over log rates (Bell and Cathey 1993) with forgetting: it adds up physically and so extrapolates to new
//           plans
//   sequence a recurrent network over the operators of the plan (sequence_model.h), once it has been trained
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/plan/features.h"
#include "core/predict/load_level.h"
#include "core/predict/pace.h"

namespace query_shaper {

enum class Origin : uint8_t { kCache = 0, kLinear = 1, kOnline = 2, kSequence = 3, kBlend = 4 };
constexpr int kModels = 4;  // members of the blend
const char* OriginName(Origin origin);

// A predicted quantity with its central 90 % interval.
struct Quantity {
  double value = 0;
  double low = 0;
  double high = 0;
};

// kBlocks are those read and hit, kBlocksRead those of them that were not in shared buffers; kMemoryKb is private
// memory of the query's nodes at their peak, workers' included, kCpuMs the processor time of backend and workers.
enum Target {
  kTimeMs = 0,
  kMemoryKb = 1,
  kRows = 2,
  kTempKb = 3,
  kBlocks = 4,
  kCpuMs = 5,
  kBlocksRead = 6,
  kTargets = 7
};
const char* TargetName(Target target);  // as in views: time_ms, memory_kb, ...

struct Estimate {
  Quantity targets[kTargets];
  double log_sd = 1;                            // standard deviation of log(time)
  double model_ms[kModels] = {-1, -1, -1, -1};  // each member's own answer, -1: it has none
  double model_log_sd[kModels] = {-1, -1, -1, -1};
  // The same for every target, and what each member weighs in its blend.
  float model_value[kModels][kTargets] = {{-1, -1, -1, -1, -1, -1, -1},
                                          {-1, -1, -1, -1, -1, -1, -1},
                                          {-1, -1, -1, -1, -1, -1, -1},
                                          {-1, -1, -1, -1, -1, -1, -1}};
  float model_weight[kModels][kTargets] = {};
  Origin origin = Origin::kLinear;  // the member that weighs most, or kBlend when none weighs above 0.8
  LoadShare load;                   // what the server's load of this moment adds to log time
  double seen = 0;                  // decayed number of earlier runs of the statement
};
static_assert(std::is_trivially_copyable_v<Estimate>);

// What the sequence member says, made outside of Predict(): it needs the plan, not its features.
struct SequenceAnswer {
  bool answers = false;
  double log[kTargets] = {};
  double sd[kTargets] = {};
};

struct Actual {
  double targets[kTargets] = {};
  bool complete = false;  // ran to its end; others are censored: at least this much
};

constexpr int kRegressors = 4;

// Decayed history of one (statement, plan) or of one plan shape. Lives in shared memory and, serialised, in a table.
struct Profile {
  double weight = 0;             // decayed number of complete runs
  double last_seen_s = 0;        // seconds since the epoch
  double mean[kTargets] = {};    // of log(time) and of log1p(other targets)
  double square[kTargets] = {};  // decayed sum of squared deviations
  // Ridge regression of log time on kRegressors quantities known before the run, all decayed like the mean.
  double regressor_mean[kRegressors] = {};
  double regressor_square[kRegressors * kRegressors] = {};  // co-moments, full
  double regressor_time[kRegressors] = {};                  // co-moments with log time
  // The same for the other targets, each on what the plan says of it (PlanBase()).
  double base_mean[kTargets] = {};
  double base_square[kTargets] = {};
  double base_cross[kTargets] = {};
  double blend_square = 0;      // decayed mean squared prequential error of the blend
  double blend_weight = 0;      // decayed number of errors in it
  double drift[kTargets] = {};  // decayed mean of signed errors in standard deviations
  double runs = 0;              // complete runs ever, not decayed
  Pace pace;
};
static_assert(std::is_trivially_copyable_v<Profile>);

// One database's models: plain arrays, viewed by Eigen with unaligned maps.
constexpr int kDesign = kFeatureCount + 1;  // features and a constant

struct LinearModel {
  double precision[kDesign * kDesign] = {};   // prior + X'WX, row major
  double moment[kTargets][kDesign] = {};      // X'Wy
  double covariance[kDesign * kDesign] = {};  // inverse of precision, as of the last Train()
  double weights[kTargets][kDesign] = {};     // solved
  double noise[kTargets] = {};                // decayed prequential variance of the residual on the log scale
  double samples = 0;                         // decayed
};

constexpr int kRates = 39;  // features that are amounts of work, and a constant per statement

struct RateModel {
  double log_rate[kRates] = {};             // log(ms per unit of work)
  double covariance[kRates * kRates] = {};  // of log_rate
  double noise = 0;                         // decayed prequential variance of log time
  double samples = 0;                       // decayed
};

struct ErrorStats {  // decayed histogram of |log2 q-error| in steps of 1/8, last bucket open
  float buckets[80] = {};
  double samples = 0;
};

struct Models {
  uint32_t version = 0;  // grows with every published change
  int64_t trained_at_s = 0;
  LinearModel linear;
  RateModel online;
  double calibration_ms_per_cost = 0;  // cold start: log-mean of ms per cost unit seen on this server; 0 none yet
  double calibration_spread = 1;
  double calibration_weight = 0;
  ErrorStats errors[kModels + 1][kTargets];  // members, then the blend
  double blend_weight[2][kModels] = {};      // of time; context 0 neither statement nor plan seen, 1 seen; sums to 1
  double member_square[2][kTargets][kModels] = {};  // decayed mean squared error of the log, same contexts; 0 none yet
  // Of the log, decayed: squared error of the cache, of the other members together, and their product. By whose
  // history the cache speaks from: 0 another statement's, else by times seen as below. 0 none yet.
  double cache_moments[kTargets][4][3] = {};
  // Of the blend, by times seen: 0, 1 (or only the plan's shape), 2-4, more.
  double blend_square[kTargets][4] = {};
  LoadLevel load;
  // Half width of the 90 % interval of time in standard deviations by times seen (0, 1, 2-4, more), moved to where it
  // covers 90 % (Gibbs and Candes 2021). Errors of what was seen have long tails: most lie closer than their mean
  // square says.
  float interval_z[4] = {1.64f, 1.5f, 1.4f, 1.5f};
  // Of the other targets each side by itself, moved to where 6.5 % lie below (0), 3.5 % above (1).
  float target_z[2][kTargets][4];
  BandScale band;
};
static_assert(std::is_trivially_copyable_v<Models>);

// A model of a server that has seen nothing; use it before anything else.
void InitModels(Models* models);

// exact: this statement with this plan; shape: the same plan under any statement; statement: this statement under any
// plan, which speaks where the plan is new; each may be null.
// models may be freshly initialised. Always answers; every figure is finite and >= 0, low <= value <= high.
// now_s: seconds since the epoch, as in Learn().
// sequence: the recurrent member's answer, null where it was not asked.
Estimate Predict(const FeatureVector& features, const Profile* exact, const Profile* shape, const Models& models,
                 double now_s, const Profile* statement = nullptr, const SequenceAnswer* sequence = nullptr);

// What the members weigh for a statement of no particular history; sum to 1. sequence: that member answers.
void TypicalWeights(const Models& models, Target target, bool seen, bool sequence, double* weights);

// Whether an answer of the sequence member would weigh anything beside these profiles, which may be null.
bool SequenceWeighs(const Models& models, const Profile* exact, const Profile* shape);

// Adds the sequence member's answer to an estimate that was made without it, so that it is scored like the others.
void AddAnswer(const SequenceAnswer& sequence, Estimate* made);

// A new version of the sequence member has other errors than the one before: what it weighs begins with these.
void BeginSequence(const double* square, Models* models);

// Learns one outcome. `made` is the estimate given at the start (its members are scored before anything is updated).
// Incomplete runs only raise counters where the time already exceeds the belief. half_life_s > 0.
void Learn(const FeatureVector& features, const Estimate& made, const Actual& actual, const PaceSample& pace,
           double now_s, double half_life_s, Profile* exact, Profile* shape, Models* models);

// What every complete run of a statement teaches of it, whatever its plan.
void LearnStatement(const FeatureVector& features, const Actual& actual, double now_s, double half_life_s,
                    Profile* statement);

// Re-solves the linear models from their sufficient statistics; called by the learner after a batch and by train().
void Train(Models* models, int64_t now_s);

// Early-stage refinement: moves `estimate` by what the first moments of the run showed. work_ratio: refined over
// planned total work; speed_ratio: observed over expected speed; trust 0..1: how far both are to be believed (share of
// work seen).
Estimate Revise(const Estimate& estimate, double work_ratio, double speed_ratio, double trust);

// Quantile of |q-error| (>= 1) from the decayed histogram; NaN when empty.
double ErrorQuantile(const ErrorStats& stats, double quantile);

// Serialised forms: versioned and checksummed. Write returns bytes needed and writes only if they fit;
// Read throws Error(kCorruptModel) on a wrong version, length or checksum.
uint32_t WriteProfile(const Profile& profile, char* out, uint32_t capacity);
void ReadProfile(const char* bytes, uint32_t length, Profile* profile);
uint32_t WriteModels(const Models& models, char* out, uint32_t capacity);
void ReadModels(const char* bytes, uint32_t length, Models* models);

}  // namespace query_shaper
