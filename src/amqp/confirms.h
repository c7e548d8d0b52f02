#pragma once
// What was published and not yet settled, in the order of the channel's sequence numbers.

#include <cstdint>
#include <deque>
#include <vector>

#include "amqp/frames.h"
#include "runtime/transport.h"

namespace juggler::amqp {

class ConfirmTable {
 public:
  // A new channel: `first` is the sequence number that its next publish has.
  void restart(std::uint64_t first);

  void sent(PublishId id, const wire::Envelope& message, Time now);
  // A return has no sequence number: it is matched by address and message_id, the oldest first. Its
  // confirm follows and settles it.
  void returned(const wire::Envelope& message);
  // One frame may settle many: `multiple` covers everything up to its tag.
  void confirm(const Confirm& confirm, std::vector<TransportEvent>& events);
  // The channel is gone: everything open is Unknown.
  void lose(std::vector<TransportEvent>& events);

  std::size_t open() const { return open_; }
  // When the one that has waited longest was sent; never: none waits.
  Time oldest() const { return entries_.empty() ? Time::never() : entries_.front().sent; }

 private:
  struct Entry {
    PublishId id = 0;
    Time sent;
    std::uint64_t fingerprint = 0;
    bool returned = false;
    bool settled = false;
  };

  void settle(Entry& entry, bool accepted, std::vector<TransportEvent>& events);

  std::deque<Entry> entries_;
  std::uint64_t first_ = 1;  // sequence number of entries_.front()
  std::size_t open_ = 0;
};

}  // namespace juggler::amqp
