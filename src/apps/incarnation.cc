#include "apps/incarnation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "apps/places.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFileMax = 64;
constexpr std::int64_t kLastMax = std::int64_t{1} << 60U;  // beyond it the file is no count of ours

std::int64_t last_of(const fs::path& file) {
  std::int64_t last = 0;
  if (const Result<std::string> text = read_file(file, kFileMax)) {
    std::from_chars(text->data(), text->data() + text->size(), last);
  }
  return last <= kLastMax ? last : 0;
}

}  // namespace

std::int64_t next_incarnation(const fs::path& home, const std::string& device,
                              std::int64_t unix_seconds) {
  const fs::path file = home / "devices" / (device + ".start");
  const std::int64_t next = std::max(unix_seconds, last_of(file) + 1);
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  // By a new file that takes the old one's place: a power cut leaves one of the two.
  const fs::path fresh = file.string() + ".new";
  std::ofstream stream(fresh, std::ios::trunc);
  stream << next << '\n';
  stream.close();
  if (stream) {
    fs::rename(fresh, file, failed);
  }
  if (!stream || failed) {
    spdlog::warn("{} cannot be written: a start counts by the clock alone", file.string());
  }
  return next;
}

}  // namespace juggler
