#pragma once
// Simulated runs of one scenario under several policies, and what is printed of them: what
// `juggler simulate` and `juggler replay --policy` share.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario.h"

namespace juggler {

struct SimulationChoice {
  std::vector<std::string> policies;
  std::string goal;
  std::optional<std::uint64_t> seed;  // the first; else the scenario's
  std::size_t seeds = 1;
  bool drawn = false;
  std::optional<double> load;
  std::string bound = "fluid";
  std::size_t jobs = 0;
  bool json = false;
  bool check = false;
};

// Runs every policy on the same arrivals and prints the table, or one JSON document. `note` stands
// below the table's heading. The exit status.
int run_simulation(const Scenario& scenario, const SimulationChoice& choice,
                   const std::string& note = "");

}  // namespace juggler
