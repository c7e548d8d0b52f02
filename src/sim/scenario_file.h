#pragma once
// Scenario files (TOML): docs/scenarios.md has the format. A file may include others, and a fleet
// and a pattern of load make a scenario together: `home/burst`.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/scenario.h"

namespace juggler {

inline constexpr std::size_t kScenarioFilesMax = 16;  // of one scenario, with all it includes

// Boards, accuracies and networks are looked up under `home` and in the folders of
// data_folders().
//
// errors  file, line, key, what is wrong and what is allowed
Result<Scenario> load_scenario(const std::filesystem::path& file,
                               const std::filesystem::path& home);
// Several files as if one included the others, in this order: a later one replaces what an earlier
// one said. Its name is that of the parts.
Result<Scenario> load_scenario(const std::vector<std::filesystem::path>& files,
                               const std::string& name, const std::filesystem::path& home);
// From text; `origin` stands for the file in messages. It may not include anything.
Result<Scenario> parse_scenario(std::string_view text, const std::string& origin,
                                const std::filesystem::path& home);

// A scenario by a path, by the name of a file in a folder of scenarios, or as FLEET/PATTERN.
// Looked for in $JUGGLER_SCENARIOS, `<home>/scenarios`, the `scenarios` of every folder above the
// executable (a checkout), /usr/share/juggler/scenarios.
//
// errors  NotFound with the names that there are
Result<Scenario> find_scenario(const std::string& name, const std::filesystem::path& home);

// All names that find_scenario() knows: single files, then each fleet with each pattern; sorted.
std::vector<std::string> list_scenarios(const std::filesystem::path& home);

}  // namespace juggler
