#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "sim/broker.h"
#include "sim/clock.h"

// This file: how a session begins, step by step: login, subscriptions, lock, epoch.

namespace juggler::sim {

void Broker::open(BrokerPort& port, const Frame& frame) {
  auto connection = std::make_unique<BrokerConnection>();
  connection->number = frame.connection;
  connection->port = &port;
  connection->plan = port.plan;
  BrokerConnection& made = *connection;
  if (!running_) {
    Frame closed{.kind = FrameKind::Closed};
    closed.text = std::make_unique<std::string>("connection refused");
    send(made, std::move(closed), Micros{});
    return;
  }
  connections_[made.number] = std::move(connection);
  port.current_ = made.number;
  port.connection_ = &made;
  made.subscribed.assign(made.plan->subscriptions.size() + 1, kNoQueue);
  if (made.plan->declare_topology) {
    declare(fleet_topology());
  }
  std::string replies;
  if (made.plan->reply_queue) {
    replies = fmt::format("amq.gen-{}", ++last_name_);
    const QueueIndex queue =
        declare_queue({.name = replies, .arguments = {}, .exclusive = true}, made.number);
    Subscription how;
    how.prefetch = 0;
    how.no_ack = true;
    consume(made, static_cast<std::uint16_t>(made.plan->subscriptions.size()), queue, how);
  }
  answer(made, 0, StepAnswer::Opened, 0, replies);
}

void Broker::step(BrokerConnection& connection, const Frame& frame) {
  const std::uint16_t index = frame.index;
  switch (static_cast<StepKind>(frame.flag)) {
    case StepKind::Start:
      answer(connection, index, start_subscription(connection, index));
      return;
    case StepKind::Drained: {
      const Queue& queue = queues_[connection.subscribed[index]];
      const bool dry = queue.ready.empty() && agenda_.now() >= slow_until_;
      answer(connection, index, dry ? StepAnswer::Dry : StepAnswer::NotDry);
      return;
    }
    case StepKind::Announce: {
      std::pair<std::int64_t, std::int64_t> epoch;
      if (connection.plan->take_epoch) {
        epoch = take_epoch();
      }
      answer(connection, index, StepAnswer::Announced, static_cast<std::uint64_t>(epoch.first),
             std::to_string(epoch.second));
      return;
    }
  }
}

StepAnswer Broker::start_subscription(BrokerConnection& connection, std::uint16_t index) {
  const Subscription& wanted = connection.plan->subscriptions[index];
  QueueIndex at = exchanges_.find_queue(wanted.queue);
  if (wanted.own.wanted) {
    QueueSpec spec{.name = wanted.queue, .arguments = {}, .exclusive = true};
    if (wanted.own.unique_name) {
      spec.name = fmt::format("{}.{}", wanted.queue, connection.number);
    }
    if (wanted.own.message_ttl_ms > 0) {
      spec.arguments.push_back({"x-message-ttl", wanted.own.message_ttl_ms});
    }
    if (wanted.own.length_max > 0) {
      spec.arguments.push_back({"x-max-length", std::int64_t{wanted.own.length_max}});
    }
    if (wanted.own.bytes_max > Bytes{0}) {
      spec.arguments.push_back({"x-max-length-bytes", wanted.own.bytes_max.count});
    }
    at = exchanges_.find_queue(spec.name);
    if (at != kNoQueue && queues_[at].owner != connection.number) {
      return StepAnswer::Refused;  // 405: somebody else's exclusive queue
    }
    at = declare_queue(spec, connection.number);
    for (const OwnQueue::Binding& binding : wanted.own.bindings) {
      exchanges_.bind({binding.exchange, spec.name, binding.key}, at);
    }
  }
  if (at == kNoQueue) {
    return connection.plan->role == SessionRole::Device ? StepAnswer::WaitQueue
                                                        : StepAnswer::Refused;
  }
  Queue& queue = queues_[at];
  if (wanted.exclusive && !queue.consumers.empty()) {
    return StepAnswer::WaitLock;
  }
  const bool locked = std::any_of(queue.consumers.begin(), queue.consumers.end(),
                                  [](const QueueConsumer& consumer) { return consumer.exclusive; });
  if (locked) {
    return StepAnswer::Refused;
  }
  const bool dry = queue.ready.empty() && agenda_.now() >= slow_until_;
  connection.subscribed[index] = at;
  if (wanted.browse) {
    browse(connection, index, queue);
    return StepAnswer::StartedDry;
  }
  consume(connection, index, at, wanted);
  const bool waits = wanted.drain_first && !dry;
  return waits ? StepAnswer::Started : StepAnswer::StartedDry;
}

// Sends what lies there and puts it back, all at one moment.
void Broker::browse(BrokerConnection& connection, std::uint16_t index, Queue& queue) {
  for (StoredMessage& message : queue.ready) {
    if (message.expires <= agenda_.now()) {
      continue;
    }
    Frame frame{.kind = FrameKind::Deliver,
                .flag = message.redelivered ? std::uint8_t{1} : std::uint8_t{0},
                .index = index,
                .size = wire_size(message.content.envelope()),
                .content = message.content};
    message.redelivered = true;
    send(connection, std::move(frame), profile_.hop);
  }
}

std::pair<std::int64_t, std::int64_t> Broker::take_epoch() {
  const QueueIndex at = declare_queue({.name = kEpochQueue, .arguments = {}}, 0);
  Queue& queue = queues_[at];
  std::int64_t highest = 0;
  for (const StoredMessage& message : queue.ready) {
    const std::string& text = *message.content.envelope().body;
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    highest = std::max(highest, value);
  }
  const std::int64_t epoch = std::max(highest + 1, kUnixStart + agenda_.now().us / 1'000'000);
  queue.ready.clear();
  queue.ready_bytes = 0;
  wire::Envelope record;
  record.routing_key = kEpochQueue;
  record.body = wire::make_body(std::to_string(epoch));
  put(at, Content(std::move(record)), agenda_.now());  // the session waited for its confirm
  return {epoch, highest};
}

}  // namespace juggler::sim
