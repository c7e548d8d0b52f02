#include "files/fleet_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/device.h"
#include "files/toml_reader.h"

namespace juggler {
namespace {

std::optional<int> number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty()
             ? std::optional(number)
             : std::nullopt;
}

void read_device(TomlSection& section, FleetFile& file) {
  const Result<std::vector<std::string>> ids = expand_ids(section.text("id"));
  if (!ids) {
    section.refuse("id", ids.error().message);
    return;
  }
  FleetFile::Device device;
  device.enrol = section.maybe_flag("enrol").value_or(true);
  for (const std::string& text : section.texts("labels", kLabelsPerDeviceMax)) {
    const auto label = parse_label(text);
    if (!label) {
      section.refuse("labels", label.error().message);
      return;
    }
    device.note.labels.insert(*label);
  }
  for (std::string& group : section.texts("groups", kGroupsPerDeviceMax)) {
    if (!valid_record_word(group)) {
      section.refuse("groups", "'" + group + "' is no name for a group");
    }
    device.note.groups.insert(std::move(group));
  }
  for (const std::string& id : *ids) {
    if (!valid_device_id(id)) {
      section.refuse("id", "'" + id + "' is no device's name: lower-case letters, digits, hyphens");
      return;
    }
    device.note.device = id;
    file.devices.push_back(device);
  }
  if (file.devices.size() > kNotesMax) {
    section.refuse("id", fmt::format("that makes more than {} devices", kNotesMax));
    file.devices.resize(kNotesMax);
  }
  section.refuse_unknown();
}

void read_want(TomlSection& section, FleetFile& file) {
  const Result<Selector> where = parse_selector(section.text_or("where", "all"));
  if (!where) {
    section.refuse("where", where.error().message);
    return;
  }
  file.wants.push_back({*where, section.texts("models", kWantedModelsMax)});
  if (!section.has("models")) {
    section.refuse("models", "is missing: which models, networks or variants are wanted there");
  }
  section.refuse_unknown();
}

Result<FleetFile> read(TomlDocument& document) {
  FleetFile file;
  TomlSection root = document.root();
  for (TomlSection& section : root.sections("device", kNotesMax)) {
    read_device(section, file);
  }
  file.says_wants = root.has("want");
  for (TomlSection& section : root.sections("want", kWantsMax)) {
    read_want(section, file);
  }
  root.refuse_unknown();
  std::sort(file.devices.begin(), file.devices.end(),
            [](const auto& a, const auto& b) { return a.note.device < b.note.device; });
  const auto twice = std::adjacent_find(
      file.devices.begin(), file.devices.end(),
      [](const auto& a, const auto& b) { return a.note.device == b.note.device; });
  if (twice != file.devices.end()) {
    root.refuse("device", "'" + twice->note.device + "' is there twice");
  }
  if (Result<void> ok = document.finish(); !ok) {
    return ok.error();
  }
  return file;
}

}  // namespace

Result<FleetFile> load_fleet_file(const std::filesystem::path& path) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::load(path);
  return document ? read(**document) : Result<FleetFile>(document.error());
}

Result<FleetFile> parse_fleet_file(std::string_view text, std::string origin) {
  Result<std::unique_ptr<TomlDocument>> document = TomlDocument::parse(text, std::move(origin));
  return document ? read(**document) : Result<FleetFile>(document.error());
}

Result<std::pair<std::string, std::string>> parse_label(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view key = text.substr(0, equals);
  const std::string_view value =
      equals != std::string_view::npos ? text.substr(equals + 1) : std::string_view();
  if (!valid_record_word(key) || !valid_record_word(value)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' is no label: KEY=VALUE, each of 1 to 63 letters, digits and '-', "
                            "'_', '.'",
                            text));
  }
  return std::pair(std::string(key), std::string(value));
}

Result<std::vector<std::string>> expand_ids(std::string_view text) {
  const std::size_t open = text.find('{');
  if (open == std::string_view::npos) {
    return std::vector<std::string>{std::string(text)};
  }
  const std::size_t close = text.find('}', open);
  const std::size_t dots = text.find("..", open);
  if (close == std::string_view::npos || dots == std::string_view::npos || dots > close) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}': a range of names is written pi-{{1..20}}", text));
  }
  const auto first = number_of(text.substr(open + 1, dots - open - 1));
  const auto last = number_of(text.substr(dots + 2, close - dots - 2));
  if (!first || !last || *first < 0 || *last < *first ||
      static_cast<std::size_t>(*last - *first) >= kNotesMax) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}': a range goes from a number up to another, at most {} of them",
                            text, kNotesMax));
  }
  std::vector<std::string> ids;
  for (int number = *first; number <= *last; ++number) {
    ids.push_back(fmt::format("{}{}{}", text.substr(0, open), number, text.substr(close + 1)));
  }
  return ids;
}

}  // namespace juggler
