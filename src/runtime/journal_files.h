#pragma once
// The files of a journal: journal-RUN-NUMBER.jsonl, one run per start of a controller, in segments
// of a bounded size, of which the oldest are deleted. One line per step; wire/journal.h has them.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/units.h"

namespace juggler {

// Of all the files of a folder, together.
inline constexpr Bytes kJournalBytesMaxDefault = mebibytes(256);
inline constexpr Bytes kJournalBytesMaxLeast = mebibytes(1);
inline constexpr int kJournalSegments = 16;  // so many make up all of it

struct JournalFile {
  std::filesystem::path path;
  std::string run;
  std::int64_t segment = 0;
};

// The journal files of a folder, the oldest run first.
std::vector<JournalFile> list_journal(const std::filesystem::path& folder);

// Writes one run. Not by several threads at once.
class JournalFiles {
 public:
  struct Options {
    std::filesystem::path folder;  // made where there is none; readable by its owner alone
    Bytes bytes_max = kJournalBytesMaxDefault;
    std::string run;
    // The lines that a segment of this number begins with.
    std::function<std::string(std::int64_t segment)> opening;
  };

  explicit JournalFiles(Options options) : options_(std::move(options)) {}
  ~JournalFiles();
  JournalFiles(const JournalFiles&) = delete;
  JournalFiles& operator=(const JournalFiles&) = delete;

  // Appends whole lines, in a new segment where they do not fit into this one; the first call
  // begins the first. Lines that are longer than a segment make one that is as long as they are.
  // After an error nothing of them is in the file, and the next call may do.
  Result<void> append(std::string_view lines);

  Bytes segment_max() const { return options_.bytes_max / kJournalSegments; }

 private:
  Result<void> begin_segment(std::int64_t more);
  void make_room(std::int64_t size_of_next) const;
  void close();

  Options options_;
  std::filesystem::path path_;
  int file_ = -1;
  std::int64_t segment_ = 0;
  std::int64_t size_ = 0;
  std::int64_t opening_size_ = 0;
};

}  // namespace juggler
