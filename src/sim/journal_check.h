#pragma once
// The journals of all the controllers of one broker, held to the promises: their runs are replayed
// side by side, in the order of their clock, under the checker that simulated worlds have.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace juggler::sim {

struct JournalVerdict {
  std::size_t runs = 0;
  std::uint64_t steps = 0;
  std::vector<std::string> complaints;  // of the checker, and steps that did something else
  // Complaints about tasks whose last steps a killed controller may not have written any more.
  std::vector<std::string> unsure;
  std::vector<std::string> ended_early;  // gaps, and journals without their beginning

  bool well() const { return complaints.empty() && ended_early.empty(); }
};

// requires  journals of one machine: only there the controllers have one clock
// errors    there is no journal; a line that cannot be read; a policy that there is not
Result<JournalVerdict> check_journals(const std::vector<std::filesystem::path>& folders);

}  // namespace juggler::sim
