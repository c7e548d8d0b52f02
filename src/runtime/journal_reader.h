#pragma once
// Reads one run of a journal, line by line, over all its segments.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "runtime/journal_files.h"
#include "wire/journal.h"

namespace juggler {

class JournalReader {
 public:
  // A folder, of which the last run is read where none is named, or one file of a run.
  //
  // errors  NotFound: there is no journal, no such run; else as decode_journal, with file and line
  static Result<JournalReader> open(const std::filesystem::path& journal,
                                    const std::string& run = "");

  const wire::JournalHead& head() const { return head_; }  // of the oldest segment that is there
  bool from_the_start() const { return head_.segment == 1; }
  const std::vector<std::string>& runs() const { return runs_; }  // of the folder
  std::size_t segments() const { return files_.size(); }

  // The next line, without heads; nothing at the end. A missing segment is a gap.
  //
  // errors  file, line and reason
  Result<std::optional<wire::JournalLine>> next();

  // Whether the last line was cut, as by a crash; it is left out.
  bool torn() const { return torn_; }
  // "FILE:LINE" of the last line.
  std::string place() const;

 private:
  Result<void> begin_file();
  // False at the end of the file.
  bool read_line();
  Error at_place(const Error& error) const;

  std::vector<JournalFile> files_;
  std::vector<std::string> runs_;
  wire::JournalHead head_;
  std::size_t file_ = 0;  // index into files_
  std::int64_t segment_ = 0;
  std::optional<wire::JournalGap> missing_;
  std::ifstream in_;
  std::string line_;
  std::int64_t line_number_ = 0;
  bool torn_ = false;
  bool headless_ = false;  // the segment ends before its first line is whole
};

}  // namespace juggler
