#include "sim/broker.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

// This file: connections, confirms, and what ends a connection. Sessions are in broker_sessions.cc,
// messages in broker_messages.cc.

namespace juggler::sim {
namespace {

// What wakes the broker, in the low bits; the rest is a connection's or a queue's number.
constexpr std::uint64_t kWakeConfirms = 0;
constexpr std::uint64_t kWakeExpiry = 1;
constexpr std::uint64_t kWakeWatch = 2;
constexpr std::uint64_t kWakeAbandoned = 3;
constexpr unsigned kWakeBits = 2;

}  // namespace

Micros silence_max(const SessionPlan& plan) { return seconds(2) * plan.heartbeat_s; }

void BrokerPort::receive(Frame frame) { broker_.receive(*this, std::move(frame)); }

Broker::Broker(Agenda& agenda, BrokerProfile profile, std::uint64_t seed)
    : agenda_(agenda), profile_(profile), rng_(seed) {}

Broker::~Broker() = default;

BrokerPort& Broker::attach(Link& link) {
  ports_.push_back(std::make_unique<BrokerPort>(*this, link));
  link.up.connect(*ports_.back());
  return *ports_.back();
}

BrokerConnection* Broker::find(std::uint64_t connection) {
  const auto at = connections_.find(connection);
  return at == connections_.end() ? nullptr : at->second.get();
}

void Broker::receive(BrokerPort& port, Frame frame) {
  if (frame.kind == FrameKind::Open) {
    open(port, frame);
    return;
  }
  if (port.current_ != frame.connection || port.connection_ == nullptr) {
    port.current_ = frame.connection;
    port.connection_ = find(frame.connection);
  }
  BrokerConnection* connection = port.connection_;
  if (connection == nullptr) {
    return;  // it was given up
  }
  if (connection->stopped && frame.kind != FrameKind::Goodbye) {
    connection->unread.push_back(std::move(frame));
    return;
  }
  handle(*connection, frame);
}

void Broker::handle(BrokerConnection& connection, Frame& frame) {
  switch (frame.kind) {
    case FrameKind::Publish:
      publish(connection, frame);
      return;
    case FrameKind::Settle:
      settle(connection, frame.number, static_cast<Settling>(frame.flag));
      return;
    case FrameKind::Step:
      step(connection, frame);
      return;
    case FrameKind::Goodbye:
      drop(connection.number, "closed", /*tell=*/false);
      return;
    default:
      JUGGLER_CHECK(false, "no client sends a broker's frame");
  }
}

void Broker::send(BrokerConnection& connection, Frame frame, Micros later) {
  frame.connection = connection.number;
  if (frame.size == 0) {
    frame.size = kFrameBytes;
  }
  connection.port->link().down.send(std::move(frame), later);
}

void Broker::answer(BrokerConnection& connection, std::uint16_t index, StepAnswer what,
                    std::uint64_t number, std::string text) {
  Frame frame{.kind = FrameKind::Answer,
              .flag = static_cast<std::uint8_t>(what),
              .index = index,
              .number = number};
  if (!text.empty()) {
    frame.text = std::make_unique<std::string>(std::move(text));
  }
  // Behind whatever was sent before it.
  send(connection, std::move(frame), profile_.hop);
}

void Broker::confirm(BrokerConnection& connection, std::uint64_t number, bool accepted,
                     bool at_once) {
  if (at_once) {
    Frame frame{.kind = FrameKind::Confirm,
                .flag = accepted ? std::uint8_t{1} : std::uint8_t{0},
                .number = number};
    send(connection, std::move(frame), profile_.hop);
    return;
  }
  plan_confirms(connection);
  connection.confirm_up_to = number;
}

// When what is processed now will be confirmed: then it is on disk, and not before.
Time Broker::plan_confirms(BrokerConnection& connection) {
  if (!connection.confirms.has_value()) {
    const auto spread =
        static_cast<std::uint64_t>((profile_.confirm_max - profile_.confirm_min).count) + 1;
    const Micros wait =
        profile_.confirm_min + Micros{static_cast<std::int64_t>(rng_.below(spread))};
    connection.confirms = agenda_.now() + wait;
    agenda_.at(*connection.confirms, *this, connection.number << kWakeBits | kWakeConfirms);
  }
  return *connection.confirms;
}

// All that was processed since the last one, in one frame, as the broker's disk does it.
void Broker::flush_confirms(std::uint64_t number) {
  BrokerConnection* connection = find(number);
  if (connection == nullptr || !connection->confirms.has_value()) {
    return;
  }
  connection->confirms.reset();
  if (connection->confirm_up_to == connection->confirmed_up_to) {
    return;  // all that came was refused, and told so at once
  }
  connection->confirmed_up_to = connection->confirm_up_to;
  Frame frame{
      .kind = FrameKind::Confirm, .flag = 1, .multiple = true, .number = connection->confirm_up_to};
  send(*connection, std::move(frame), Micros{});
}

void Broker::settle(BrokerConnection& connection, std::uint64_t tag, Settling how) {
  if (tag < connection.first_tag || tag - connection.first_tag >= connection.unacked.size()) {
    return;
  }
  Unacked& slot = connection.unacked[static_cast<std::size_t>(tag - connection.first_tag)];
  if (slot.queue == kNoQueue) {
    return;
  }
  Unacked settled = std::exchange(slot, Unacked{});
  while (!connection.unacked.empty() && connection.unacked.front().queue == kNoQueue) {
    connection.unacked.pop_front();
    connection.first_tag += 1;
  }
  Queue& queue = queues_[settled.queue];
  for (QueueConsumer& consumer : queue.consumers) {
    if (consumer.connection == connection.number && consumer.subscription == settled.subscription) {
      consumer.unacked -= 1;
    }
  }
  if (how == Settling::Ack && queue.durable && settled.message.on_disk != Time::never()) {
    forget_written(queue);
    queue.settled.push_back({std::move(settled.message), agenda_.now()});
  } else if (how == Settling::Requeue) {
    put_back(settled.queue, std::move(settled.message));
  } else if (how == Settling::Reject) {
    dead_letter(queue, std::move(settled.message));
  }
  pump(settled.queue);
}

void Broker::drop(std::uint64_t number, const std::string& reason, bool tell) {
  const auto at = connections_.find(number);
  if (at == connections_.end()) {
    return;
  }
  const std::unique_ptr<BrokerConnection> connection = std::move(at->second);
  connections_.erase(at);
  if (connection->port->connection_ == connection.get()) {
    connection->port->connection_ = nullptr;
  }
  for (const QueueIndex queue : connection->subscribed) {
    if (queue != kNoQueue) {
      std::erase_if(queues_[queue].consumers, [number](const QueueConsumer& consumer) {
        return consumer.connection == number;
      });
    }
  }
  for (Unacked& open : connection->unacked) {
    if (open.queue != kNoQueue) {
      put_back(open.queue, std::move(open.message));
    }
  }
  for (const QueueIndex queue : connection->own) {
    remove_queue(queue);
  }
  if (tell) {
    Frame closed{.kind = FrameKind::Closed};
    closed.text = std::make_unique<std::string>(reason);
    send(*connection, std::move(closed), Micros{});
  }
  for (const QueueIndex queue : connection->subscribed) {
    if (queue != kNoQueue && queues_[queue].exists) {
      pump(queue);
    }
  }
}

void Broker::cut_all(const std::string& reason) {
  while (!connections_.empty()) {
    drop(connections_.begin()->first, reason, /*tell=*/true);
  }
}

void Broker::cut(BrokerPort& port, const std::string& reason) {
  std::vector<std::uint64_t> cut;
  for (const auto& [number, connection] : connections_) {
    if (connection->port == &port) {
      cut.push_back(number);
    }
  }
  for (const std::uint64_t number : cut) {
    drop(number, reason, /*tell=*/true);
  }
}

void Broker::stop() {
  cut_all("the broker has stopped");
  running_ = false;
  blocked_ = false;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    Queue& queue = queues_[i];
    forget_written(queue);
    if (rng_.below(2) == 0) {
      for (Queue::Settled& settled : queue.settled) {
        if (settled.message.on_disk <= agenda_.now()) {
          put_back(static_cast<QueueIndex>(i), std::move(settled.message));
        }
      }
    }
    queue.settled.clear();
    queue.written.clear();
    // What was not on disk yet may be there or not.
    std::erase_if(queue.ready, [&](const StoredMessage& message) {
      const bool persistent = message.on_disk != Time::never();
      const bool lost = message.on_disk > agenda_.now() && (!persistent || rng_.below(2) == 0);
      if (lost && persistent && lost_) {
        lost_(message.content.envelope());
      }
      return lost;
    });
    queue.ready_bytes = 0;
    for (const StoredMessage& message : queue.ready) {
      queue.ready_bytes += wire_size(message.content.envelope());
    }
  }
}

