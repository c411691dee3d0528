// How loaded the server is right now: what the latest errors of known statements have in common on the log scale.
//
// Load comes in bursts of seconds and in waves of a minute or more. Both are levels that wander back to zero
// (Ornstein-Uhlenbeck processes), observed only as their sum, through statements that last long against their memory as
// well as through short ones: a Kalman filter (Kalman 1960) of two states. How much of each is told is learned too, by
// what told levels explained: where neighbours' errors have nothing in common it goes to nothing.
#pragma once
#include <type_traits>

namespace query_shaper {

constexpr int kLoadWaves = 2;  // bursts, waves

struct LoadLevel {
  double level[kLoadWaves] = {};
  double variance[kLoadWaves] = {};  // of the levels; 0: never observed
  double covariance = 0;
  double at_s = 0;                      // when they were observed last, seconds since the epoch
  double told_square[kLoadWaves] = {};  // decayed sum of squares of what was told, over the errors' variance,
  double told_error[kLoadWaves] = {};   // of products with the error that the other left
};
static_assert(std::is_trivially_copyable_v<LoadLevel>);

// What load adds to the log time of one statement.
struct LoadShare {
  double raw[kLoadWaves] = {};  // each level's part, were it sure to matter
  double told = 0;
};

// For a statement that starts now and takes ms without it.
LoadShare PredictLoad(const LoadLevel& load, double now_s, double ms);

// error: of the log time without any load; variance: of such errors; made: PredictLoad() at the statement's start; ms:
// what it took.
void FollowLoad(double error, double variance, const LoadShare& made, double ms, double now_s, LoadLevel* load);

}  // namespace query_shaper
