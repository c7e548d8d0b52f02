#include "runtime/ack_marks.h"

#include <iterator>
#include <utility>

#include "wire/messages.h"

namespace juggler {
namespace {

// Many results share a mark: so often it goes out at most, and again where it was refused.
constexpr Micros kEvery = milliseconds(200);

}  // namespace

void AckMarks::hold(DeliveryId delivery, Time now) {
  if (waiting_.empty() && due_ == Time::never()) {
    due_ = now + kEvery;
  }
  waiting_.push_back(delivery);
}

wire::Envelope AckMarks::next(PublishId id, const std::string& login) {
  open_ = id;
  due_ = Time::never();
  marked_ = std::exchange(waiting_, {});
  wire::Envelope mark = wire::encode_mark(login, id);
  open_name_ = mark.message_id;
  return mark;
}

std::vector<DeliveryId> AckMarks::arrived(const TransportDelivery& mark) {
  if (!open_.has_value() || mark.envelope.message_id != open_name_) {
    return {mark.id};  // an earlier one, or another controller's
  }
  marked_.push_back(mark.id);
  return {};
}

std::vector<DeliveryId> AckMarks::settled(PublishEnd end, Time now) {
  open_.reset();
  std::vector<DeliveryId> acks = std::exchange(marked_, {});
  if (end != PublishEnd::Confirmed) {
    waiting_.insert(waiting_.end(), std::make_move_iterator(acks.begin()),
                    std::make_move_iterator(acks.end()));
    acks.clear();
  }
  if (!waiting_.empty()) {
    due_ = now + kEvery;
  }
  return acks;
}

}  // namespace juggler
