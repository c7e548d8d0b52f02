#pragma once
// How much longer a lane of this machine takes while another one computes: one figure for each
// ordered pair, with one variant on either side.

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "inference/machine_profiler.h"

namespace juggler {

// The other lane of a measurement.
struct OtherLane {
  std::function<void()> begin;        // returns when it computes
  std::function<Result<void>()> end;  // when it computes no more; its error, if it failed
};

struct SlowdownGoal {
  int blocks = 10;  // alone and beside the other in turn, so that drift counts for both
  Micros block_min = milliseconds(200);
  int runs_min = 2;     // in a block
  int runs_max = 1000;  // likewise
};

// Time beside the other over time alone: the mean over blocks, with its 95 % interval (Student's
// t). `by` and the variants are the caller's to say.
//
// errors  those of `run` and of the other; Unavailable: stopped
Result<MeasuredSlowdown> measure_slowdown(const std::function<Result<Micros>()>& run,
                                          const OtherLane& other, const SlowdownGoal& goal,
                                          const std::function<bool()>& stop);

// Of ratios of blocks: their mean and its interval, in permille.
//
// requires  at least two
MeasuredSlowdown describe_ratios(const std::vector<double>& ratios);

// The variant that stands for a lane: of middle time for one picture. Empty where it has none.
std::string middle_variant(const ProfiledLane& lane);

// Adds to `profile` what it lacks of every pair of lanes that were measured; what could not be
// measured is named in `left`. A lane that computes beside the measured one does so on a thread of
// its own, which ends with each block.
//
// errors  Unavailable: stopped; those of `keep`
Result<void> profile_slowdowns(const std::vector<LaneUnderTest>& lanes,
                               const ProfilingOptions& options, const SlowdownGoal& goal,
                               MachineProfile& profile, std::vector<std::string>& left);

}  // namespace juggler
