#pragma once
// The way from the controller to a device and back: how long it takes, how much that varies, and
// how much longer for each byte. On a narrow link the pictures of a batch, one after the other,
// take longer than anything else.

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/units.h"

namespace juggler {

// The assumption before the first result: four durable hops on a wired LAN, measured on loopback
// as 0.9-1.2 ms plus twice 0.5 ms of wire (docs/performance.md).
inline constexpr Micros kNetworkDefault = milliseconds(3);

// How long bytes take to go through a link.
struct Pace {
  std::int64_t ns_per_byte = 0;

  Micros transfer(std::int64_t bytes) const { return {bytes * ns_per_byte / 1000}; }
};

// What is believed of a way: all that decisions read.
struct Link {
  Micros round_trip = kNetworkDefault;  // of a message without a body, the mean
  Micros spread;                        // of that, one standard deviation
  Pace pace;
  Time free_at;  // when all that was sent is through
  Time next_at;  // when more is to be sent

  // How long what was sent still takes.
  Micros busy(Time now) const { return std::max(free_at - now, Micros{0}); }
};

// How fast a link is does not show in one message: it may have taken long because the link is
// narrow, or because it is far. It shows in how much longer those take that queue behind others.
// So each of a row of speeds is supposed at once: from each follows how long a message waited
// behind the bytes before it, and that speed is believed under which the rest of its time varies
// least.
inline constexpr std::size_t kLinkSpeeds = 81;
// By speed: how long a message waits for those before it, and takes itself, in us.
using LinkDelays = std::array<std::int32_t, kLinkSpeeds>;

class LinkLearning {
 public:
  const Link& believed() const { return believed_; }

  // So many more bytes are sent.
  LinkDelays send(Bytes size, Time now);
  // A result has come: its way, both ways, took so long beside queue and computing on the device.
  // What send() said of its dispatch.
  void add(Micros took, const LinkDelays& delays, Time now);
  // What no result has confirmed for a second goes a step back to what the way takes when nothing
  // is on it: late results must not keep a device from its next one. `fades`: whether that changes
  // anything.
  void fade(Time now);
  bool fades(Time now) const;

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  struct Speed {
    Time free_at;
    // Of the round trips, less what the bytes took, if this is the speed.
    std::int64_t mean_ns = 0;       // over time
    std::int64_t variance_us2 = 0;  // likewise
    std::int64_t least_ns = 0;      // when nothing is in the way
    std::int64_t fast_us = 0;       // one in five takes less
    std::int64_t misses_us = 0;     // how far they lie from that: the better speed has less

    Micros spread() const;
    void add(Micros round_trip, Micros since, bool first, int compared_bits);
  };
  void choose();
  void set_next();
  void believe();
  void step_back();

  std::array<Speed, kLinkSpeeds> speeds_;
  std::size_t chosen_ = 0;
  std::int64_t results_ = 0;
  Time confirmed_;  // by the last result
  Link believed_;
};

}  // namespace juggler