void Broker::start(Micros slow) {
  running_ = true;
  slow_until_ = agenda_.now() + slow;
}

bool Broker::has_consumer(const std::string& queue) const {
  const QueueIndex index = exchanges_.find_queue(queue);
  return index != kNoQueue && !queues_[index].consumers.empty();
}

void Broker::block(bool blocked) {
  if (blocked_ == blocked || !running_) {
    return;
  }
  blocked_ = blocked;
  if (blocked) {
    return;  // each connection is told when it publishes
  }
  std::vector<std::uint64_t> stopped;
  for (const auto& [number, connection] : connections_) {
    if (connection->stopped) {
      stopped.push_back(number);
    }
  }
  for (const std::uint64_t number : stopped) {
    BrokerConnection* connection = find(number);
    connection->stopped = false;
    send(*connection, {.kind = FrameKind::Blocked, .flag = 0}, Micros{});
    std::deque<Frame> unread = std::move(connection->unread);
    for (Frame& frame : unread) {
      handle(*connection, frame);
    }
  }
}

void Broker::abandoned(const BrokerPort& port) {
  for (const auto& [number, connection] : connections_) {
    if (connection->port == &port) {
      agenda_.at(agenda_.now() + silence_max(*connection->plan), *this,
                 number << kWakeBits | kWakeAbandoned);
    }
  }
}

void Broker::watch(BrokerPort& port) {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].get() == &port) {
      agenda_.at(agenda_.now() + silence_max(*port.plan), *this, i << kWakeBits | kWakeWatch);
    }
  }
}

void Broker::wake(std::uint64_t what) {
  const std::uint64_t number = what >> kWakeBits;
  switch (what & ((1U << kWakeBits) - 1)) {
    case kWakeConfirms:
      flush_confirms(number);
      return;
    case kWakeExpiry:
      expire(static_cast<QueueIndex>(number));
      return;
    case kWakeAbandoned:
      drop(number, "missed heartbeats", /*tell=*/false);
      return;
    default: {
      BrokerPort& port = *ports_[number];
      const Pipe& up = port.link().up;
      if (up.is_cut() && agenda_.now() - up.cut_since() >= silence_max(*port.plan)) {
        cut(port, "missed heartbeats");
      }
    }
  }
}

}  // namespace juggler::sim
