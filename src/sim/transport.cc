#include "sim/transport.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "runtime/topology.h"

namespace juggler::sim {
namespace {

// What wakes a transport, in the low bits; the rest is the generation that asked for it.
constexpr std::uint64_t kWakeConnect = 0;
constexpr std::uint64_t kWakeStep = 1;
constexpr std::uint64_t kWakeHandshake = 2;
constexpr std::uint64_t kWakeSilence = 3;
constexpr std::uint64_t kWakeEnrol = 4;
constexpr std::uint64_t kWakePresence = 5;
constexpr unsigned kWakeBits = 3;

// As src/amqp waits: Connection::kHandshakeMax and kCallMax, SessionSetup's retries.
constexpr Micros kHandshakeMax = seconds(10);
constexpr Micros kQueueRetryFirst = milliseconds(250);
// Login, tuning, opening of vhost and channel: round trips before the session begins; the short
// connection that enrols a device needs as many, and its declarations.
constexpr int kHandshakeTrips = 5;
constexpr Micros kEnrolWork = milliseconds(2);

}  // namespace

SimTransport::SimTransport(Agenda& agenda, Broker& broker, Link& link, std::uint64_t seed)
    : agenda_(agenda),
      broker_(broker),
      link_(link),
      port_(broker.attach(link)),
      seed_(seed),
      ladder_(seed, Micros{0}) {
  link.down.connect(*this);
}

void SimTransport::begin(SessionPlan plan, TransportOwner& owner) {
  JUGGLER_CHECK(owner_ == nullptr, "one process on a transport at a time");
  plan_ = std::make_shared<const SessionPlan>(std::move(plan));
  ladder_ = RetryLadder(seed_ + lives_++, plan_->reconnect_max);
  owner_ = &owner;
  closed_ = false;
  needs_ack_.clear();
  for (const Subscription& subscription : plan_->subscriptions) {
    needs_ack_.push_back(!subscription.no_ack && !subscription.browse);
  }
  needs_ack_.push_back(false);  // the reply queue
  connect();
}

void SimTransport::lose_power() {
  link_.up.lose_all();
  broker_.abandoned(port_);
  vanish();
}

void SimTransport::vanish() {
  owner_ = nullptr;
  phase_ = Phase::Down;
  generation_ += 1;
  connection_ = 0;
  publishes_.clear();
  queued_.clear();
  deliveries_.clear();
  acks_.clear();
  enrolling_.clear();
  asked_.clear();
  events_.clear();
  open_ = 0;
}

void SimTransport::die(std::size_t lost_frames) {
  if (owner_ != nullptr && phase_ != Phase::Down) {
    link_.up.lose_tail(connection_, lost_frames);
    send({.kind = FrameKind::Goodbye});  // the kernel closes the socket
  }
  vanish();
}

void SimTransport::watch() {
  if (owner_ != nullptr) {
    wake_later(kWakeSilence, agenda_.now() + silence_max(*plan_));
  }
  broker_.watch(port_);
}

void SimTransport::cut(LinkDirection direction) {
  if (direction != LinkDirection::ToMachine) {
    link_.up.cut();
  }
  if (direction != LinkDirection::FromMachine) {
    link_.down.cut();
  }
  watch();
}

void SimTransport::stand_still() {
  link_.up.cut();
  link_.down.cut();
  broker_.watch(port_);
}

void SimTransport::restore() {
  link_.up.restore();
  link_.down.restore();
}

void SimTransport::wake_later(std::uint64_t kind, Time when) {
  agenda_.at(when, *this, generation_ << kWakeBits | kind);
}

void SimTransport::connect() {
  phase_ = Phase::Connecting;
  generation_ += 1;
  incarnation_ += 1;
  connection_ = broker_.next_connection();
  blocked_ = false;
  port_.plan = plan_;
  next_ = 0;
  started_ = false;
  announcing_ = false;
  serving_ = false;
  queue_retry_ = kQueueRetryFirst;
  active_.assign(plan_->subscriptions.size(), false);
  deliveries_.clear();
  first_delivery_ = 1;
  acks_.clear();
  Frame open{.kind = FrameKind::Open, .size = kFrameBytes, .connection = connection_};
  link_.up.send(std::move(open), link_.round_trip() * (kHandshakeTrips - 1));
  wake_later(kWakeHandshake, agenda_.now() + kHandshakeMax);
}

void SimTransport::send(Frame frame) {
  frame.connection = connection_;
  if (frame.size == 0) {
    frame.size = kFrameBytes;
  }
  link_.up.send(std::move(frame));
}

void SimTransport::publish(PublishId id, wire::Envelope message) {
  const std::size_t body = message.body == nullptr ? 0 : message.body->size();
  if (closed_ || (plan_->role == SessionRole::Controller && phase_ != Phase::Up)) {
    // What was decided under an earlier lead must not go out under a later one.
    events_.emplace_back(TransportSettled{id, PublishEnd::Unknown});
  } else if (body > static_cast<std::size_t>(mebibytes(16).count) ||
             open_ + queued_.size() >= plan_->publishes_max) {
    events_.emplace_back(TransportSettled{id, PublishEnd::Refused});
  } else if (queued_.empty() && may_publish()) {
    send_publish(id, std::move(message));
  } else {
    queued_.emplace_back(Publish{id, std::move(message)});
  }
}

void SimTransport::send_publish(PublishId id, wire::Envelope message) {
  Frame frame{.kind = FrameKind::Publish,
              .size = wire_size(message),
              .number = first_publish_ + publishes_.size()};
  frame.content = Content(std::move(message));
  publishes_.push_back({id, false, false});
  open_ += 1;
  send(std::move(frame));
}

void SimTransport::settle(DeliveryId delivery, Settling how) {
  if (delivery.incarnation != incarnation_ || delivery.tag == 0) {
    return;
  }
  if (queued_.empty()) {
    gather(delivery.tag, how);
  } else {
    queued_.emplace_back(Settle{delivery, how});  // never before what was published before it
  }
}

// A tag that is not open is dropped: the broker would close the channel for it.
void SimTransport::gather(std::uint64_t tag, Settling how) {
  if (tag < first_delivery_ || tag - first_delivery_ >= deliveries_.size() ||
      !deliveries_[static_cast<std::size_t>(tag - first_delivery_)]) {
    return;
  }
  deliveries_[static_cast<std::size_t>(tag - first_delivery_)] = false;
  while (!deliveries_.empty() && !deliveries_.front()) {
    deliveries_.pop_front();
    first_delivery_ += 1;
  }
  if (how == Settling::Ack) {
    acks_.push_back(tag);
  } else {
    send({.kind = FrameKind::Settle, .flag = static_cast<std::uint8_t>(how), .number = tag});
  }
}

void SimTransport::flush() {
  if (phase_ == Phase::Up) {
    send_queued();
  }
  send_acks();
}

void SimTransport::send_acks() {
  for (const std::uint64_t tag : acks_) {
    send({.kind = FrameKind::Settle, .number = tag});
  }
  acks_.clear();
}

void SimTransport::send_queued() {
  while (!queued_.empty()) {
    if (auto* publish = std::get_if<Publish>(&queued_.front())) {
      if (!may_publish()) {
        return;
      }
      send_acks();  // those that were queued before it
      send_publish(publish->id, std::move(publish->message));
    } else {
      const Settle& settle = std::get<Settle>(queued_.front());
      gather(settle.delivery.tag, settle.how);
    }
    queued_.pop_front();
  }
}

void SimTransport::enrol(const std::string& device) {
  enrolling_.push_back(device);
  wake_later(kWakeEnrol, agenda_.now() + link_.round_trip() * kHandshakeTrips + kEnrolWork);
}

void SimTransport::ask_presence(const std::string& device) {
  asked_.push_back(device);
  wake_later(kWakePresence, agenda_.now() + link_.round_trip() * kHandshakeTrips + kEnrolWork);
}

void SimTransport::poll(Micros /*wait_max*/, std::vector<TransportEvent>& events) {
  flush();
  if (events.empty()) {
    std::swap(events, events_);
    return;
  }
  events.insert(events.end(), std::make_move_iterator(events_.begin()),
                std::make_move_iterator(events_.end()));
  events_.clear();
}

void SimTransport::close(Micros /*wait_max*/) {
  if (owner_ == nullptr || closed_) {
    return;
  }
  flush();
  send({.kind = FrameKind::Goodbye});
  closed_ = true;
  if (phase_ != Phase::Up) {
    phase_ = Phase::Up;  // so that whatever is still queued is settled
  }
  lose("closed");
}

void SimTransport::receive(Frame frame) {
  if (owner_ == nullptr || frame.connection != connection_ || phase_ == Phase::Down) {
    return;  // of a connection that was given up
  }
  switch (frame.kind) {
    case FrameKind::Deliver:
      delivered(frame);
      return;
    case FrameKind::Confirm:
      confirmed(frame);
      return;
    case FrameKind::Return:
      if (frame.number >= first_publish_ && frame.number - first_publish_ < publishes_.size()) {
        publishes_[static_cast<std::size_t>(frame.number - first_publish_)].returned = true;
      }
      return;
    case FrameKind::Answer:
      answered(frame);
      return;
    case FrameKind::Blocked:
      blocked_ = frame.flag != 0;
      events_.emplace_back(TransportBlocked{blocked_, frame.text ? *frame.text : std::string()});
      return;
    case FrameKind::Closed:
      lose(*frame.text);
      return;
    default:
      JUGGLER_CHECK(false, "no broker sends a client's frame");
  }
}

void SimTransport::received_all() {
  if (owner_ != nullptr && !events_.empty()) {
    owner_->input();
  }
}

void SimTransport::delivered(Frame& frame) {
  if (frame.number != 0) {
    deliveries_.push_back(true);
    if (std::exchange(loses_next_, false)) {
      gather(frame.number, Settling::Ack);
      flush();
      return;
    }
  }
  auto& delivery =
      std::get<TransportDelivery>(events_.emplace_back(std::in_place_type<TransportDelivery>));
  delivery.id = {incarnation_, frame.number};
  delivery.queue = frame.index < plan_->subscriptions.size()
                       ? plan_->subscriptions[frame.index].queue
                       : reply_queue_;
  delivery.redelivered = frame.flag != 0;
  delivery.envelope = std::move(frame.content).take();
}

void SimTransport::settle_entry(OpenPublish& entry, bool accepted) {
  if (!entry.settled) {
    entry.settled = true;
    open_ -= 1;
    const PublishEnd end = !accepted        ? PublishEnd::Refused
                           : entry.returned ? PublishEnd::Returned
                                            : PublishEnd::Confirmed;
    events_.emplace_back(TransportSettled{entry.id, end});
  }
}

void SimTransport::confirmed(const Frame& frame) {
  if (frame.number < first_publish_ || frame.number - first_publish_ >= publishes_.size()) {
    return;
  }
  const auto index = static_cast<std::size_t>(frame.number - first_publish_);
  for (std::size_t i = frame.multiple ? 0 : index; i <= index; ++i) {
    settle_entry(publishes_[i], frame.flag != 0);
  }
  while (!publishes_.empty() && publishes_.front().settled) {
    publishes_.pop_front();
    first_publish_ += 1;
  }
}

void SimTransport::lose(const std::string& reason) {
  const bool was_up = phase_ == Phase::Up;
  phase_ = Phase::Down;
  blocked_ = false;
  for (const OpenPublish& entry : publishes_) {
    if (!entry.settled) {
      events_.emplace_back(TransportSettled{entry.id, PublishEnd::Unknown});
    }
  }
  publishes_.clear();
  first_publish_ = 1;
  open_ = 0;
  deliveries_.clear();
  acks_.clear();
  // What waited to be sent was meant for the session that is gone; between sessions it waits on.
  std::erase_if(queued_, [&](const auto& command) {
    const auto* publish = std::get_if<Publish>(&command);
    if (publish != nullptr && was_up) {
      events_.emplace_back(TransportSettled{publish->id, PublishEnd::Unknown});
    }
    return publish == nullptr || was_up;
  });
  events_.emplace_back(TransportDisconnected{reason});
  generation_ += 1;
  if (!closed_) {
    wake_later(kWakeConnect, ladder_.failed(agenda_.now()));
  }
}

// Closes the socket: the kernel forgets what it could not send.
void SimTransport::give_up(const std::string& reason) {
  link_.up.lose_tail(connection_);
  send({.kind = FrameKind::Goodbye});
  lose(reason);
}

void SimTransport::wake(std::uint64_t what) {
  const std::uint64_t kind = what & ((1U << kWakeBits) - 1);
  if (kind == kWakeEnrol && owner_ != nullptr && !enrolling_.empty()) {
    // Over a connection of its own: the working one may have come and gone.
    if (broker_.running()) {
      broker_.enrol(enrolling_.front());
    }
    enrolling_.erase(enrolling_.begin());
    return;
  }
  if (kind == kWakePresence && owner_ != nullptr && !asked_.empty()) {
    if (broker_.running() && !link_.is_cut()) {
      const bool present = broker_.has_consumer(device_queue(asked_.front()));
      events_.emplace_back(TransportPresence{asked_.front(), present});
    }
    asked_.erase(asked_.begin());
    received_all();
    return;
  }
  if (owner_ == nullptr || what >> kWakeBits != generation_) {
    return;
  }
  if (kind == kWakeConnect && phase_ == Phase::Down) {
    connect();
  } else if (kind == kWakeStep && phase_ != Phase::Down) {
    advance();
  } else if (kind == kWakeHandshake && phase_ == Phase::Connecting) {
    give_up("no answer");
  } else if (kind == kWakeSilence && phase_ != Phase::Down && link_.down.is_cut() &&
             agenda_.now() - link_.down.cut_since() >= silence_max(*plan_)) {
    give_up("nothing heard for two heartbeats");
  }
  received_all();
}

}  // namespace juggler::sim
