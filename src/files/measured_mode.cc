#include "files/measured_mode.h"

#include <fmt/format.h>

namespace juggler {
namespace {

constexpr IntegerRange kClock{1, 1'000'000'000'000};

std::string clock_words(std::int64_t hertz) {
  return fmt::format("{:.0f} MHz", static_cast<double>(hertz) / 1e6);
}
const char* locked_words(bool locked) { return locked ? "locked" : "free"; }

// Where both are known and differ.
template <class T, class Words>
void add_difference(const std::optional<T>& a, const std::optional<T>& b, const char* what,
                    Words words, std::vector<std::string>& found) {
  if (a.has_value() && b.has_value() && *a != *b) {
    found.push_back(fmt::format("{} {} and {}", what, words(*a), words(*b)));
  }
}

}  // namespace

MeasuredMode read_measured_mode(TomlSection& measured) {
  MeasuredMode mode;
  mode.power_mode = measured.text_or("power_mode", "");
  mode.power_mode_id = measured.maybe_integer("power_mode_id", {0, 1'000});
  mode.clocks_locked = measured.maybe_flag("clocks_locked");
  mode.cpu_khz_max = measured.maybe_integer("cpu_khz_max", kClock);
  mode.gpu_hz_max = measured.maybe_integer("gpu_hz_max", kClock);
  return mode;
}

std::string measured_mode_text(const MeasuredMode& mode) {
  std::string text;
  if (!mode.power_mode.empty()) {
    text += fmt::format("power_mode = {}\n", toml_quoted(mode.power_mode));
  }
  if (mode.power_mode_id.has_value()) {
    text += fmt::format("power_mode_id = {}\n", *mode.power_mode_id);
  }
  if (mode.clocks_locked.has_value()) {
    text += fmt::format("clocks_locked = {}\n", *mode.clocks_locked);
  }
  if (mode.cpu_khz_max.has_value()) {
    text += fmt::format("cpu_khz_max = {}\n", *mode.cpu_khz_max);
  }
  if (mode.gpu_hz_max.has_value()) {
    text += fmt::format("gpu_hz_max = {}\n", *mode.gpu_hz_max);
  }
  return text;
}

bool other_power_mode(const MeasuredMode& a, const MeasuredMode& b) {
  if (a.power_mode_id.has_value() && b.power_mode_id.has_value() &&
      a.power_mode_id != b.power_mode_id) {
    return true;
  }
  return !a.power_mode.empty() && !b.power_mode.empty() && a.power_mode != b.power_mode;
}

std::string power_mode_name(const MeasuredMode& mode) {
  if (!mode.power_mode_id.has_value()) {
    return mode.power_mode.empty() ? "no power mode" : mode.power_mode;
  }
  return mode.power_mode.empty() ? std::to_string(*mode.power_mode_id)
                                 : fmt::format("{} ({})", mode.power_mode, *mode.power_mode_id);
}

std::string mode_words(const MeasuredMode& mode) {
  std::vector<std::string> parts;
  if (!mode.power_mode.empty() || mode.power_mode_id.has_value()) {
    parts.push_back("power mode " + power_mode_name(mode));
  }
  if (mode.cpu_khz_max.has_value()) {
    parts.push_back("cores up to " + clock_words(*mode.cpu_khz_max * 1000));
  }
  if (mode.gpu_hz_max.has_value()) {
    parts.push_back("GPU up to " + clock_words(*mode.gpu_hz_max));
  }
  if (mode.clocks_locked.has_value()) {
    parts.push_back(std::string("clocks ") + locked_words(*mode.clocks_locked));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> mode_differences(const MeasuredMode& a, const MeasuredMode& b) {
  std::vector<std::string> found;
  if (other_power_mode(a, b)) {
    found.push_back(fmt::format("power mode {} and {}", power_mode_name(a), power_mode_name(b)));
  }
  const auto cores = [](std::int64_t khz) { return clock_words(khz * 1000); };
  add_difference(a.cpu_khz_max, b.cpu_khz_max, "cores up to", cores, found);
  add_difference(a.gpu_hz_max, b.gpu_hz_max, "GPU up to", clock_words, found);
  add_difference(a.clocks_locked, b.clocks_locked, "clocks", locked_words, found);
  return found;
}

}  // namespace juggler
