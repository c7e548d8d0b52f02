#pragma once
// What results have taught about the way from the controller to a device and back: how long it
// takes, how much that varies, and how much longer for each byte. On a narrow link the pictures of
// a batch, one after the other, take longer than anything else.

#include <cstdint>

#include "core/moving_mean.h"
#include "core/units.h"

namespace juggler {

// The assumption before the first result: four durable hops on a wired LAN, measured on loopback as
// 0.9-1.2 ms plus twice 0.5 ms of wire (docs/performance.md).
inline constexpr Micros kNetworkDefault = milliseconds(3);

// How long bytes take to go through a link.
struct Pace {
  std::int64_t ns_per_byte = 0;

  Micros transfer(std::int64_t bytes) const { return {bytes * ns_per_byte / 1000}; }
};

class Link {
 public:
  // Both ways for a message without a body, mean and standard deviation.
  Micros round_trip() const;
  Micros spread() const { return {round_trip_us_.spread()}; }

  Pace pace() const { return {ns_per_byte()}; }
  Micros transfer(std::int64_t bytes) const { return pace().transfer(bytes); }
  // Bytes that were sent and are not through yet.
  std::int64_t queued(Time now) const;
  // So many more are sent. Returns what is queued with them.
  std::int64_t send(Bytes size, Time now);

  // A result has come: its way, both ways, took so long beside queue and computing on the device.
  // Its dispatch was sent then, when so many bytes were queued, its own among them.
  //
  // What a byte takes shows in how much longer the later of two messages took that were sent at the
  // same moment (a packet pair: Keshav, SIGCOMM 1991); whatever was on the way before them, and the
  // way back of their results, is the same for both.
  void add(Micros took, Time sent, std::int64_t queued, Time now);
  // What no result has confirmed for so long goes a step back to the assumption.
  void fade(Time now, Micros after);

  friend bool operator==(const Link&, const Link&) = default;

 private:
  std::int64_t ns_per_byte() const;

  MovingMean round_trip_us_;  // less what the bytes took
  Time confirmed_;            // by the last result
  // Over pairs: how much longer the later took, in ns, and how many bytes were between.
  std::int64_t pairs_ = 0;
  std::int64_t longer_ns_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t queued_ = 0;
  Time at_;  // when that was queued
  // The last result's.
  Micros last_took_;
  Time last_sent_ = Time::never();
  std::int64_t last_queued_ = 0;
};

}  // namespace juggler
