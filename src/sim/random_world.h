#pragma once
// Worlds in which everything follows from a seed: fleet, load, faults and odd clients. For property
// tests and soak runs; small, so that thousands of them run in a minute.

#include <cstdint>
#include <string>

#include "sim/scenario.h"
#include "sim/world.h"

namespace juggler::sim {

struct RandomWorld {
  Scenario scenario;
  WorldOptions options;
};

// What a caller fixes instead of the seed.
struct RandomWorldLimits {
  int devices_max = 5;
  int tasks_max = 60;
  int faults_max = 12;
  std::string policy;       // empty: drawn
  bool watt_limits = true;  // some worlds have one
  bool slowdowns = false;   // processors of one device slow each other down
  bool cuts = true;         // in some, controllers and clients are cut off or frozen
};

RandomWorld random_world(std::uint64_t seed, const RandomWorldLimits& limits = {});

// Runs it with every check.
RunResult run_random_world(std::uint64_t seed, const RandomWorldLimits& limits = {},
                           bool trace = false);

// One line about it, for messages.
std::string describe(const RandomWorld& world);

}  // namespace juggler::sim
