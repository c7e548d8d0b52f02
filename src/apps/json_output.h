#pragma once
// What several commands print with --json.

#include <nlohmann/json.hpp>
#include <string>

#include "apps/client.h"

namespace juggler {

// One line on stdout, seen at once by who reads it: {"event": `event`, …fields}.
//
// requires  an object, without `event`
void print_event(const char* event, nlohmann::json fields);

// How one task of a client ended: docs/cli.md#juggler-submit.
nlohmann::json task_json(const std::string& file, const std::string& id,
                         const ClientAnswer& answer);

}  // namespace juggler
