#pragma once
// Where board profiles, the tables beside them, and scenarios lie.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace juggler {

// A kind of files: the folder they lie in, and the variable that names another.
struct DataFolders {
  const char* folder;
  const char* variable;
};
inline constexpr DataFolders kProfileFolders{"profiles", "JUGGLER_PROFILES"};
inline constexpr DataFolders kHomeFolders{"var", "JUGGLER_HOME"};  // where make sets up
inline constexpr DataFolders kScenarioFolders{"scenarios", "JUGGLER_SCENARIOS"};

// Those that are there, in this order: the variable's, `<home>/<folder>`, the `<folder>` of every
// folder above the executable (a checkout), /usr/share/juggler/<folder>.
std::vector<std::filesystem::path> data_folders(const DataFolders& kind,
                                                const std::filesystem::path& home);

// For messages: "in FOLDER, FOLDER", or which places have no such folder.
std::string where_looked(const DataFolders& kind, const std::filesystem::path& home);

// Tables that lie beside the board profiles and are none.
inline constexpr std::string_view kVariantTable = "variants";
inline constexpr std::string_view kNetworkTable = "networks";

// The file `<name>.toml` of the first folder that has it.
//
// requires  a name without folders
// errors    NotFound with what was tried
Result<std::filesystem::path> find_profile_file(std::string_view name,
                                                const std::filesystem::path& home);

}  // namespace juggler
