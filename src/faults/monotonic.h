#pragma once
// The time that bad networks are counted in.

#include <chrono>

#include "core/units.h"

namespace juggler {

inline Time monotonic_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Time{std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

}  // namespace juggler
