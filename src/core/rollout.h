#pragma once
// How a rollout goes on: which device comes next, and whether the variant does well enough on the
// one it came to last. Pure; the keeper counts and asks.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/fleet_record.h"

namespace juggler {

// What has been seen of the variant on the device that it came to last.
struct RolloutTrial {
  std::int64_t results = 0;  // of attempts, of whatever end
  std::int64_t errors = 0;   // of them, the engine's
  Micros compute;            // for each picture, of the others, added up

  // Notes an attempt's end; `compute` is for its whole batch.
  void note(bool failed, Micros batch_compute, int batch_size);
};

struct RolloutView {
  bool live = false;               // the device is there
  std::optional<Micros> measured;  // for one picture, by the device itself; none: it serves it not
  Micros since_reached;            // since the record says that the device is to have it
  Micros since_served;             // since it was first seen to serve it
};

struct RolloutStep {
  enum class Kind { Wait, Next, RollBack };
  Kind kind = Kind::Wait;
  std::string reason{};  // for RollBack
};

// Fewer results say nothing about errors and speed: nothing goes on without them.
inline constexpr std::int64_t kRolloutResultsMin = 5;
// Test pictures for one device: who answers none of them will answer no more.
inline constexpr int kRolloutProbesMax = 4 * static_cast<int>(kRolloutResultsMin);
// Fetching, measuring and joining again take no longer than that, or something is wrong.
inline constexpr Micros kRolloutServeMax = seconds(300);
// Beyond the watch: a device that is asked and gives no results does not do well.
inline constexpr Micros kRolloutResultsMaxWait = seconds(60);

RolloutStep judge(const Rollout& rollout, const RolloutTrial& trial, const RolloutView& view);

// The next device for it, of those that are there: the first by name that is meant and does not
// have it. Nothing where all have it.
std::optional<std::string> next_device(const FleetRecord& record, const Rollout& rollout,
                                       const std::vector<std::string>& live);

}  // namespace juggler
