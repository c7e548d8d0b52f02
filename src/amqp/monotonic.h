#pragma once
// The time that this folder's time-outs are counted in.

#include <chrono>

#include "core/units.h"

namespace juggler::amqp {

inline Time monotonic_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

}  // namespace juggler::amqp
