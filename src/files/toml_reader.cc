#include "files/toml_reader.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <fstream>
#include <utility>

#include "files/nearest_name.h"
#include "files/toml_ascii.h"
#include "files/toml_library.h"

namespace juggler {
namespace {

const toml::table& as_table(const void* table) { return *static_cast<const toml::table*>(table); }

std::string where_text(std::string_view section, std::string_view key) {
  return section.empty() ? fmt::format("'{}'", key) : fmt::format("{}: '{}'", section, key);
}

bool in_range(double value, NumberRange range) {
  return std::isfinite(value) && value >= range.min && value <= range.max;
}

std::string range_text(NumberRange range) {
  return fmt::format("must be a number from {} to {}", range.min, range.max);
}

}  // namespace

struct TomlDocument::Parsed {
  toml::table root;
};

TomlDocument::TomlDocument(std::unique_ptr<Parsed> parsed, std::string origin)
    : parsed_(std::move(parsed)), origin_(std::move(origin)) {}
TomlDocument::~TomlDocument() = default;

Result<std::unique_ptr<TomlDocument>> TomlDocument::load(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorCode::NotFound, "cannot open " + path.string());
  }
  std::string text(kTomlBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse(text, path.string());
}

Result<std::unique_ptr<TomlDocument>> TomlDocument::parse(std::string_view text,
                                                          std::string origin) {
  if (text.size() > kTomlBytesMax) {
    return fail(ErrorCode::TooLarge, origin + ": larger than 4 MiB");
  }
  const Result<std::string> ascii = toml_ascii(text, origin);
  if (!ascii) {
    return ascii.error();
  }
  toml::parse_result parsed = toml::parse(*ascii, origin);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(ErrorCode::Corrupt, origin + ":" + std::to_string(error.source().begin.line) +
                                        ": " + std::string(error.description()));
  }
  auto owned = std::make_unique<Parsed>(Parsed{std::move(parsed).table()});
  return std::unique_ptr<TomlDocument>(new TomlDocument(std::move(owned), std::move(origin)));
}

TomlSection TomlDocument::root() { return {*this, &parsed_->root, ""}; }

Result<void> TomlDocument::finish() const {
  if (error_.has_value()) {
    return *error_;
  }
  return {};
}

void TomlDocument::refuse(unsigned line, const std::string& reason) {
  if (!error_.has_value()) {
    error_ = fail(ErrorCode::InvalidArgument, origin_ + ":" + std::to_string(line) + ": " + reason);
  }
}

TomlSection::TomlSection(TomlDocument& document, const void* table, std::string name)
    : document_(&document), table_(table), name_(std::move(name)) {}

bool TomlSection::has(std::string_view key) const { return as_table(table_).get(key) != nullptr; }

unsigned TomlSection::line(std::string_view key) const {
  const toml::node* node = as_table(table_).get(key);
  const toml::source_region& at = node != nullptr ? node->source() : as_table(table_).source();
  return static_cast<unsigned>(at.begin.line);
}

void TomlSection::refuse(std::string_view key, const std::string& reason) {
  document_->refuse(line(key), where_text(name_, key) + ": " + reason);
}

std::string TomlSection::where(std::string_view key) const {
  return document_->origin_ + ":" + std::to_string(line(key));
}

std::string TomlSection::text(std::string_view key) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    refuse(key, "is missing");
    return {};
  }
  const toml::value<std::string>* value = node->as_string();
  if (value == nullptr || value->get().empty() || value->get().size() > 4096) {
    refuse(key, "must be a text of 1 to 4096 bytes");
    return {};
  }
  return value->get();
}

std::string TomlSection::text_or(std::string_view key, std::string_view otherwise) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node != nullptr && node->is_string() && node->as_string()->get().empty()) {
    return std::string(otherwise);
  }
  return node != nullptr ? text(key) : std::string(otherwise);
}

std::optional<std::int64_t> TomlSection::maybe_integer(std::string_view key, IntegerRange range) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  const toml::value<std::int64_t>* value = node->as_integer();
  if (value == nullptr || value->get() < range.min || value->get() > range.max) {
    refuse(key, "must be a whole number from " + std::to_string(range.min) + " to " +
                    std::to_string(range.max));
    return std::nullopt;
  }
  return value->get();
}

