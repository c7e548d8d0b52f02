#include "faults/way.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace juggler {
namespace {

constexpr std::size_t kPacketBytes = 1'448;
// With so many packets behind it a loss shows one round trip later; else it waits for Linux's
// shortest retransmission time-out. A packet that is lost again waits for twice as long.
constexpr std::size_t kPacketsForFastRetransmission = 4;
constexpr Micros kRetransmission = milliseconds(200);
constexpr Micros kRetransmissionMax = seconds(10);

}  // namespace

Time sent_at(const WayProfile& profile, Time begun, std::size_t bytes) {
  if (profile.bits_per_second <= 0) {
    return begun;
  }
  const auto bits = static_cast<std::int64_t>(bytes) * 8;
  return begun + Micros{bits * 1'000'000 / profile.bits_per_second};
}

Micros delay_of(const WayProfile& profile, Rng& rng) {
  Micros delay = profile.latency;
  if (profile.jitter > Micros{0}) {
    delay += Micros{static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(profile.jitter.count) + 1))};
  }
  if (profile.deviation > Micros{0}) {
    // Light has its speed: no packet is faster than half the usual time.
    delay = std::max(delay / 2, delay + Micros{about_normal(rng, profile.deviation.count)});
  }
  return delay;
}

void Way::hold() { held_ = true; }

void Way::release(Time now) {
  if (!held_) {
    return;
  }
  held_ = false;
  const Time earliest = now + profile_.latency;
  for (Chunk& chunk : chunks_) {
    chunk.due = std::max(chunk.due, earliest);
  }
  last_due_ = std::max(last_due_, earliest);
}

Micros Way::lost_for(std::size_t bytes) {
  const auto share = static_cast<std::uint64_t>(profile_.loss_per_million);
  const Micros round_trip = profile_.latency * 2;
  const std::size_t packets = bytes / kPacketBytes + 1;
  Micros longest{0};  // they are sent again side by side
  for (std::size_t packet = 0; packet < packets; ++packet) {
    Micros lost{0};
    Micros wait = packets - packet > kPacketsForFastRetransmission ? round_trip
                                                                   : round_trip + kRetransmission;
    while (rng_.below(1'000'000) < share && lost < kRetransmissionMax) {
      lost += wait;
      wait = std::min(std::max(wait, round_trip + kRetransmission) * 2, kRetransmissionMax);
    }
    longest = std::max(longest, lost);
  }
  return longest;
}

void Way::put(Time now, std::string bytes) {
  if (bytes.empty()) {
    return;
  }
  busy_until_ = sent_at(profile_, std::max(now, busy_until_), bytes.size());
  Micros delay = delay_of(profile_, rng_);
  if (profile_.loss_per_million > 0) {
    delay += lost_for(bytes.size());
  }
  last_due_ = std::max(last_due_, busy_until_ + delay);  // TCP keeps the order
  bytes_ += bytes.size();
  chunks_.push_back({last_due_, std::move(bytes)});
}

std::string_view Way::due(Time now) const {
  if (next() > now) {
    return {};
  }
  return std::string_view(chunks_.front().bytes).substr(taken_);
}

void Way::take(std::size_t taken) {
  JUGGLER_CHECK(!chunks_.empty() && taken_ + taken <= chunks_.front().bytes.size(),
                "only what is due is taken");
  taken_ += taken;
  if (taken_ == chunks_.front().bytes.size()) {
    bytes_ -= taken_;
    taken_ = 0;
    chunks_.pop_front();
  }
}

}  // namespace juggler
