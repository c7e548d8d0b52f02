#pragma once
// Why a candidate that meets every requirement was not taken: by what the policy compares.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace juggler {

// A few words: "2.9x energy", "less energy, but 0.9 s later at 100 mW", "less accurate". Both are
// candidates of an `explain` answer (docs/protocol.md).
std::string reason_against(const nlohmann::json& candidate, const nlohmann::json& chosen,
                           const std::string& policy);

}  // namespace juggler
