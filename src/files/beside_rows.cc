#include "files/beside_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace juggler {
namespace {

constexpr NumberRange kTimes{0.1, 100.0};
constexpr std::int64_t kSamplesMax = 1'000'000'000;

std::int64_t permille_of(double times) { return std::llround(times * 1000); }
double times_of(std::int64_t permille) { return static_cast<double>(permille) / 1000; }

}  // namespace

std::vector<MeasuredSlowdown> read_slowdowns(TomlSection& processor) {
  std::vector<MeasuredSlowdown> read;
  for (TomlSection& row : processor.sections("beside", kProcessorsMax)) {
    MeasuredSlowdown slowdown;
    slowdown.by = row.text("processor");
    const double times = row.number("slowdown", kTimes);
    slowdown.permille = permille_of(times);
    slowdown.low = permille_of(row.maybe_number("slowdown_low", kTimes).value_or(times));
    slowdown.high = permille_of(row.maybe_number("slowdown_high", kTimes).value_or(times));
    slowdown.variant = row.text_or("variant", "");
    slowdown.beside_variant = row.text_or("beside_variant", "");
    slowdown.samples = static_cast<int>(row.maybe_integer("samples", {0, kSamplesMax}).value_or(0));
    for (const char* note : {"kind", "source"}) {
      row.text_or(note, "");
    }
    if (slowdown.low > slowdown.permille || slowdown.high < slowdown.permille) {
      row.refuse("slowdown", "must lie from slowdown_low to slowdown_high");
    }
    if (!slowdown.by.empty() && !valid_device_id(slowdown.by)) {
      row.refuse("processor", "must be of [a-z0-9-], 1 to 63 characters");
    }
    const auto at = std::lower_bound(
        read.begin(), read.end(), slowdown.by,
        [](const MeasuredSlowdown& known, const std::string& by) { return known.by < by; });
    if (at != read.end() && at->by == slowdown.by) {
      row.refuse("processor", "is there twice");
    }
    row.warn_unknown();
    read.insert(at, std::move(slowdown));
  }
  return read;
}

std::string slowdown_text(const MeasuredSlowdown& slowdown, const std::string& source) {
  return fmt::format(
      "\n[[processor.beside]]\nprocessor = {}\nslowdown = {:.3f}\nslowdown_low = {:.3f}\n"
      "slowdown_high = {:.3f}\nvariant = {}\nbeside_variant = {}\nsamples = {}\n"
      "kind = \"measured\"\nsource = {}\n",
      toml_quoted(slowdown.by), times_of(slowdown.permille), times_of(slowdown.low),
      times_of(slowdown.high), toml_quoted(slowdown.variant), toml_quoted(slowdown.beside_variant),
      slowdown.samples, toml_quoted(source));
}

std::vector<Slowdown> announced_slowdowns(const std::vector<MeasuredSlowdown>& measured) {
  std::vector<Slowdown> announced;
  for (const MeasuredSlowdown& slowdown : measured) {
    announced.push_back({slowdown.by, std::clamp(slowdown.permille, kSlowdownMin, kSlowdownMax)});
  }
  return announced;
}

}  // namespace juggler
