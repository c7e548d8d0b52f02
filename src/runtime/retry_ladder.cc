#include "runtime/retry_ladder.h"

#include <algorithm>

namespace juggler {

Micros RetryLadder::rung(int failures) {
  constexpr int kAtOnce = 5;
  constexpr int kConstant = 10;
  if (failures <= kAtOnce) {
    return milliseconds(200);
  }
  if (failures <= kConstant) {
    return seconds(1);
  }
  const int doublings = std::min(failures - kConstant, 16);
  return std::min(seconds(std::int64_t{1} << static_cast<unsigned>(doublings)), kDelayMax);
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
