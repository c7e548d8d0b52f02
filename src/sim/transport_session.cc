#include <algorithm>
#include <charconv>

#include "sim/transport.h"

// This file: the progress of a session, as src/amqp/session_setup.cc has it.

namespace juggler::sim {
namespace {

constexpr std::uint64_t kWakeStep = 1;  // as in transport.cc
constexpr Micros kLockRetry = milliseconds(500);
constexpr Micros kQueueRetryMax = seconds(8);
constexpr Micros kDrainRecheck = milliseconds(20);

}  // namespace

bool SimTransport::may_announce() const {
  bool locked = true;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    locked = locked && (!plan_->subscriptions[i].exclusive || active_[i]);
  }
  return locked && next_ >= plan_->announce_after;
}

void SimTransport::advance() {
  if (phase_ != Phase::Up && may_announce()) {
    if (!announcing_) {
      announcing_ = true;
      ask(StepKind::Announce, 0);
    }
    return;
  }
  if (next_ < plan_->subscriptions.size()) {
    ask(started_ ? StepKind::Drained : StepKind::Start, static_cast<std::uint16_t>(next_));
  } else if (phase_ == Phase::Up && !serving_) {
    serving_ = true;
    events_.emplace_back(TransportServing{true});
  }
}

void SimTransport::ask(StepKind kind, std::uint16_t index) {
  send({.kind = FrameKind::Step, .flag = static_cast<std::uint8_t>(kind), .index = index});
}

void SimTransport::answered(const Frame& frame) {
  switch (static_cast<StepAnswer>(frame.flag)) {
    case StepAnswer::Opened:
      phase_ = Phase::Joining;
      reply_queue_ = frame.text ? *frame.text : std::string();
      break;
    case StepAnswer::Announced: {
      phase_ = Phase::Up;
      ladder_.succeeded(agenda_.now());
      publishes_.clear();
      first_publish_ = 1;
      open_ = 0;
      std::int64_t previous = 0;
      std::from_chars(frame.text->data(), frame.text->data() + frame.text->size(), previous);
      TransportConnected up{incarnation_, static_cast<std::int64_t>(frame.number), reply_queue_,
                            previous};
      events_.emplace_back(std::move(up));
      break;
    }
    case StepAnswer::Started:
      active_[frame.index] = true;
      started_ = true;
      break;
    case StepAnswer::StartedDry:
      active_[frame.index] = true;
      started_ = false;
      next_ += 1;
      break;
    case StepAnswer::Dry:
      started_ = false;
      next_ += 1;
      break;
    case StepAnswer::WaitLock:
      wake_later(kWakeStep, agenda_.now() + kLockRetry);
      return;
    case StepAnswer::WaitQueue:
      wake_later(kWakeStep, agenda_.now() + queue_retry_);
      queue_retry_ = std::min(queue_retry_ * 2, kQueueRetryMax);
      return;
    case StepAnswer::NotDry:
      wake_later(kWakeStep, agenda_.now() + kDrainRecheck);
      return;
    case StepAnswer::Refused:
      send({.kind = FrameKind::Goodbye});
      lose("a subscription was refused");
      return;
  }
  advance();
}

}  // namespace juggler::sim
