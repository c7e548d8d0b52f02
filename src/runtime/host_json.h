#pragma once
// What a device's heartbeat says of its machine, as the answer to `devices` shows it.

#include <nlohmann/json_fwd.hpp>

#include "core/host_sample.h"

namespace juggler {

// Without its memory; an empty object where nothing is known.
nlohmann::json host_json(const HostSample& host);

}  // namespace juggler
