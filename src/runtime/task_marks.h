#pragma once
// Marks: messages of a leader's own in the queue of the tasks, which tell it what it cannot see.
//
// One that has come back says that all tasks before it have: those that lay in the broker when the
// lead began. One that was confirmed says that the acks of tasks before it are on disk. Nobody
// confirms an ack, and a broker that dies forgets those that were not on its disk yet, each queue
// for itself: a result's ack may stay and that of its task be lost. Then the task would be
// delivered again without its result, run again, and answered otherwise. So the ack of a result
// waits for a mark (docs/protocol.md#durability-confirms-acks).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/handles.h"
#include "core/units.h"
#include "runtime/transport.h"
#include "wire/envelope.h"

namespace juggler {

class TaskMarks {
 public:
  // A lead begins: its first mark is due.
  void begin(std::int64_t epoch, Time now);
  // The connection is gone, and every delivery void.
  void lost() { *this = {}; }

  // An ack that is to follow those of tasks so far. False where too many wait: then it goes at
  // once.
  bool hold(DeliveryId delivery, Time now);

  // When the next mark wants to be sent; never while nothing waits for one, or one is under way.
  Time due() const { return open_.has_value() ? Time::never() : due_; }
  // The next mark, to be published under that id.
  wire::Envelope next(PublishId id, const std::string& login, Time now);

  // A mark has come out of the queue. Returns whether it is the first of this lead. Appends to
  // `acks` what is to be acked now: not the one under way (an acked message is confirmed before it
  // is on disk).
  bool arrived(const TransportDelivery& mark, std::vector<DeliveryId>& acks);

  // Whether that publish is the mark under way; then what is to be acked now.
  bool is_open(PublishId id) const { return open_ == id; }
  std::vector<DeliveryId> settled(PublishEnd end, Time now);

 private:
  std::string name_of(PublishId id) const;

  std::int64_t epoch_ = 0;
  bool all_read_ = false;            // a mark of this lead has come back
  std::vector<DeliveryId> waiting_;  // for the mark after the one under way
  std::vector<DeliveryId> marked_;   // for the one under way
  std::optional<PublishId> open_;    // under way
  Time due_ = Time::never();
};

}  // namespace juggler
