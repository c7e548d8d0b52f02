#pragma once
// What a fleet file changes about a fleet's record: pure, so that a dry run and a run are the same.

#include <string>
#include <vector>

#include "core/fleet_record.h"
#include "files/fleet_file.h"

namespace juggler {

// Puts into `record` what the file says, and returns a line for each thing that changes: what a
// person reads, "pi-1: labels site=roof (were none)". Devices that the file does not name stay.
std::vector<std::string> apply_to(FleetRecord& record, const FleetFile& file);

}  // namespace juggler
