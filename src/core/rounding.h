#pragma once
// Rounding without a call: decisions round a hundred times for a task.

#include <cstdint>

namespace juggler {

// As std::llround: halves away from zero. requires  0 <= value < 2^63
inline std::int64_t rounded(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return whole + (value - static_cast<double>(whole) >= 0.5 ? 1 : 0);  // that difference is exact
}

}  // namespace juggler
