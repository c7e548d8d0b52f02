#pragma once
// What of a scenario a live run can be, and what not: nothing is left out silently.

#include <cstddef>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/scenario.h"
#include "sim/workload.h"

namespace juggler {

// Twins that one machine may host in a run; each is a process with a thread per processor.
inline constexpr std::size_t kLiveTwinsMax = 32;
inline constexpr std::size_t kLiveTasksMax = 2'000'000;

enum class LiveFleetKind {
  OwnTwins,  // started for the run, on this machine
  Given,     // it is up already; only the load is the scenario's
};

// errors  Unsupported: which part cannot be live, and what to do about it
Result<void> check_live(const Scenario& scenario, LiveFleetKind fleet);

// Puts every device on this machine's loopback, in place of its network.
//
// errors  NotFound: the table of networks has no `local`
Result<void> put_on_loopback(Scenario& scenario, const std::string& home);

// All arrivals of the scenario, as the simulator draws them.
//
// requires  rates in Hz
// errors    a trace that cannot be read; Unsupported: more tasks than kLiveTasksMax
Result<std::vector<Arrival>> live_arrivals(const Scenario& scenario);

}  // namespace juggler
