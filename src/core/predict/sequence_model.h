// The sequence member: a gated recurrent unit reads a plan's operators in the order in which they finish and corrects,
// operator by operator, what they are expected to take.
//
//   z = s(a_z + U_z h), r = s(a_r + U_r h), n = tanh(a_n + U_n (r h)), h' = (1 - z) n + z h      (Cho et al. 2014)
//   a = W x + sum of columns E[operator], E[join], E[strategy], E[role] + b
//
// Of every hidden state a head per target makes a correction o = 8 tanh((v h + c) / 8). Targets that add up over
// operators are answered by log(k + sum over operators of base x e^o), base being the operator's own expected work;
// rows by those of the root, corrected once. Zero heads so answer what the plan says, as an untrained model must.
// Trained by exact backpropagation through time (Werbos 1990).
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/predict/plan_sequence.h"
#include "core/predict/predict.h"

namespace query_shaper {

constexpr int kSequenceHidden = 16;
constexpr int kSequenceColumns = 43 + 7 + 5 + 6;  // operators, joins, strategies, roles
constexpr int kSequenceGates = 3 * kSequenceHidden;

// Where a kind of parameter begins in the flat array; matrices column by column.
constexpr int kAtColumns = 0;                                                           // E: gates x columns
constexpr int kAtInputs = kAtColumns + kSequenceGates * kSequenceColumns;               // W: gates x values
constexpr int kAtState = kAtInputs + kSequenceGates * static_cast<int>(step::kValues);  // U: gates x hidden
constexpr int kAtBias = kAtState + kSequenceGates * kSequenceHidden;                    // b: gates
constexpr int kAtHeads = kAtBias + kSequenceGates;                                      // v: targets x hidden
constexpr int kAtOffsets = kAtHeads + kTargets * kSequenceHidden;                       // c: targets
constexpr int kSequenceParams = kAtOffsets + kTargets;

struct SequenceModel {
  uint32_t version = 0;  // 0: never trained, answers nothing
  int64_t trained_at_s = 0;
  double samples = 0;           // lessons it was trained on
  double noise[kTargets] = {};  // mean squared error on statements that it was not trained on
  double params[kSequenceParams] = {};
};
static_assert(std::is_trivially_copyable_v<SequenceModel>);

// Small random gates, zero heads.
void InitSequence(uint64_t seed, double* params);

// Logs of all targets on their scale (scale.h), finite whatever the parameters hold. sequence.count > 0.
void RunSequence(const double* params, const PlanSequence& sequence, double* log);

// Loss of one lesson, sum over targets of weight x Huber(error), and its gradient, which is added to `gradient`.
double SequenceGradient(const double* params, const PlanSequence& sequence, const double* actual_log,
                        const double* target_weight, double* gradient);

// The member's answers, or false where it has none: never trained, no sequence, or numbers that are not finite.
bool AnswerSequence(const SequenceModel& model, const PlanSequence& sequence, SequenceAnswer* answer);

uint32_t WriteSequence(const SequenceModel& model, char* out, uint32_t capacity);
// Throws Error(kCorruptModel).
void ReadSequence(const char* bytes, uint32_t length, SequenceModel* model);
// Whether stored bytes claim to be such a model.
bool IsSequence(const char* bytes, uint32_t length);

}  // namespace query_shaper
