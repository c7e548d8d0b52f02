#include "runtime/journal_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace juggler {
namespace {

namespace fs = std::filesystem;

Error none_at(const fs::path& journal) {
  return fail(ErrorCode::NotFound,
              fmt::format("there is no journal at {}: name the folder that `juggler controller "
                          "--journal` was given, or one of its journal-*.jsonl files",
                          journal.string()));
}

}  // namespace

Result<JournalReader> JournalReader::open(const fs::path& journal, const std::string& run) {
  JournalReader reader;
  std::error_code failed;
  if (fs::is_directory(journal, failed)) {
    std::vector<JournalFile> files = list_journal(journal);
    for (const JournalFile& file : files) {
      if (reader.runs_.empty() || reader.runs_.back() != file.run) {
        reader.runs_.push_back(file.run);
      }
    }
    if (reader.runs_.empty()) {
      return none_at(journal);
    }
    const std::string& wanted = run.empty() ? reader.runs_.back() : run;
    std::copy_if(files.begin(), files.end(), std::back_inserter(reader.files_),
                 [&](const JournalFile& file) { return file.run == wanted; });
    if (reader.files_.empty()) {
      return fail(ErrorCode::NotFound,
                  fmt::format("{} has no run '{}'; there are: {}", journal.string(), run,
                              fmt::join(reader.runs_, ", ")));
    }
  } else if (fs::is_regular_file(journal, failed)) {
    reader.files_.push_back({journal, "", 0});
  } else {
    return none_at(journal);
  }
  if (Result<void> begun = reader.begin_file(); !begun) {
    return begun.error();
  }
  reader.missing_.reset();  // before the first there is nothing to read
  return reader;
}

Error JournalReader::at_place(const Error& error) const {
  return fail(error.code, place() + ": " + error.message);
}

std::string JournalReader::place() const {
  return fmt::format("{}:{}", files_[file_].path.string(), line_number_);
}

bool JournalReader::read_line() {
  line_.clear();
  char c = 0;
  std::streambuf& bytes = *in_.rdbuf();
  for (int next = bytes.sbumpc(); next != std::char_traits<char>::eof(); next = bytes.sbumpc()) {
    c = static_cast<char>(next);
    if (c == '\n') {
      line_number_ += 1;
      return true;
    }
    // One byte too many is kept, so that the decoder refuses it.
    if (line_.size() <= wire::kJournalLineMax) {
      line_.push_back(c);
    }
  }
  torn_ = torn_ || !line_.empty();
  return false;
}

Result<void> JournalReader::begin_file() {
  in_.close();
  in_.clear();
  in_.open(files_[file_].path, std::ios::binary);
  line_number_ = 0;
  if (!in_) {
    return fail(ErrorCode::NotFound, "cannot open " + files_[file_].path.string());
  }
  headless_ = !read_line();
  if (headless_) {
    line_number_ = 1;
    return at_place(fail(ErrorCode::Corrupt, "ends before its first line is whole"));
  }
  Result<wire::JournalLine> line = wire::decode_journal(line_);
  if (!line) {
    return at_place(line.error());
  }
  auto* head = std::get_if<wire::JournalHead>(&*line);
  if (head == nullptr) {
    return at_place(fail(ErrorCode::Corrupt, "the first line is not the head of a segment"));
  }
  if (head->segment != segment_ + 1) {
    missing_ = wire::JournalGap{0, fmt::format("segment {} is missing", segment_ + 1)};
  }
  segment_ = head->segment;
  if (file_ == 0) {
    head_ = std::move(*head);
  }
  return {};
}

Result<std::optional<wire::JournalLine>> JournalReader::next() {
  using Next = std::optional<wire::JournalLine>;
  while (!missing_.has_value() && !read_line()) {
    if (torn_ && file_ + 1 < files_.size()) {
      missing_ = wire::JournalGap{0, files_[file_].path.string() + " is cut at its end"};
      torn_ = false;
    }
    if (file_ + 1 == files_.size()) {
      return Next();
    }
    file_ += 1;
    if (Result<void> begun = begin_file(); !begun) {
      if (headless_ && file_ + 1 == files_.size()) {
        torn_ = true;  // killed between making its last segment and writing the first line of it
        return Next();
      }
      return begun.error();
    }
  }
  if (missing_.has_value()) {
    return Next(*std::exchange(missing_, std::nullopt));
  }
  Result<wire::JournalLine> line = wire::decode_journal(line_);
  if (!line) {
    return at_place(line.error());
  }
  if (std::holds_alternative<wire::JournalHead>(*line)) {
    return at_place(fail(ErrorCode::Corrupt, "a second head in one segment"));
  }
  return Next(std::move(*line));
}

}  // namespace juggler
