#pragma once
// Flags that the commands around the simulator share.

#include <optional>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "core/objective.h"
#include "core/result.h"
#include "sim/scenario.h"

namespace juggler {

// --home, --jobs.
void add_run_flags(CLI::App& app, std::string& home, std::size_t& jobs);

// The scenario's own policy where none is named; for `all` every one but the ablations, and
// MobileNetV3-Large alone where the fleet has it.
//
// errors  InvalidArgument: there is no such policy
Result<std::vector<std::string>> policies_named(const std::vector<std::string>& names,
                                                const Scenario& scenario);

// Nothing for an empty name.
Result<std::optional<Goal>> goal_named(const std::string& name);

}  // namespace juggler
