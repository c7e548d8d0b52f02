#include "faults/packet_way.h"

#include <algorithm>
#include <utility>

namespace juggler {

void PacketWay::hold() {
  held_ = true;
  packets_.clear();
}

void PacketWay::put(Time now, std::string packet) {
  const auto lost = static_cast<std::uint64_t>(profile_.loss_per_million);
  if (held_ || packets_.size() >= kPacketsMax || rng_.below(1'000'000) < lost) {
    return;
  }
  busy_until_ = sent_at(profile_, std::max(now, busy_until_), packet.size());
  last_due_ = std::max(last_due_, busy_until_ + delay_of(profile_, rng_));
  packets_.push_back({last_due_, std::move(packet)});
}

std::string PacketWay::take(Time now) {
  if (next() > now) {
    return {};
  }
  std::string bytes = std::move(packets_.front().bytes);
  packets_.pop_front();
  return bytes;
}

}  // namespace juggler
