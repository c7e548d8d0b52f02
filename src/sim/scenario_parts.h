#pragma once
// The parts of a scenario file, each read from its table: keys, units and ranges. What they mean is
// in docs/scenarios.md; what must fit together is checked by settle().

#include <filesystem>

#include "files/toml_reader.h"
#include "sim/scenario_draft.h"

namespace juggler {

RateDraft read_rate(TomlSection& section);
// Relative trace files are looked for in `folder`.
ArrivalShape read_arrivals(TomlSection section, const std::filesystem::path& folder);
ClassDraft read_class(TomlSection& section, const std::filesystem::path& folder);
DeviceDraft read_device(TomlSection& section);
FaultDraft read_fault(TomlSection& section);
void read_expectations(TomlSection section, std::map<std::string, Expectation>& expectations);
void read_controller(TomlSection section, ControllerConfig& config);

}  // namespace juggler
