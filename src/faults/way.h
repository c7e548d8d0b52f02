#pragma once
// One direction of a bad network as a queue with times: what goes in comes out late, at a rate, in
// order, or not before the way is released. Pure: the proxy around it brings sockets and a clock.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/rng.h"
#include "core/units.h"

namespace juggler {

// As the simulator's networks have it (sim/network.h). Zeros: a wire that takes no time.
struct WayProfile {
  Micros latency{};
  Micros jitter{};                   // up to so much more, each as likely
  Micros deviation{};                // about normal, of this standard deviation; at least half
  std::int64_t bits_per_second = 0;  // 0: no limit
  std::int64_t loss_per_million =
      0;  // of packets; each costs a retransmission, since TCP carries it

  friend bool operator==(const WayProfile&, const WayProfile&) = default;
};

// When the last bit of so many bytes has left a sender that begins at `begun`.
Time sent_at(const WayProfile& profile, Time begun, std::size_t bytes);
// Latency, jitter and deviation of one packet, drawn.
Micros delay_of(const WayProfile& profile, Rng& rng);

class Way {
 public:
  // Beyond this it takes no more, as a full socket does: the sender is held back.
  static constexpr std::size_t kBytesMax = 4 << 20;

  explicit Way(std::uint64_t seed) : rng_(seed) {}

  // For what is put in from now on.
  void set(const WayProfile& profile) { profile_ = profile; }
  // Nothing comes out until it is released; then all of it does, after the latency.
  void hold();
  void release(Time now);
  bool held() const { return held_; }

  bool full() const { return bytes_ >= kBytesMax; }
  bool empty() const { return chunks_.empty(); }
  void put(Time now, std::string bytes);

  // When something can be taken; never, where nothing can.
  Time next() const { return held_ || chunks_.empty() ? Time::never() : chunks_.front().due; }
  // What can be taken now, empty if nothing; `taken` of it goes.
  std::string_view due(Time now) const;
  void take(std::size_t taken);

 private:
  struct Chunk {
    Time due;
    std::string bytes;
  };
  Micros lost_for(std::size_t bytes);

  WayProfile profile_;
  Rng rng_;
  std::deque<Chunk> chunks_;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;  // of the first chunk
  Time busy_until_;
  Time last_due_;
  bool held_ = false;
};

}  // namespace juggler
