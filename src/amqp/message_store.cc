#include "amqp/message_store.h"

#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace juggler::amqp {
namespace {

namespace fs = std::filesystem;

// By a process that this one may look into: its own user's, or everybody's where it is root.
bool is_open_somewhere(const fs::path& file) {
  std::error_code gone;  // processes end while they are looked at
  for (fs::directory_iterator process("/proc", gone), end; process != end;
       process.increment(gone)) {
    for (fs::directory_iterator fd(process->path() / "fd", gone); fd != end; fd.increment(gone)) {
      if (fs::read_symlink(fd->path(), gone) == file) {
        return true;
      }
    }
  }
  return false;
}

fs::path free_name_beside(const fs::path& file) {
  for (int number = 0;; ++number) {
    fs::path name = file.parent_path() / fmt::format("{}.rdq", number);
    if (std::error_code unknown; !fs::exists(name, unknown)) {
      return name;
    }
  }
}

}  // namespace

Result<std::vector<MendedFile>> mend_message_stores(const std::string& folder) {
  std::error_code error;
  const fs::path top = fs::canonical(folder, error);
  if (error) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read '{}': {}; name the folder of the node's data, as the "
                            "broker's user",
                            folder, error.message()));
  }
  std::vector<fs::path> left;
  for (fs::recursive_directory_iterator entry(top, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".rdt" &&
        entry->path().parent_path().filename().string().starts_with("msg_store_")) {
      left.push_back(entry->path());
    }
  }
  if (error) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot read all of '{}': {}; run this as the broker's user, rabbitmq",
                            folder, error.message()));
  }
  std::vector<MendedFile> mended;
  for (const fs::path& file : left) {
    if (is_open_somewhere(file)) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("'{}' is open: the broker runs; stop it first", file.string()));
    }
    const fs::path name = free_name_beside(file);
    fs::rename(file, name, error);
    if (error) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("cannot rename '{}' to '{}': {}; run this as the broker's user, "
                              "rabbitmq",
                              file.string(), name.string(), error.message()));
    }
    mended.push_back({file.string(), name.string()});
  }
  return mended;
}

}  // namespace juggler::amqp
