#pragma once
// A fleet as a person writes it down: many devices with labels and groups, and what they are to
// hold. docs/fleet.md has an example.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/fleet_record.h"
#include "core/result.h"

namespace juggler {

struct FleetFile {
  struct Device {
    DeviceNote note;
    bool enrol = true;  // a login is made where there is none
  };
  std::vector<Device> devices;  // sorted by name
  std::vector<Want> wants;
  bool says_wants = false;  // whether there is any [[want]]: then they are all that there are
};

// errors  file, line and reason
Result<FleetFile> load_fleet_file(const std::filesystem::path& file);
Result<FleetFile> parse_fleet_file(std::string_view text, std::string origin);

// "site=roof" as a label.
//
// errors  InvalidArgument
Result<std::pair<std::string, std::string>> parse_label(std::string_view text);

// "pi-{1..3}" names pi-1, pi-2 and pi-3; anything else names itself.
//
// errors  InvalidArgument: no range, or more than kNotesMax
Result<std::vector<std::string>> expand_ids(std::string_view text);

}  // namespace juggler
