#include "runtime/retry_ladder.h"

#include <algorithm>

namespace juggler {

Micros RetryLadder::rung(int failures) const {
  constexpr int kAtOnce = 5;
  constexpr int kConstant = 10;
  if (failures <= kAtOnce) {
    return std::min(milliseconds(200), delay_max_);
  }
  if (failures <= kConstant) {
    return std::min(seconds(1), delay_max_);
  }
  const int doublings = std::min(failures - kConstant, 16);
  return std::min(seconds(std::int64_t{1} << static_cast<unsigned>(doublings)), delay_max_);
}

Time RetryLadder::failed(Time now) {
  if (up_since_ != Time::never() && now - up_since_ >= kStableAfter) {
    failures_ = 0;
  }
  up_since_ = Time::never();
  failures_ = std::min(failures_ + 1, 1000);
  const Micros longest = rung(failures_);
  return now + Micros{static_cast<std::int64_t>(
                   rng_.below(static_cast<std::uint64_t>(longest.count) + 1))};
}

}  // namespace juggler
