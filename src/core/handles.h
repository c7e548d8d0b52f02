#pragma once
// Opaque numbers that the state machines pass through and only the shells can read.

#include <compare>
#include <cstdint>

namespace juggler {

// A publish, numbered by who publishes; the settlement names it.
using PublishId = std::uint64_t;

// A delivery that waits for its ack. It is void once its connection is gone: acks of an older
// incarnation are dropped, because on a new channel they would settle another message.
struct DeliveryId {
  std::uint64_t incarnation = 0;
  std::uint64_t tag = 0;

  friend auto operator<=>(const DeliveryId&, const DeliveryId&) = default;
};

// How a publish ended.
enum class PublishEnd {
  Confirmed,  // the broker has it
  Returned,   // no queue takes it (mandatory)
  Refused,    // negative acknowledgement: queue full
  Unknown,    // the connection ended first: it may or may not be there
};

}  // namespace juggler