std::int64_t TomlSection::integer(std::string_view key, IntegerRange range) {
  if (!has(key)) {
    refuse(key, "is missing");
  }
  return maybe_integer(key, range).value_or(range.min);
}

std::optional<double> TomlSection::maybe_number(std::string_view key, NumberRange range) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  const double value = node->is_number() ? node->value<double>().value_or(NAN) : NAN;
  if (!in_range(value, range)) {
    refuse(key, range_text(range));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> TomlSection::maybe_flag(std::string_view key) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  const toml::value<bool>* value = node->as_boolean();
  if (value == nullptr) {
    refuse(key, "must be true or false");
    return std::nullopt;
  }
  return value->get();
}

std::vector<std::string> TomlSection::texts(std::string_view key, std::size_t count_max) {
  known_.emplace(key);
  std::vector<std::string> values;
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return values;
  }
  const toml::array* array = node->as_array();
  bool good = array != nullptr && !array->empty() && array->size() <= count_max;
  for (std::size_t i = 0; good && i < array->size(); ++i) {
    const toml::value<std::string>* value = array->get(i)->as_string();
    good = value != nullptr && !value->get().empty() && value->get().size() <= 4096;
    values.push_back(good ? value->get() : "");
  }
  if (!good) {
    refuse(key, fmt::format("must be a list of 1 to {} texts", count_max));
    values.clear();
  }
  return values;
}

double TomlSection::number(std::string_view key, NumberRange range) {
  if (!has(key)) {
    refuse(key, "is missing");
  }
  return maybe_number(key, range).value_or(range.min);
}

std::vector<double> TomlSection::numbers(std::string_view key, std::size_t count,
                                         NumberRange range) {
  known_.emplace(key);
  std::vector<double> values;
  const toml::node* node = as_table(table_).get(key);
  const toml::array* array = node != nullptr ? node->as_array() : nullptr;
  if (array != nullptr && array->size() == count) {
    for (const toml::node& item : *array) {
      const double value = item.is_number() ? item.value<double>().value_or(NAN) : NAN;
      if (in_range(value, range)) {
        values.push_back(value);
      }
    }
  }
  if (values.size() != count) {
    refuse(key, "must be a list of " + std::to_string(count) + " numbers, each of which " +
                    range_text(range));
    values.assign(count, range.min);
  }
  return values;
}

std::optional<TomlSection> TomlSection::maybe_section(std::string_view key) {
  known_.emplace(key);
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (!node->is_table()) {
    refuse(key, "must be a table");
    return std::nullopt;
  }
  return TomlSection(*document_, node->as_table(), where_text(name_, key));
}

std::vector<TomlSection> TomlSection::sections(std::string_view key, std::size_t count_max) {
  known_.emplace(key);
  std::vector<TomlSection> found;
  const toml::node* node = as_table(table_).get(key);
  if (node == nullptr) {
    return found;
  }
  const toml::array* array = node->as_array();
  if (array == nullptr || array->size() > count_max) {
    refuse(key, "must be a list of at most " + std::to_string(count_max) + " tables");
    return found;
  }
  for (const toml::node& item : *array) {
    if (!item.is_table()) {
      refuse(key, "must be a list of tables");
      return {};
    }
    const toml::table* table = item.as_table();
    const std::string fallback = std::string(key) + " " + std::to_string(found.size() + 1);
    const std::string id = table->get("id") != nullptr
                               ? table->get("id")->value<std::string>().value_or(fallback)
                               : fallback;
    found.emplace_back(*document_, table, id);
  }
  return found;
}

void TomlSection::refuse_unknown() {
  for (const auto& [key, node] : as_table(table_)) {
    if (!known_.contains(key.str())) {
      refuse(key.str(), "is no key here. " + suggestion(key.str(), {known_.begin(), known_.end()}));
    }
  }
}

void TomlSection::warn_unknown() const {
  for (const auto& [key, node] : as_table(table_)) {
    if (!known_.contains(key.str())) {
      spdlog::warn("{}:{}: {} is unknown and ignored", document_->origin_,
                   static_cast<unsigned>(node.source().begin.line), where_text(name_, key.str()));
    }
  }
}

std::string toml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f) {
      quoted += ' ';
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace juggler
