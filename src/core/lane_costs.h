#pragma once
// What each variant costs on one processor at each batch size, worked out once when a device says
// hello, so that a decision only looks it up.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/device.h"
#include "core/units.h"

namespace juggler {

// Batches of more tasks than this are not planned.
inline constexpr int kPlannedBatchMax = 64;

// One batch: time by the profile, energy for decisions.
struct BatchCost {
  Micros mean;
  Micros spread;                           // one standard deviation
  std::optional<Microjoules> energy;       // above idle, at the board's input
  std::optional<Microjoules> energy_high;  // upper end of its interval, at the board's input
  Micros load;                             // of the variant; nothing where it is there already

  // With the load: how long the processor has it.
  Micros takes() const { return mean + load; }
  std::int64_t variance_us2() const { return spread.count * spread.count; }
};

// The least that a task's share can be in a batch of one to so many tasks, as the profile says.
struct LeastShare {
  Micros mean;
  Microjoules energy;         // nothing where some batch's is unknown
  bool energy_known = false;  // of any
};

struct ProfileCosts {
  std::uint32_t variant = 0;        // position in DeviceFacts::variants
  std::vector<BatchCost> by_tasks;  // [0] is one task; at least one entry; never decreasing in time
  std::vector<LeastShare> least;    // likewise
  // What it takes above idle while it runs, at the board's input: the most of any batch size, by
  // the upper end of its interval. Nothing where some size's energy is unknown.
  std::optional<Milliwatts> power;

  int batch_max() const { return static_cast<int>(by_tasks.size()); }
  const BatchCost& of(int tasks) const { return by_tasks[static_cast<std::size_t>(tasks - 1)]; }
};

// Whether the share of one of so many tasks keeps a limit: its upper end counts, since a limit is a
// promise. Who knows no energy keeps none.
inline bool within_energy(const BatchCost& batch, int tasks, std::optional<Microjoules> limit) {
  return !limit.has_value() ||
         (batch.energy_high.has_value() && *batch.energy_high / tasks <= *limit);
}

// One per profile of the processor, in its order.
using LaneCosts = std::vector<ProfileCosts>;

// requires  facts that validate() accepts
// ensures   a batch takes no less time than a smaller one, whatever the profile says: who joins a
//           batch never makes it faster, or planning might never end
// source    profiles: docs/profiles.md; spread = (p95 - mean) / 1.645, as of a normal distribution
LaneCosts costs_of(const DeviceFacts& facts, const Processor& processor);

}  // namespace juggler
