#include "runtime/journal_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <tuple>
#include <utility>

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kEnding = ".jsonl";

std::string why(int error) { return std::generic_category().message(error); }

std::optional<JournalFile> journal_file(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::size_t dash = name.rfind('-');
  if (name.rfind(kPrefix, 0) != 0 || dash < kPrefix.size() || path.extension() != kEnding) {
    return std::nullopt;
  }
  JournalFile file{path, name.substr(kPrefix.size(), dash - kPrefix.size()), 0};
  const char* end = name.data() + name.size() - kEnding.size();
  const auto [stop, failed] = std::from_chars(name.data() + dash + 1, end, file.segment);
  return failed == std::errc() && stop == end ? std::optional(file) : std::nullopt;
}

// All of it, or an error.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return written == 0 ? EIO : errno;
    }
  }
  return 0;
}

}  // namespace

std::vector<JournalFile> list_journal(const fs::path& folder) {
  std::vector<JournalFile> files;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    if (std::optional<JournalFile> file = journal_file(entry.path())) {
      files.push_back(std::move(*file));
    }
  }
  std::sort(files.begin(), files.end(), [](const JournalFile& a, const JournalFile& b) {
    return std::tie(a.run, a.segment) < std::tie(b.run, b.segment);
  });
  return files;
}

JournalFiles::~JournalFiles() { close(); }

void JournalFiles::close() {
  if (file_ >= 0) {
    ::fdatasync(file_);
    ::close(std::exchange(file_, -1));
  }
}

// Deletes the oldest segments until one more of that size fits into the bound.
void JournalFiles::make_room(std::int64_t size_of_next) const {
  std::vector<std::pair<fs::path, std::int64_t>> kept;
  std::int64_t all = size_of_next;
  std::error_code failed;
  for (const JournalFile& file : list_journal(options_.folder)) {
    const std::uintmax_t size = fs::file_size(file.path, failed);
    kept.emplace_back(file.path, failed ? 0 : static_cast<std::int64_t>(size));
    all += kept.back().second;
  }
  for (const auto& [path, size] : kept) {
    if (all <= options_.bytes_max.count) {
      return;
    }
    if (path != path_ && fs::remove(path, failed)) {
      all -= size;
    }
  }
}

Result<void> JournalFiles::begin_segment(std::int64_t more) {
  std::error_code failed;
  if (fs::create_directories(options_.folder, failed)) {
    fs::permissions(options_.folder, fs::perms::owner_all, failed);
  }
  make_room(std::max(segment_max().count, more));
  const fs::path path =
      options_.folder / fmt::format("{}{}-{:06}{}", kPrefix, options_.run, segment_ + 1, kEnding);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot create {}: {}", path.string(), why(errno)));
  }
  const std::string opening = options_.opening(segment_ + 1);
  if (const int error = write_all(file, opening); error != 0) {
    ::close(file);
    fs::remove(path, failed);
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot write {}: {}", path.string(), why(error)));
  }
  close();
  path_ = path;
  file_ = file;
  segment_ += 1;
  opening_size_ = static_cast<std::int64_t>(opening.size());
  size_ = opening_size_;
  return {};
}

Result<void> JournalFiles::append(std::string_view lines) {
  const auto more = static_cast<std::int64_t>(lines.size());
  const bool full = size_ + more > segment_max().count && size_ > opening_size_;
  if (file_ < 0 || full) {
    if (Result<void> begun = begin_segment(more); !begun) {
      return begun;
    }
  }
  if (const int error = write_all(file_, lines); error != 0) {
    // A part of a line would make the next one unreadable.
    if (::ftruncate(file_, size_) != 0 || ::lseek(file_, size_, SEEK_SET) < 0) {
      close();  // the next call begins another segment
    }
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot write {}: {}", path_.string(), why(error)));
  }
  size_ += more;
  return {};
}

}  // namespace juggler
