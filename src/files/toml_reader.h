#pragma once
// TOML files read field by field, each checked, with errors that name file, line and reason. It is
// the only place that knows the TOML library; it never throws.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace juggler {

// A TOML file may not be larger than this: it is read whole.
inline constexpr std::size_t kTomlBytesMax = std::size_t{4} << 20U;

class TomlDocument;

struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = INT64_MAX;
};

struct NumberRange {
  double min = 0.0;
  double max = 0.0;
};

// One table of a document. Getters return a default after an error; the document keeps the first
// error, so that a loader reads all fields and asks once at the end.
//
// Lives no longer than its document.
class TomlSection {
 public:
  TomlSection(TomlDocument& document, const void* table, std::string name);

  bool has(std::string_view key) const;

  // Required values.
  std::string text(std::string_view key);
  std::int64_t integer(std::string_view key, IntegerRange range);
  double number(std::string_view key, NumberRange range);
  std::vector<double> numbers(std::string_view key, std::size_t count, NumberRange range);

  // Values that may be absent.
  std::string text_or(std::string_view key, std::string_view otherwise);
  std::optional<std::int64_t> maybe_integer(std::string_view key, IntegerRange range);
  std::optional<double> maybe_number(std::string_view key, NumberRange range);
  std::optional<bool> maybe_flag(std::string_view key);
  // A list of texts; empty where it is absent.
  std::vector<std::string> texts(std::string_view key, std::size_t count_max);

  // A value of an enumeration by its name; `parse` returns nothing for an unknown one.
  template <class Parse>
  auto choice(std::string_view key, Parse parse, std::string_view choices) {
    const std::string name = text(key);
    auto value = parse(name);
    if (!value.has_value() && !name.empty()) {
      refuse(key, "'" + name + "' is not one of: " + std::string(choices));
    }
    return value.value_or(typename decltype(value)::value_type{});
  }

  std::optional<TomlSection> maybe_section(std::string_view key);
  // An array of tables; empty where it is absent.
  std::vector<TomlSection> sections(std::string_view key, std::size_t count_max);

  // Makes an error of the document at this key.
  void refuse(std::string_view key, const std::string& reason);
  // Makes an error of a key that nobody asked for, with the nearest of those that were: for files
  // whose every word counts, such as scenarios.
  void refuse_unknown();
  // `file:line` of a key, or of the table where it has none: for errors found later.
  std::string where(std::string_view key) const;
  // Logs the keys that nobody asked for. Unknown keys are no error: a newer file may have more.
  void warn_unknown() const;

 private:
  unsigned line(std::string_view key) const;

  TomlDocument* document_;
  const void* table_;
  std::string name_;
  std::set<std::string, std::less<>> known_;
};

class TomlDocument {
 public:
  static Result<std::unique_ptr<TomlDocument>> load(const std::filesystem::path& path);
  // `origin` stands for the file in messages.
  static Result<std::unique_ptr<TomlDocument>> parse(std::string_view text, std::string origin);
  ~TomlDocument();
  TomlDocument(const TomlDocument&) = delete;
  TomlDocument& operator=(const TomlDocument&) = delete;

  TomlSection root();
  // The first error of any getter.
  Result<void> finish() const;
  const std::string& origin() const { return origin_; }

 private:
  friend class TomlSection;
  struct Parsed;
  TomlDocument(std::unique_ptr<Parsed> parsed, std::string origin);
  void refuse(unsigned line, const std::string& reason);

  std::unique_ptr<Parsed> parsed_;
  std::string origin_;
  std::optional<Error> error_;
};

// A basic TOML string with its quotes and escapes, for files that we write.
std::string toml_quoted(std::string_view text);

}  // namespace juggler
