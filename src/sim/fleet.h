#pragma once
// Devices of a scenario from the boards' profiles: what they announce, and what may really be true
// of a board whose figures are known to an interval only.

#include <cstdint>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "files/board_profile.h"
#include "files/variant_table.h"
#include "sim/scenario.h"

namespace juggler {

// What of a board takes part; all of it where a list is empty.
struct BoardChoice {
  std::vector<std::string> variants;    // variants, networks or models
  std::vector<std::string> processors;  // ids
};

// A device of this board as its twin announces it, without id, with the accuracies of the table.
// Both its facts are as announced.
//
// errors  a choice that names nothing of the board; a board without processors or memory
Result<ScenarioDevice> device_of(const BoardProfile& board, const VariantTable& variants,
                                 const BoardChoice& choice);

// One draw of every latency, energy, load time, idle power and scope conversion from its interval,
// each log-triangular with its mode at the figure (docs/scenarios.md#intervals). Batch sizes of a
// variant are wrong together; a processor's power is wrong by one factor for all its variants; all
// boards of one kind share a draw, because a profile is wrong about the kind. What was measured, or
// has no interval, stays.
DeviceFacts draw_facts(const DeviceFacts& announced, const FactsIntervals& intervals,
                       std::uint64_t seed);

// Sets the truth of every device: as announced, or drawn by the scenario's seed where it says so,
// and slower where a device says so. Call it again after a change of seed.
void settle_truth(Scenario& scenario);

}  // namespace juggler
