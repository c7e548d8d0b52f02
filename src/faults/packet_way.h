#pragma once
// One direction of a bad network of IP packets, as the kernel's netem has it: a packet is delayed,
// waits for its turn at a rate, or is lost. Pure: the link around it brings the interfaces and a
// clock.

#include <cstdint>
#include <deque>
#include <string>

#include "core/rng.h"
#include "core/units.h"
#include "faults/way.h"

namespace juggler {

class PacketWay {
 public:
  // What is on its way beyond this is lost, as in a router whose queue is full.
  static constexpr std::size_t kPacketsMax = 10'000;

  explicit PacketWay(std::uint64_t seed) : rng_(seed) {}

  // For packets that are put in from now on.
  void set(const WayProfile& profile) { profile_ = profile; }
  // Everything is lost, what is on its way too, until it is released.
  void hold();
  void release() { held_ = false; }

  void put(Time now, std::string packet);

  // When the first comes out; never, where nothing is on its way.
  Time next() const { return packets_.empty() ? Time::never() : packets_.front().due; }
  // The first that is due, in the order in which they were put in; empty if none is.
  std::string take(Time now);

 private:
  struct Packet {
    Time due;
    std::string bytes;
  };

  WayProfile profile_;
  Rng rng_;
  std::deque<Packet> packets_;
  Time busy_until_;
  Time last_due_;
  bool held_ = false;
};

}  // namespace juggler
