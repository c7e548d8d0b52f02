#include <algorithm>
#include <utility>

#include "core/check.h"
#include "sim/broker.h"
#include "wire/messages.h"

// This file: where messages go. Queues, routes, limits, expiry, redelivery.

namespace juggler::sim {
namespace {

constexpr std::uint64_t kWakeExpiry = 1;  // as in broker.cc
constexpr unsigned kWakeBits = 2;
// A queue that nothing comes to writes down its acks when it goes to rest.
constexpr Micros kRest = seconds(10);

}  // namespace

void Broker::declare(const Topology& topology) {
  for (const ExchangeSpec& exchange : topology.exchanges) {
    exchanges_.declare(exchange);
  }
  for (const QueueSpec& queue : topology.queues) {
    declare_queue(queue, 0);
  }
  for (const BindingSpec& binding : topology.bindings) {
    const QueueIndex queue = exchanges_.find_queue(binding.queue);
    JUGGLER_CHECK(queue != kNoQueue, "a topology binds queues that exist");
    exchanges_.bind(binding, queue);
  }
  for (const ExchangeBindingSpec& binding : topology.exchange_bindings) {
    JUGGLER_CHECK(exchanges_.has(binding.destination), "a topology binds exchanges that exist");
    exchanges_.bind(binding);
  }
  for (const std::string& name : topology.retired_queues) {
    if (const QueueIndex queue = exchanges_.find_queue(name); queue != kNoQueue) {
      remove_queue(queue);
    }
  }
  for (const std::string& name : topology.retired_exchanges) {
    exchanges_.remove(name);
  }
}

QueueIndex Broker::declare_queue(const QueueSpec& spec, std::uint64_t owner) {
  const QueueIndex known = exchanges_.find_queue(spec.name);
  if (known != kNoQueue) {
    return known;
  }
  Queue queue = make_queue(spec);
  queue.owner = owner;
  const auto index = static_cast<QueueIndex>(queues_.size());
  queues_.push_back(std::move(queue));
  expiry_planned_.push_back(Time::never());
  exchanges_.name_queue(spec.name, index);
  if (BrokerConnection* connection = find(owner)) {
    connection->own.push_back(index);
  }
  return index;
}

void Broker::remove_queue(QueueIndex index) {
  Queue& queue = queues_[index];
  exchanges_.name_queue(queue.name, kNoQueue);
  exchanges_.forget(index);
  queue.exists = false;
  queue.ready.clear();
  queue.consumers.clear();
}

void Broker::consume(BrokerConnection& connection, std::uint16_t subscription, QueueIndex index,
                     const Subscription& how) {
  connection.subscribed[subscription] = index;
  QueueConsumer consumer{.connection = connection.number,
                         .subscription = subscription,
                         .prefetch = how.prefetch,
                         .priority = how.priority,
                         .no_ack = how.no_ack,
                         .exclusive = how.exclusive};
  std::vector<QueueConsumer>& consumers = queues_[index].consumers;
  const auto place =
      std::find_if(consumers.begin(), consumers.end(),
                   [&](const QueueConsumer& other) { return other.priority < consumer.priority; });
  consumers.insert(place, consumer);
  pump(index);
}

void Broker::publish(BrokerConnection& connection, Frame& frame) {
  const wire::Envelope& envelope = frame.content.envelope();
  const std::vector<QueueIndex>& routes = exchanges_.route(envelope.exchange, envelope.routing_key);
  if (routes.empty()) {
    if (envelope.mandatory) {
      send(connection, {.kind = FrameKind::Return, .number = frame.number}, profile_.hop);
    }
    confirm(connection, frame.number, /*accepted=*/true, /*at_once=*/true);
  } else {
    const bool persistent = envelope.persistent;
    const Time on_disk = persistent ? plan_confirms(connection) : Time::never();
    bool accepted = true;
    const bool twice = duplicates_per_million_ > 0 && envelope.exchange != wire::kSubmitExchange &&
                       rng_.below(1'000'000) < static_cast<std::uint64_t>(duplicates_per_million_);
    if (twice) {
      put(routes.front(), frame.content, on_disk);
    }
    if (routes.size() == 1) {
      accepted = put(routes.front(), std::move(frame.content), on_disk);
    } else {
      for (const QueueIndex queue : std::vector<QueueIndex>(routes)) {
        accepted = put(queue, frame.content, on_disk) && accepted;
      }
    }
    confirm(connection, frame.number, accepted, !persistent || !accepted);
  }
  if (blocked_ && !connection.stopped) {
    connection.stopped = true;
    Frame blocked{.kind = FrameKind::Blocked, .flag = 1};
    blocked.text = std::make_unique<std::string>("low on memory");
    send(connection, std::move(blocked), Micros{});
  }
}

bool Broker::put(QueueIndex index, Content content, Time on_disk) {
  Queue& queue = queues_[index];
  if (queue.reject_publish && queue.is_full()) {
    return false;
  }
  const Time now = agenda_.now();
  StoredMessage message;
  const wire::Envelope& envelope = content.envelope();
  if (envelope.expiration_ms.has_value()) {
    message.expires = now + milliseconds(*envelope.expiration_ms);
  }
  if (queue.message_ttl > Micros{0}) {
    message.expires = std::min(message.expires, now + queue.message_ttl);
  }
  message.on_disk = queue.durable ? on_disk : Time::never();  // others keep nothing
  message.position = ++queue.last_position;
  if (message.on_disk != Time::never()) {
    forget_written(queue);
    queue.written.push_back({now, message.on_disk});
  }
  queue.ready_bytes += wire_size(envelope);
  message.content = std::move(content);
  queue.ready.push_back(std::move(message));
  pump(index);
  while (queue.ready.size() > queue.length_max ||
         (queue.ready_bytes > queue.bytes_max && !queue.ready.empty())) {
    StoredMessage oldest = std::move(queue.ready.front());
    queue.ready.pop_front();
    queue.ready_bytes -= wire_size(oldest.content.envelope());
    dead_letter(queue, std::move(oldest));
  }
  if (!queue.ready.empty() && queue.ready.front().expires < expiry_planned_[index]) {
    expiry_planned_[index] = queue.ready.front().expires;
    agenda_.at(expiry_planned_[index], *this, std::uint64_t{index} << kWakeBits | kWakeExpiry);
  }
  return true;
}

void Broker::put_back(QueueIndex index, StoredMessage message) {
  Queue& queue = queues_[index];
  if (!queue.exists) {
    return;
  }
  message.redelivered = true;
  queue.ready_bytes += wire_size(message.content.envelope());
  const auto place =
      std::find_if(queue.ready.begin(), queue.ready.end(),
                   [&](const StoredMessage& other) { return other.position > message.position; });
  queue.ready.insert(place, std::move(message));
}

// The acks that are on disk by now.
void Broker::forget_written(Queue& queue) {
  const Time now = agenda_.now();
  Time written = now - kRest;
  while (!queue.written.empty() && queue.written.front().on_disk <= now) {
    written = std::max(written, queue.written.front().put);
    queue.written.pop_front();
  }
  while (!queue.settled.empty() && queue.settled.front().at <= written) {
    queue.settled.pop_front();
  }
}

void Broker::dead_letter(Queue& queue, StoredMessage message) {
  if (!queue.has_dead_letters) {
    return;
  }
  wire::Envelope envelope = std::move(message.content).take();
  envelope.exchange = queue.dead_exchange;
  if (!queue.dead_key.empty()) {
    envelope.routing_key = queue.dead_key;
  }
  envelope.expiration_ms.reset();  // it shall not expire again
  const std::vector<QueueIndex> routes = exchanges_.route(envelope.exchange, envelope.routing_key);
  const Content content(std::move(envelope));
  for (const QueueIndex to : routes) {
    put(to, content, agenda_.now());
  }
}

// Messages expire at the head of their queue.
void Broker::expire(QueueIndex index) {
  Queue& queue = queues_[index];
  expiry_planned_[index] = Time::never();
  while (!queue.ready.empty() && queue.ready.front().expires <= agenda_.now()) {
    StoredMessage expired = std::move(queue.ready.front());
    queue.ready.pop_front();
    queue.ready_bytes -= wire_size(expired.content.envelope());
    dead_letter(queue, std::move(expired));
  }
  if (!queue.ready.empty() && queue.ready.front().expires != Time::never()) {
    expiry_planned_[index] = queue.ready.front().expires;
    agenda_.at(expiry_planned_[index], *this, std::uint64_t{index} << kWakeBits | kWakeExpiry);
  }
}

// The highest priority that has room; equals in turn.
QueueConsumer* Broker::next_consumer(Queue& queue) {
  std::vector<QueueConsumer>& consumers = queue.consumers;
  const auto usable = [&](const QueueConsumer& consumer) { return consumer.has_room(); };
  if (queue.single_active || consumers.size() == 1) {
    return !consumers.empty() && usable(consumers.front()) ? &consumers.front() : nullptr;
  }
  const auto best = std::find_if(consumers.begin(), consumers.end(), usable);
  if (best == consumers.end()) {
    return nullptr;
  }
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    QueueConsumer& consumer = consumers[(queue.next_consumer + i) % consumers.size()];
    if (consumer.priority == best->priority && usable(consumer)) {
      queue.next_consumer = (queue.next_consumer + i + 1) % consumers.size();
      return &consumer;
    }
  }
  return nullptr;
}

