#include "amqp/confirms.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace juggler::amqp {
namespace {

// Only compared within what is outstanding; a collision would mislabel one publish among 65,536.
std::uint64_t fingerprint(const wire::Envelope& message) {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15ULL;
  const std::hash<std::string_view> hash;
  std::uint64_t value = hash(message.message_id);
  value = value * kMix ^ hash(message.routing_key);
  return value * kMix ^ hash(message.exchange);
}

}  // namespace

void ConfirmTable::restart(std::uint64_t first) {
  entries_.clear();
  open_ = 0;
  first_ = first;
}

void ConfirmTable::sent(PublishId id, const wire::Envelope& message, Time now) {
  entries_.push_back({id, now, fingerprint(message), false, false});
  ++open_;
}

void ConfirmTable::returned(const wire::Envelope& message) {
  const std::uint64_t wanted = fingerprint(message);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [wanted](const Entry& entry) {
    return entry.fingerprint == wanted && !entry.returned && !entry.settled;
  });
  if (found != entries_.end()) {
    found->returned = true;
  }
}

void ConfirmTable::settle(Entry& entry, bool accepted, std::vector<TransportEvent>& events) {
  if (entry.settled) {
    return;
  }
  entry.settled = true;
  --open_;
  const PublishEnd end = !accepted        ? PublishEnd::Refused
                         : entry.returned ? PublishEnd::Returned
                                          : PublishEnd::Confirmed;
  events.push_back(TransportSettled{entry.id, end});
}

void ConfirmTable::confirm(const Confirm& confirm, std::vector<TransportEvent>& events) {
  // Tag 0 with `multiple` means all so far; a tag from outside the table means nothing.
  const bool all = confirm.tag == 0 && confirm.multiple;
  const std::uint64_t last = all ? first_ + entries_.size() - 1 : confirm.tag;
  if (last < first_ || last - first_ >= entries_.size()) {
    return;
  }
  const auto index = static_cast<std::size_t>(last - first_);
  for (std::size_t i = confirm.multiple ? 0 : index; i <= index; ++i) {
    settle(entries_[i], confirm.accepted, events);
  }
  while (!entries_.empty() && entries_.front().settled) {
    entries_.pop_front();
    ++first_;
  }
}

void ConfirmTable::lose(std::vector<TransportEvent>& events) {
  for (const Entry& entry : entries_) {
    if (!entry.settled) {
      events.push_back(TransportSettled{entry.id, PublishEnd::Unknown});
    }
  }
  restart(1);
}

}  // namespace juggler::amqp
