#pragma once
// A device of the World: its consumer, link and executor. Inside support/world*.cc only.

#include "support/world.h"

namespace juggler::test {

struct World::Host {
  DeviceFacts facts;
  std::unique_ptr<Consumer> consumer;  // none while it is down
  Link link;
  std::uint64_t life = 0;  // grows with each start: what an earlier one had planned is void
  Time wakes = Time::never();
  std::map<std::uint64_t, wire::Body> payloads;
  std::uint64_t last_payload = 0;

  std::int64_t slowness = 1;  // a straggler takes so many times longer
  bool failing = false;       // its engine fails now and then
  bool deaf = false;          // the next dispatch is lost inside it
};

inline std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

inline bool one_in(Rng& rng, std::uint64_t n) { return rng.below(n) == 0; }

}  // namespace juggler::test
