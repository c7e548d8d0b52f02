#pragma once
// Network profiles by name: `networks.toml` beside the board profiles, and those that a scenario
// brings itself.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/result.h"
#include "files/toml_reader.h"
#include "sim/scenario.h"

namespace juggler {

using NetworkTable = std::map<std::string, NetworkProfile>;

inline constexpr std::size_t kNetworksMax = 256;

// Reads every [[network]] of a document into the table. One that is there already is replaced.
void read_networks(TomlSection& root, NetworkTable& table);

// errors  file, line and reason
Result<NetworkTable> parse_network_table(std::string_view text, const std::string& origin);
// That of the first profile folder that has one.
Result<NetworkTable> find_network_table(const std::filesystem::path& home);

}  // namespace juggler
