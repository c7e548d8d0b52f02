#include "runtime/task_marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/messages.h"

namespace juggler {
namespace {

// Many results share a mark: so often it goes out at most, and again where it was refused.
constexpr Micros kEvery = milliseconds(200);
// So many acks wait at most: a minute's worth of a fast fleet.
constexpr std::size_t kHeldMax = 32'768;
// One that has not come back may have been deleted with its queue.
constexpr Micros kAgain = seconds(10);

}  // namespace

std::string TaskMarks::name_of(PublishId id) const { return fmt::format("{}-{:x}", epoch_, id); }

void TaskMarks::begin(std::int64_t epoch, Time now) {
  lost();
  epoch_ = epoch;
  due_ = now;
}

bool TaskMarks::hold(DeliveryId delivery, Time now) {
  if (waiting_.size() >= kHeldMax) {
    return false;
  }
  due_ = std::min(due_, now + kEvery);
  waiting_.push_back(delivery);
  return true;
}

wire::Envelope TaskMarks::next(PublishId id, const std::string& login, Time now) {
  open_ = id;
  due_ = all_read_ ? Time::never() : now + kAgain;
  marked_ = std::exchange(waiting_, {});
  return wire::encode_mark(login, name_of(id));
}

bool TaskMarks::arrived(const TransportDelivery& mark, std::vector<DeliveryId>& acks) {
  const std::string& name = mark.envelope.message_id;
  const bool first = !all_read_ && name.starts_with(fmt::format("{}-", epoch_));
  if (open_.has_value() && name == name_of(*open_)) {
    marked_.push_back(mark.id);
  } else {
    acks.push_back(mark.id);  // an earlier one, or another leader's
  }
  if (first) {
    all_read_ = true;
    due_ = waiting_.empty() ? Time::never() : due_;
  }
  return first;
}

std::vector<DeliveryId> TaskMarks::settled(PublishEnd end, Time now) {
  open_.reset();
  std::vector<DeliveryId> acks = std::exchange(marked_, {});
  if (end != PublishEnd::Confirmed) {
    waiting_.insert(waiting_.end(), acks.begin(), acks.end());
    acks.clear();
    due_ = now + kEvery;
  } else if (!waiting_.empty()) {
    due_ = now + kEvery;
  }
  return acks;
}

}  // namespace juggler
