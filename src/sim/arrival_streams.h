#pragma once
// One arrival process each: its next time, from its parameters and its own random streams.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/scenario.h"

namespace juggler {

class ArrivalStream {
 public:
  virtual ~ArrivalStream() = default;
  // The next arrival in microseconds since the class began, never earlier than the one before.
  // Kept unrounded: rounding each gap would shift the rate of a fast stream. Nothing: no more come.
  virtual std::optional<double> next_us() = 0;
};

struct StreamSeed {
  std::uint64_t seed = 0;
  std::string name;  // of the class
};

// requires  a rate in Hz above 0, but for a trace
// errors    of a trace's file
Result<std::unique_ptr<ArrivalStream>> make_arrival_stream(const ArrivalProcess& arrivals,
                                                           const StreamSeed& seed);

// The low rate of an on-off process that has mean 1: what the dwell times leave for it.
// Negative where the bursts alone are more than the mean.
double low_rate_of(const OnOffArrivals& shape);

}  // namespace juggler
