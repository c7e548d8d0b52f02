#pragma once
// The power mode and the clocks that were set while something was measured: fields of [measured] in
// a profile. Figures of two modes are figures of two machines.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "files/toml_reader.h"

namespace juggler {

// What is not there is not known, or the machine has none of it.
struct MeasuredMode {
  std::string power_mode;  // nvpmodel's name for it; empty: none
  std::optional<std::int64_t> power_mode_id{};
  std::optional<bool> clocks_locked{};        // the least allowed clock was the highest
  std::optional<std::int64_t> cpu_khz_max{};  // that the fastest cores were allowed
  std::optional<std::int64_t> gpu_hz_max{};

  friend bool operator==(const MeasuredMode&, const MeasuredMode&) = default;
};

MeasuredMode read_measured_mode(TomlSection& measured);
// As lines of [measured].
std::string measured_mode_text(const MeasuredMode& mode);

// Whether both name a power mode, and not the same: what was measured in one does not hold in the
// other. Who does not say has no other.
bool other_power_mode(const MeasuredMode& a, const MeasuredMode& b);
// "MAXN (0)"; "no power mode" where none is known.
std::string power_mode_name(const MeasuredMode& mode);
// All of it in one line for people; empty where nothing is known.
std::string mode_words(const MeasuredMode& mode);
// What differs of what both say, one phrase each: "power mode MAXN (0) and 5W (1)".
std::vector<std::string> mode_differences(const MeasuredMode& a, const MeasuredMode& b);

}  // namespace juggler
