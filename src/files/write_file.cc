#include "files/write_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace juggler {

Result<void> write_file(const std::filesystem::path& file, std::string_view text) {
  std::error_code failed;
  if (file.has_parent_path()) {
    std::filesystem::create_directories(file.parent_path(), failed);
  }
  const std::filesystem::path fresh = file.string() + ".new";
  const auto cannot = [&](const std::error_code& why) {
    return fail(
        ErrorCode::Unavailable,
        fmt::format("cannot write {}: {}; is there room, and may this user write to its folder?",
                    file.string(), why.message()));
  };
  errno = 0;
  {
    std::ofstream stream(fresh, std::ios::binary | std::ios::trunc);
    stream << text;
    if (!stream.flush()) {
      return cannot(std::error_code(errno, std::generic_category()));
    }
  }
  std::filesystem::rename(fresh, file, failed);
  if (failed) {
    return cannot(failed);
  }
  return {};
}

}  // namespace juggler
