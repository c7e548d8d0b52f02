#pragma once
// What the keeper knows of a fleet, as JSON: labels, groups, wants, rollouts, and what devices
// hold. docs/protocol.md has the fields.

#include <map>
#include <string>

#include "core/fleet_record.h"
#include "files/catalogue.h"
#include "wire/models.h"

namespace juggler {

// What a device has said with its last question.
struct DeviceReport {
  wire::ModelsAsked asked;
  Micros ago;
};

std::string fleet_json(const FleetRecord& record, const Catalogue& catalogue,
                       const std::map<std::string, DeviceReport>& reports);
std::string error_json(const std::string& problem);

}  // namespace juggler