void Broker::pump(QueueIndex index) {
  Queue& queue = queues_[index];
  while (!queue.ready.empty()) {
    QueueConsumer* consumer = next_consumer(queue);
    if (consumer == nullptr) {
      return;
    }
    StoredMessage message = std::move(queue.ready.front());
    queue.ready.pop_front();
    queue.ready_bytes -= wire_size(message.content.envelope());
    if (message.expires <= agenda_.now()) {
      dead_letter(queue, std::move(message));
    } else {
      deliver(index, *consumer, std::move(message));
    }
  }
}

void Broker::deliver(QueueIndex index, QueueConsumer& consumer, StoredMessage message) {
  BrokerConnection& connection = *find(consumer.connection);
  Frame frame{.kind = FrameKind::Deliver,
              .flag = message.redelivered ? std::uint8_t{1} : std::uint8_t{0},
              .index = consumer.subscription,
              .size = wire_size(message.content.envelope())};
  if (consumer.no_ack) {
    frame.content = std::move(message.content);
  } else {
    frame.content = message.content;
    frame.number = connection.first_tag + connection.unacked.size();
    consumer.unacked += 1;
    connection.unacked.push_back({std::move(message), index, consumer.subscription});
  }
  const Micros copying{profile_.hop_per_100_kib.count * frame.size / 102'400};
  send(connection, std::move(frame), profile_.hop + copying);
}

std::size_t Broker::ready(const std::string& queue) const {
  const QueueIndex at = exchanges_.find_queue(queue);
  return at == kNoQueue ? 0 : queues_[at].ready.size();
}

std::size_t Broker::unacked(const std::string& queue) const {
  const QueueIndex at = exchanges_.find_queue(queue);
  std::size_t count = 0;
  for (std::size_t i = 0; at != kNoQueue && i < queues_[at].consumers.size(); ++i) {
    count += static_cast<std::size_t>(queues_[at].consumers[i].unacked);
  }
  return count;
}

}  // namespace juggler::sim
