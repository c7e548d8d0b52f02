#pragma once
// A journal's traffic as a scenario: the fleet that said hello, the tasks that were submitted, when
// devices were away. What the controller did is left out, so that any policy can be asked what it
// would have done.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/result.h"
#include "runtime/journal_reader.h"
#include "sim/scenario.h"

namespace juggler::sim {

// Kinds of tasks that a run of the simulator keeps apart.
inline constexpr std::size_t kRecordedClassesMax = kScenarioClassesMax;

struct RecordedTraffic {
  Scenario scenario;
  std::uint64_t tasks = 0;
  std::uint64_t refused = 0;        // submissions that could be no task; left out
  std::uint64_t repeated = 0;       // the same task again; left out
  std::uint64_t steps_missing = 0;  // in gaps: what came then is not in it
  // Digits that are left of deadlines and energy limits, rounded down; 0: all, nothing was rounded.
  int digits = 0;
};

// From its start, or from where it begins now.
//
// requires  a reader that has read nothing yet
// errors    NotFound: no device or no task in it; a line that cannot be read; TooLarge
Result<RecordedTraffic> read_traffic(JournalReader& journal, const NetworkProfile& network);

}  // namespace juggler::sim
