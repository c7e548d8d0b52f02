#include "core/link.h"

#include <algorithm>

namespace juggler {
namespace {

constexpr Micros kTookMax = seconds(60);
constexpr std::int64_t kPairs = 32;  // remembered
// On a link faster than 125 Mbit/s what a picture takes is less than what varies anyhow: it stays a
// part of the round trip.
constexpr std::int64_t kNsPerByteMin = 64;
// 8 kbit/s. With it, and the most that may be queued, products stay within 64 bits.
constexpr std::int64_t kNsPerByteMax = 1'000'000;
// One sample alone, as after a lost packet, says little: it counts as so many deviations away at
// most, and a little. Where all of them lie there, the deviation soon follows.
constexpr std::int64_t kFarthest = 3;
constexpr Micros kHiccup = milliseconds(1);
constexpr std::int64_t kQueuedMax = std::int64_t{1} << 32;

}  // namespace

Micros Link::round_trip() const {
  return round_trip_us_.samples() == 0 ? kNetworkDefault : Micros{round_trip_us_.mean()};
}

std::int64_t Link::ns_per_byte() const {
  const std::int64_t each = bytes_ <= 0 ? 0 : std::min(longer_ns_ / bytes_, kNsPerByteMax);
  return each < kNsPerByteMin ? 0 : each;
}

std::int64_t Link::queued(Time now) const {
  const std::int64_t passed_us = (now - at_).count;
  if (passed_us == 0 || queued_ == 0) {
    return queued_;
  }
  const std::int64_t each_ns = ns_per_byte();
  const bool through = each_ns == 0 || transfer(queued_).count <= passed_us;
  return through ? 0 : queued_ - passed_us * 1000 / each_ns;
}

std::int64_t Link::send(Bytes size, Time now) {
  queued_ = std::min(queued(now) + size.count, kQueuedMax);
  at_ = now;
  return queued_;
}

void Link::add(Micros took, Time sent, std::int64_t queued, Time now) {
  took = std::clamp(took, Micros{0}, kTookMax);
  const std::int64_t more = queued - last_queued_;
  if (sent == last_sent_ && more > 0) {
    const bool narrow = ns_per_byte() > 0;
    pairs_ = std::min(pairs_ + 1, kPairs);
    longer_ns_ += ((took - last_took_).count * 1000 - longer_ns_) / pairs_;
    bytes_ += (more - bytes_) / pairs_;
    if (narrow != (ns_per_byte() > 0)) {
      round_trip_us_ = {};  // it was, or was not, taken for what the bytes take
    }
  }
  last_took_ = took;
  last_sent_ = sent;
  last_queued_ = queued;
  std::int64_t round_trip = std::max(took - transfer(queued), Micros{0}).count;
  if (round_trip_us_.samples() > 0) {
    const std::int64_t far = kFarthest * round_trip_us_.spread() + kHiccup.count;
    round_trip = std::clamp(round_trip, round_trip_us_.mean() - far, round_trip_us_.mean() + far);
  }
  round_trip_us_.add(round_trip);
  confirmed_ = now;
}

void Link::fade(Time now, Micros after) {
  if (round_trip_us_.samples() > 0 && now - confirmed_ >= after) {
    round_trip_us_.fade(kNetworkDefault.count);
    longer_ns_ -= longer_ns_ / 8;
  }
}

}  // namespace juggler
