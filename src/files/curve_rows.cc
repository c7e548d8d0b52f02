#include "files/curve_rows.h"

#include <cmath>

#include <fmt/format.h>

namespace juggler {
namespace {

constexpr double kTimesMax = 100.0;
constexpr double kCelsiusMin = -50.0;
constexpr double kCelsiusMax = 200.0;

std::int64_t thousandths(double value) { return std::llround(value * 1000); }
double of_thousandths(std::int64_t count) { return static_cast<double>(count) / 1000; }

// `kind` and `source` are for people.
void read_notes(TomlSection& section) {
  section.text_or("kind", "");
  section.text_or("source", "");
  section.warn_unknown();
}

}  // namespace

std::optional<Heating> read_heating(TomlSection& root) {
  std::optional<TomlSection> section = root.maybe_section("heat");
  if (!section.has_value()) {
    return std::nullopt;
  }
  Heating heat;
  heat.rest_millicelsius =
      thousandths(section->number("at_rest_celsius", {kCelsiusMin, kCelsiusMax}));
  heat.millicelsius_per_watt = thousandths(section->number("celsius_per_watt", {0.001, 1000.0}));
  heat.time = Micros{std::llround(section->number("time_constant_s", {0.01, 100'000.0}) * 1e6)};
  heat.throttle_millicelsius =
      thousandths(section->number("throttle_celsius", {kCelsiusMin, kCelsiusMax}));
  heat.slowdown_permille_per_celsius =
      thousandths(section->number("slowdown_per_celsius", {0.001, kTimesMax}));
  heat.slowdown_permille_max = thousandths(section->number("slowdown_max", {1.0, kTimesMax}));
  if (heat.throttle_millicelsius <= heat.rest_millicelsius) {
    section->refuse("throttle_celsius", "must lie above at_rest_celsius");
  }
  read_notes(*section);
  return heat;
}

std::optional<WarmUp> read_warm_up(TomlSection& processor) {
  std::optional<TomlSection> section = processor.maybe_section("warm_up");
  if (!section.has_value()) {
    return std::nullopt;
  }
  WarmUp warm_up;
  warm_up.slowdown_permille = thousandths(section->number("slowdown", {1.0, kTimesMax}));
  warm_up.work = Micros{std::llround(section->number("work_ms", {0.001, 1e8}) * 1000)};
  warm_up.rest = Micros{std::llround(section->number("rest_s", {0.001, 1e6}) * 1e6)};
  read_notes(*section);
  return warm_up;
}

std::string heating_text(const Heating& heat, const std::string& source) {
  return fmt::format(
      "\n[heat]\nat_rest_celsius = {:.3f}\ncelsius_per_watt = {:.3f}\ntime_constant_s = {:.3f}\n"
      "throttle_celsius = {:.3f}\nslowdown_per_celsius = {:.3f}\nslowdown_max = {:.3f}\n"
      "source = {}\n",
      of_thousandths(heat.rest_millicelsius), of_thousandths(heat.millicelsius_per_watt),
      static_cast<double>(heat.time.count) / 1e6, of_thousandths(heat.throttle_millicelsius),
      of_thousandths(heat.slowdown_permille_per_celsius),
      of_thousandths(heat.slowdown_permille_max), toml_quoted(source));
}

std::string warm_up_text(const WarmUp& warm_up, const std::string& source) {
  return fmt::format(
      "\n[processor.warm_up]\nslowdown = {:.3f}\nwork_ms = {:.3f}\nrest_s = {:.3f}\nsource = {}\n",
      of_thousandths(warm_up.slowdown_permille), static_cast<double>(warm_up.work.count) / 1000,
      static_cast<double>(warm_up.rest.count) / 1e6, toml_quoted(source));
}

}  // namespace juggler
