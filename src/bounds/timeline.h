#pragma once
// The arrivals of the hindsight programme, cut into slots, and every kind of batch that could serve
// them. The rounding is outward: what was possible stays possible.

#include <cstdint>
#include <span>
#include <vector>

#include "bounds/hindsight.h"
#include "bounds/supply.h"

namespace juggler::bounds {

// Tasks of one demand, released in one stretch of slots: one price for all of them.
struct TaskSet {
  std::uint32_t demand = 0;
  std::int64_t first_slot = 0;   // a batch with one of them starts in this slot or later
  std::int64_t deadline_us = 0;  // since the origin; the latest of them
  std::int64_t count = 0;
};

// One way to run a batch on a lane.
struct BatchKind {
  std::uint32_t option = 0;  // of the processor group
  int batch = 1;
  std::int64_t latency_us = 0;
  double energy_uj = 0.0;
  std::uint64_t serves = 0;  // bit d: tasks of demand d may be in it
};

// A group of equal processors.
struct Lane {
  std::uint32_t group = 0;
  std::int64_t count = 0;
  std::int64_t network_us = 0;
  std::int64_t cell_us = 0;  // its time is priced in cells of this length, some slots each
  std::vector<BatchKind> kinds;
};

struct Timeline {
  std::int64_t slot_us = 1;
  std::int64_t slots = 0;       // until the last deadline
  std::vector<TaskSet> sets;    // by first slot, then demand
  std::vector<Lane> lanes;      // those that can serve anything
  std::int64_t unservable = 0;  // tasks that fit no batch of one; not in `sets`

  std::int64_t cells(const Lane& lane) const {
    return (slots * slot_us + lane.cell_us - 1) / lane.cell_us;
  }
};

inline constexpr std::size_t kDemandsMax = 64;

// requires  arrivals as hindsight_energy() asks, not empty
Timeline make_timeline(std::span<const ProcessorGroup> groups, std::span<const Demand> demands,
                       std::span<const Arrival> arrivals, const HindsightTerms& terms);

}  // namespace juggler::bounds
