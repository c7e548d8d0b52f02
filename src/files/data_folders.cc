#include "files/data_folders.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace juggler {

std::vector<std::filesystem::path> data_folders(const DataFolders& kind,
                                                const std::filesystem::path& home) {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv(kind.variable); named != nullptr && *named != '\0') {
    folders.emplace_back(named);
  }
  if (!home.empty()) {
    folders.push_back(home / kind.folder);
  }
  std::error_code failed;
  std::filesystem::path above = std::filesystem::read_symlink("/proc/self/exe", failed);
  while (above.has_relative_path()) {
    above = above.parent_path();
    folders.push_back(above / kind.folder);
  }
  folders.push_back(std::filesystem::path("/usr/share/juggler") / kind.folder);
  const auto is_missing = [&](const std::filesystem::path& folder) {
    return !std::filesystem::is_directory(folder, failed);
  };
  folders.erase(std::remove_if(folders.begin(), folders.end(), is_missing), folders.end());
  return folders;
}

std::string where_looked(const DataFolders& kind, const std::filesystem::path& home) {
  std::string folders;
  for (const std::filesystem::path& folder : data_folders(kind, home)) {
    folders += (folders.empty() ? "in " : ", ") + folder.string();
  }
  if (!folders.empty()) {
    return folders;
  }
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  return "because there is no folder '" + std::string(kind.folder) + "': not by $" + kind.variable +
         (home.empty() ? "" : ", in " + home.string()) + ", above " + program.string() +
         " or in /usr/share/juggler";
}

Result<std::filesystem::path> find_profile_file(std::string_view name,
                                                const std::filesystem::path& home) {
  std::string tried;
  for (const std::filesystem::path& folder : data_folders(kProfileFolders, home)) {
    const std::filesystem::path file = folder / (std::string(name) + ".toml");
    std::error_code failed;
    if (std::filesystem::exists(file, failed)) {
      return file;
    }
    tried += (tried.empty() ? "" : ", ") + folder.string();
  }
  return fail(ErrorCode::NotFound, "no file '" + std::string(name) + ".toml' in " +
                                       (tried.empty() ? "any folder of profiles" : tried));
}

}  // namespace juggler
