#pragma once
// Acks that must not reach the broker's disk before those of tasks.
//
// Nobody confirms an ack. A broker that dies forgets those that were not on its disk yet, each
// queue for itself: a result's ack may stay and that of its task be lost. Then the task would be
// delivered again without its result, run again, and answered otherwise. So a result's ack waits
// for a mark: a message into the tasks' queue, behind their acks, whose confirm says that all
// before it is on disk (docs/protocol.md#durability-confirms-acks).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/handles.h"
#include "core/units.h"
#include "runtime/transport.h"
#include "wire/envelope.h"

namespace juggler {

class AckMarks {
 public:
  // An ack that is to follow those of tasks so far.
  void hold(DeliveryId delivery, Time now);

  // When the next mark wants to be sent; never while nothing waits, or one is under way.
  Time due() const { return open_.has_value() ? Time::never() : due_; }

  // The next mark, to be published under that id.
  wire::Envelope next(PublishId id, const std::string& login);

  // A mark has come out of the tasks' queue. Those to be acked now: none while it is under way (an
  // acked message is confirmed before it is on disk).
  std::vector<DeliveryId> arrived(const TransportDelivery& mark);

  // Whether that publish is the mark under way; then what is to be acked now.
  bool is_open(PublishId id) const { return open_ == id; }
  std::vector<DeliveryId> settled(PublishEnd end, Time now);

  // The connection is gone, and every delivery void.
  void lost() { *this = {}; }

 private:
  std::vector<DeliveryId> waiting_;  // for the mark after the one under way
  std::vector<DeliveryId> marked_;   // for the one under way
  std::optional<PublishId> open_;    // under way
  Time due_ = Time::never();
  std::string open_name_;
};

}  // namespace juggler
