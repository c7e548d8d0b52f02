#pragma once
// Whether a fleet could serve more pictures than its one broker carries: for `juggler doctor`.

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "apps/finding.h"

namespace juggler {

// Pictures a second, by a controller's answer to `models`: each processor with its fastest variant,
// one picture at a time.
double fleet_rate_hz(const nlohmann::json& models);

// Nothing where the broker carries more than these devices could serve.
std::optional<Finding> broker_ceiling(const nlohmann::json& models);

}  // namespace juggler
