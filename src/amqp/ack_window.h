#pragma once
// The deliveries that wait for an ack on this channel, and the acks that wait to be sent.

#include <cstdint>
#include <set>
#include <vector>

namespace juggler::amqp {

// What to tell the broker.
struct Settlement {
  enum class Kind { Ack, Reject, Requeue };
  Kind kind = Kind::Ack;
  std::uint64_t tag = 0;
  bool multiple = false;

  friend bool operator==(const Settlement&, const Settlement&) = default;
};

// Gathers acks between two sends, and joins them into one `multiple` where that says the same.
//
// `multiple` settles everything up to its tag, so it is right only for a run from the oldest open
// delivery on without a gap. A tag that is not open is dropped: the broker would answer it by
// closing the channel (406), and with it everything else would be delivered again.
class AckWindow {
 public:
  void delivered(std::uint64_t tag) { open_.insert(open_.end(), tag); }
  void settle(std::uint64_t tag, Settlement::Kind kind);

  // Moves out what is to be sent. Rejections come first, so that no `multiple` covers them.
  void take(std::vector<Settlement>& out);

  void clear();
  std::size_t open() const { return open_.size(); }

 private:
  std::set<std::uint64_t> open_;  // with those whose ack is gathered
  std::vector<std::uint64_t> acks_;
  std::vector<Settlement> rejections_;
};

}  // namespace juggler::amqp
