#pragma once
// Profiles the lanes of a machine, or of a twin: every variant at every batch size on every number
// of threads, each until it is known well enough. What an earlier run has measured is kept.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "files/catalogue.h"
#include "inference/machine_profile.h"
#include "inference/profiler.h"
#include "runtime/engine.h"
#include "runtime/run_meter.h"

namespace juggler {

// One lane to profile.
struct LaneUnderTest {
  std::string id;
  ProcessorKind kind = ProcessorKind::Cpu;
  std::string runtime;
  std::vector<std::string> variants;
  std::vector<int> threads{1};
  int batch_max = 1;
  bool builds_first = false;  // see CalibrationLane
  std::function<Result<std::unique_ptr<InferenceEngine>>(int threads)> make_engine;
  std::function<Bytes()> memory;
  // What a twin takes for its loads and holds while loaded: it has neither itself. May be empty.
  std::function<const Profile*(const std::string& variant)> announced;
  std::vector<MeasuredSlowdown> slowdowns{};  // a twin's: it computes nothing that another slows
};

// How warm the machine is.
struct ThermalState {
  std::optional<std::int64_t> temperature;  // millicelsius, of the hottest zone
  bool throttled = false;
};

struct ProfilingOptions {
  std::vector<int> batches{1, 2, 4};  // up to what a lane takes; 1 is always measured
  MeasuringGoal goal;
  RunMeter* meter = nullptr;              // null: no energy
  std::function<ThermalState()> thermal;  // after each point; may be empty
  // Told before each point: how many are done, of how many, and what comes. May be empty.
  std::function<void(std::size_t done, std::size_t total, const std::string& doing)> progress;
  std::function<bool()> stop;                               // may be empty
  std::function<Result<void>(const MachineProfile&)> keep;  // after each variant; may be empty
};

// Adds to `profile` what it lacks; what could not be measured is named in `left`, with the reason.
//
// errors  Unavailable: stopped, with all that was measured kept; those of `keep`
Result<void> profile_lane(const LaneUnderTest& lane, const Catalogue& catalogue,
                          const ProfilingOptions& options, MachineProfile& profile,
                          std::vector<std::string>& left);

// What looks wrong in a profile, one sentence each: scatter, batches that make no sense, faster
// than the processor can be, throttled, and far from what is published for `known`, a board's
// profile, if any: in time, and in energy where both meters are at the same place.
std::vector<std::string> doubts(const MachineProfile& profile, const Catalogue& catalogue,
                                const std::vector<Processor>& known);

}  // namespace juggler
