#pragma once
// `juggler plan DEMAND.toml`: the cheapest fleet that serves a demand in time.

#include <cstddef>
#include <string>

namespace juggler {

struct FleetFlags {
  std::string demand;  // a file
  std::string home;
  std::string policy = "juggler";
  std::size_t seeds = 3;
  double on_time_percent = 99.0;
  std::size_t jobs = 0;
  bool json = false;
};

// Plans by the fluid programme, checks the answer by simulation, and plans with more headroom where
// it does not hold. Prints the answer; the exit status.
int plan_fleet(const FleetFlags& flags);

}  // namespace juggler
