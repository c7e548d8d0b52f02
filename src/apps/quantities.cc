#include "apps/quantities.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace juggler {
namespace {

struct Unit {
  std::string_view name;
  double factor;  // in units of the result
};

constexpr std::array<Unit, 4> kDurations{{{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}}};
constexpr std::array<Unit, 3> kPowers{{{"mW", 1}, {"W", 1e3}, {"kW", 1e6}}};
constexpr std::array<Unit, 3> kEnergies{{{"uJ", 1}, {"mJ", 1e3}, {"J", 1e6}}};
constexpr std::array<Unit, 3> kSizes{{{"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};
constexpr double kCountMax = 1e15;

struct Number {
  double value = 0.0;
  std::string_view unit;
};

std::optional<Number> take_number(std::string_view text) {
  Number number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error != std::errc{} || !std::isfinite(number.value)) {
    return std::nullopt;
  }
  number.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!number.unit.empty() && number.unit.front() == ' ') {
    number.unit.remove_prefix(1);
  }
  return number;
}

Error out_of_range(std::string_view text, double count, std::string_view what,
                   const std::string& most) {
  std::string why = fmt::format("the most is {}", most);
  if (count <= 0) {
    why = fmt::format("{} {} is above zero", what == "energy" ? "an" : "a", what);
  } else if (count < 1) {
    why = "it is too small to count";
  }
  return {ErrorCode::InvalidArgument, fmt::format("'{}' is out of range: {}", text, why)};
}

// A positive amount of one of `units`; the message shows how it should look.
template <std::size_t N>
Result<std::int64_t> parse(std::string_view text, const std::array<Unit, N>& units,
                           std::string_view what, std::string_view usual) {
  const std::optional<Number> number = take_number(text);
  if (!number.has_value()) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("'{}' is no {}: write a number and a unit, as in 200{}", text, what, usual));
  }
  if (number->unit.empty()) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{0}' has no unit: write {0}{1} if you mean that", text, usual));
  }
  std::string known;
  for (const Unit& unit : units) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", unit.name);
    if (unit.name != number->unit) {
      continue;
    }
    const double count = number->value * unit.factor;
    if (count < 1 || count > kCountMax) {
      return out_of_range(text, count, what,
                          fmt::format("{:g}{}", kCountMax / unit.factor, unit.name));
    }
    return std::llround(count);
  }
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("'{}' has the unknown unit '{}'; there are {}", text, number->unit, known));
}

// Three significant digits, no trailing zeros.
std::string three_digits(double value) {
  const int decimals = value >= 99.95 || value == 0 ? 0 : value >= 9.995 ? 1 : 2;
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text;
}

// Two digits: enough beside an interval.
std::string two_digits(double value) {
  std::string text = fmt::format("{:.{}f}", value, value >= 9.95 || value == 0 ? 0 : 1);
  if (text.size() > 2 && text.substr(text.size() - 2) == ".0") {
    text.resize(text.size() - 2);
  }
  return text;
}

struct Shown {
  double factor;
  std::string_view unit;
};

Shown unit_of(Microjoules energy) {
  if (energy.count >= 1'000'000) {
    return {1e6, "J"};
  }
  return energy.count >= 1'000 || energy.count == 0 ? Shown{1e3, "mJ"} : Shown{1, "uJ"};
}

std::string in(const Shown& shown, std::int64_t count) {
  return two_digits(static_cast<double>(count) / shown.factor);
}

}  // namespace

Result<Micros> parse_duration(std::string_view text) {
  const Result<std::int64_t> count = parse(text, kDurations, "duration", "ms");
  if (!count) {
    return count.error();
  }
  return Micros{*count};
}

Result<Microjoules> parse_energy(std::string_view text) {
  const Result<std::int64_t> count = parse(text, kEnergies, "energy", "mJ");
  if (!count) {
    return count.error();
  }
  return Microjoules{*count};
}

Result<Milliwatts> parse_power(std::string_view text) {
  const Result<std::int64_t> count = parse(text, kPowers, "power", "W");
  return count ? Result<Milliwatts>(Milliwatts{*count}) : count.error();
}

Result<Bytes> parse_size(std::string_view text) {
  const Result<std::int64_t> count = parse(text, kSizes, "size", "MiB");
  return count ? Result<Bytes>(Bytes{*count}) : count.error();
}

Result<MilliPercent> parse_percent(std::string_view text) {
  const std::optional<Number> number = take_number(text);
  if (!number.has_value() || (!number->unit.empty() && number->unit != "%") || number->value < 0 ||
      number->value > 100) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' is no accuracy: write percent top-1, 0 to 100, as in 75", text));
  }
  return MilliPercent{std::llround(number->value * 1000)};
}

std::string show(Micros duration) {
  const auto us = static_cast<double>(duration.count);
  if (duration.count >= 1'000'000) {
    return three_digits(us / 1e6) + " s";
  }
  return duration.count >= 1'000 ? three_digits(us / 1e3) + " ms" : three_digits(us) + " us";
}

std::string show(Microjoules energy) {
  const Shown shown = unit_of(energy);
  return fmt::format("{} {}", in(shown, energy.count), shown.unit);
}

std::string show(Milliwatts power) {
  return three_digits(static_cast<double>(power.count) / 1e3) + " W";
}

std::string show(Bytes size) {
  const auto bytes = static_cast<double>(size.count);
  if (size.count >= (std::int64_t{1} << 30U)) {
    return three_digits(bytes / (1 << 30U)) + " GiB";
  }
  if (size.count >= (1 << 20U)) {
    return three_digits(bytes / (1 << 20U)) + " MiB";
  }
  return size.count >= 1024 ? three_digits(bytes / 1024) + " KiB"
                            : fmt::format("{} bytes", size.count);
}

std::string show(MilliPercent accuracy) {
  return fmt::format("{:.1f} %", static_cast<double>(accuracy.count) / 1000.0);
}

std::string show_interval(const EnergyFigure& energy) {
  const Shown shown = unit_of(energy.value);
  if (energy.low == energy.high) {
    return show(energy.value);
  }
  return fmt::format("{} {} ({}-{})", in(shown, energy.value.count), shown.unit,
                     in(shown, energy.low.count), in(shown, energy.high.count));
}

std::string show_source(const EnergyFigure& energy) {
  std::string scope(to_string(energy.scope));
  for (char& c : scope) {
    c = c == '-' || c == '_' ? ' ' : c;
  }
  return fmt::format("{}, {}", to_string(energy.evidence), scope);
}

}  // namespace juggler
