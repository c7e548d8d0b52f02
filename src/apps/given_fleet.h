#pragma once
// The fleet that a live run finds on a broker: what the measures must know of it, from the
// controller's own answers, and how it differs from the scenario's.

#include <string>
#include <vector>

#include "apps/client.h"
#include "core/device.h"
#include "sim/scenario.h"

namespace juggler {

struct GivenFleet {
  std::string policy;
  std::vector<DeviceFacts> devices;  // of each its id, board, conversion and variants; no profiles
  std::vector<std::string> differences;  // from the scenario's fleet, in words
};

// errors  Unavailable: no controller, or no device that is live
Result<GivenFleet> ask_for_fleet(Client& client, const Scenario& scenario);

// From the answers to `status`, `devices` and `models`.
GivenFleet fleet_of_answers(const nlohmann::json& status, const nlohmann::json& devices,
                            const nlohmann::json& models, const Scenario& scenario);

}  // namespace juggler
