#include "telemetry/parse_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

constexpr std::size_t kModesMax = 64;
constexpr std::size_t kRailsMax = 64;

// The integer after `key`, wherever that stands.
std::optional<std::int64_t> integer_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  return at == std::string_view::npos ? std::nullopt : parse_integer(text.substr(at + key.size()));
}

bool small(const std::optional<std::int64_t>& number) {
  return number.has_value() && *number >= 0 && *number < 1000;
}

struct JetPackRow {
  int major;
  int minor_from;
  int minor_to;
  std::string_view name;
};
constexpr std::array<JetPackRow, 6> kJetPacks{{{32, 1, 5, "4 (before 4.6)"},
                                               {32, 6, 7, "4.6"},
                                               {35, 0, 999, "5.x"},
                                               {36, 2, 3, "6.0"},
                                               {36, 4, 999, "6.1 or later"},
                                               {38, 0, 999, "7.x"}}};

}  // namespace

std::string L4tRelease::text() const { return fmt::format("{}.{}.{}", major, minor, patch); }

std::optional<L4tRelease> parse_l4t(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::optional<std::int64_t> major = integer_after(line, "# R");
  const std::size_t revision = line.find("REVISION:");
  if (!small(major) || revision == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = line.substr(revision + 9);
  const std::optional<std::int64_t> minor = take_integer(rest);
  if (!small(minor)) {
    return std::nullopt;
  }
  std::optional<std::int64_t> patch = 0;
  if (!rest.empty() && rest.front() == '.') {
    patch = parse_integer(rest.substr(1));
  }
  if (!small(patch)) {
    return std::nullopt;
  }
  return L4tRelease{static_cast<int>(*major), static_cast<int>(*minor), static_cast<int>(*patch)};
}

std::string jetpack_of(const L4tRelease& release) {
  for (const JetPackRow& row : kJetPacks) {
    if (row.major == release.major && release.minor >= row.minor_from &&
        release.minor <= row.minor_to) {
      return std::string(row.name);
    }
  }
  return release.major > 38 && release.major < 40 ? "7.x" : "";
}

std::optional<int> parse_power_mode(std::string_view text) {
  const std::optional<std::int64_t> id = integer_after(text, "pmode:");
  return small(id) ? std::optional(static_cast<int>(*id)) : std::nullopt;
}

std::vector<PowerModeName> parse_power_modes(std::string_view text) {
  std::vector<PowerModeName> modes;
  while (const std::optional<std::string_view> line = take_line(text)) {
    const std::size_t at = line->find("POWER_MODEL ID=");
    const std::size_t name_at = line->find("NAME=");
    if (at == std::string_view::npos || name_at == std::string_view::npos ||
        line->substr(0, at).find('#') != std::string_view::npos || modes.size() == kModesMax) {
      continue;
    }
    const std::optional<std::int64_t> id = integer_after(*line, "ID=");
    std::string_view rest = line->substr(name_at + 5);
    std::string_view name = take_word(rest);
    name = name.substr(0, name.find('>'));
    if (small(id) && !name.empty()) {
      modes.push_back({static_cast<int>(*id), std::string(name)});
    }
  }
  return modes;
}

std::vector<std::string> parse_compatible(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < 64) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    if (end > 0) {
      words.emplace_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

PiThrottle pi_throttle(std::uint64_t word) {
  const auto bit = [word](unsigned n) { return ((word >> n) & 1U) != 0; };
  return {.under_voltage = bit(0),
          .capped = bit(1),
          .throttled = bit(2),
          .soft_limit = bit(3),
          .under_voltage_since_boot = bit(16),
          .throttled_since_boot = bit(18)};
}

std::optional<std::uint64_t> parse_throttled(std::string_view text) {
  constexpr std::string_view kName = "throttled=";
  if (text.substr(0, kName.size()) == kName) {
    text.remove_prefix(kName.size());
  }
  return parse_hex(text);
}

std::optional<std::vector<PmicRail>> parse_pmic(std::string_view text) {
  struct Half {
    std::string name;
    std::optional<std::int64_t> microamps;
    std::optional<std::int64_t> microvolts;
  };
  std::vector<Half> halves;
  while (std::optional<std::string_view> line = take_line(text)) {
    std::string_view rest = *line;
    const std::string_view name = take_word(rest);  // VDD_CORE_A
    const std::size_t equals = rest.find('=');
    if (name.size() < 3 || equals == std::string_view::npos || halves.size() == kRailsMax) {
      continue;
    }
    const std::string_view kind = name.substr(name.size() - 2);
    const std::optional<std::int64_t> value = parse_decimal(rest.substr(equals + 1), 6);
    if (!value.has_value() || (kind != "_A" && kind != "_V")) {
      continue;
    }
    const std::string rail(name.substr(0, name.size() - 2));
    auto half = std::find_if(halves.begin(), halves.end(),
                             [&](const Half& known) { return known.name == rail; });
    if (half == halves.end()) {
      half = halves.insert(halves.end(), Half{rail, std::nullopt, std::nullopt});
    }
    (kind == "_A" ? half->microamps : half->microvolts) = value;
  }
  std::vector<PmicRail> rails;
  for (Half& half : halves) {
    constexpr std::int64_t kAmpsMax = 100'000'000;
    if (half.microamps.has_value() && half.microvolts.has_value() && *half.microamps >= 0 &&
        *half.microvolts >= 0 && *half.microamps < kAmpsMax && *half.microvolts < kAmpsMax) {
      rails.push_back({std::move(half.name), *half.microamps, *half.microvolts});
    }
  }
  return rails.empty() ? std::nullopt : std::optional(std::move(rails));
}

}  // namespace juggler
