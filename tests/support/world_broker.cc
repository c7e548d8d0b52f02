#include <fmt/format.h>

#include <algorithm>

#include "support/world_host.h"

// This file: the broker. Queues, routes, redelivery, confirms.

namespace juggler::test {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.rfind(prefix, 0) == 0;
}

constexpr const char* kEvents = "juggler.events";

}  // namespace

void World::publish(Link& link, PublishId id, wire::Envelope envelope) {
  const bool counted = id < std::uint64_t{1} << 63U;
  if (!link.up) {
    if (counted) {
      at(now_, [this, &link, id] { settle(link, id, PublishEnd::Unknown); });
    }
    return;
  }
  if (counted) {
    link.in_flight.insert(id);
  }
  const std::int64_t delay = one_in(network_rng_, 40) ? between(network_rng_, 5'000, 60'000)
                                                      : between(network_rng_, 50, 900);
  link.last_arrival = std::max(link.last_arrival, now_ + Micros{delay});
  at(link.last_arrival,
     [this, &link, incarnation = link.incarnation, id, message = std::move(envelope)] {
       arrive(link, incarnation, id, message);
     });
}

void World::arrive(Link& link, std::uint64_t incarnation, PublishId id,
                   const wire::Envelope& envelope) {
  const bool connected = link.up && link.incarnation == incarnation;
  if (!connected && !link.drained.contains(incarnation)) {
    return;  // lost on the way
  }
  const std::string queue = queue_for(envelope);
  if (connected && id < std::uint64_t{1} << 63U) {
    const bool returned = queue.empty() && envelope.mandatory;
    link.to_confirm.emplace_back(id, returned ? PublishEnd::Returned : PublishEnd::Confirmed);
    if (!link.flush_planned) {
      link.flush_planned = true;
      at(now_ + Micros{between(network_rng_, 20, 3'000)}, [this, &link] { confirm(link); });
    }
  }
  if (!queue.empty()) {
    put(queue, envelope);
  }
}

// Several confirms at once, as the broker sends them.
void World::confirm(Link& link) {
  link.flush_planned = false;
  std::vector<std::pair<PublishId, PublishEnd>> settled;
  settled.swap(link.to_confirm);
  for (const auto& [id, end] : settled) {
    if (link.in_flight.erase(id) == 1) {
      settle(link, id, end);
    }
  }
}

std::string World::queue_for(const wire::Envelope& envelope) const {
  const std::string& key = envelope.routing_key;
  if (envelope.exchange.empty()) {
    const bool client = starts_with(key, "client-") && !gone_.contains(key);
    return client || key == wire::kDecidedQueue ? key : "";
  }
  if (envelope.exchange == wire::kDispatchExchange) {
    return enrolled_.contains(key) ? "dispatch." + key : "";
  }
  if (envelope.exchange == wire::kUpExchange) {
    return starts_with(key, "result.") ? wire::kResultsQueue : kEvents;
  }
  if (envelope.exchange == wire::kControlExchange) {
    const std::string device = key.substr(key.find('.') + 1);
    return enrolled_.contains(device) ? "control." + device : "";
  }
  return envelope.exchange;  // juggler.dead and juggler.unrouted
}

void World::put(const std::string& queue, const wire::Envelope& envelope) {
  if (starts_with(queue, "client-") || queue == wire::kUnroutedExchange) {
    receive_answer(envelope);
    return;
  }
  if (queue == wire::kDeadExchange) {
    return;
  }
  Message message{envelope};
  if (envelope.expiration_ms.has_value()) {
    message.expires = now_ + milliseconds(*envelope.expiration_ms);
  } else if (queue == kEvents) {
    message.expires = now_ + seconds(5);
  }
  queues_[queue].ready.push_back(std::move(message));
  deliver(queue);
}

void World::receive_answer(const wire::Envelope& envelope) {
  const Result<Outcome> outcome = wire::decode_outcome(envelope);
  if (!outcome) {
    broken_.push_back("an outcome that does not decode: " + outcome.error().message);
    return;
  }
  const std::string& id = outcome->key.id;
  const auto [at, added] = answers_.try_emplace(id, *outcome);
  if (!added && !same_answer(at->second, *outcome)) {
    broken_.push_back(fmt::format("{} was answered twice: {} and {}", id,
                                  to_string(at->second.kind), to_string(outcome->kind)));
  }
  if (added && outcome->kind == OutcomeKind::Completed) {
    finished_[id] = now_;
  }
}

World::Host* World::host_of(const std::string& queue) {
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (queue == "dispatch." + host->facts.id || queue == "control." + host->facts.id) {
      return host.get();
    }
  }
  return nullptr;
}

// Pushes what is ready to whoever is subscribed.
void World::deliver(const std::string& queue) {
  if (queue == wire::kDecidedQueue) {
    return;  // browsed at the start of a lead
  }
  Host* host = host_of(queue);
  Link& link = host != nullptr ? host->link : controller_link_;
  std::deque<Message>& ready = queues_[queue].ready;
  while (link.up && !ready.empty()) {
    Message message = std::move(ready.front());
    ready.pop_front();
    if (message.expires <= now_) {
      continue;
    }
    const DeliveryId delivery{link.incarnation, ++link.last_tag};
    link.unacked[delivery.tag] = {queue, message};
    link.last_delivery =
        std::max(link.last_delivery, now_ + Micros{between(network_rng_, 30, 600)});
    at(link.last_delivery, [this, host, queue, message, delivery] {
      Link& to = host != nullptr ? host->link : controller_link_;
      if (!to.up || to.incarnation != delivery.incarnation) {
        return;
      }
      if (host == nullptr) {
        controller_message(queue, message, delivery);
      } else {
        device_message(*host, message, delivery, starts_with(queue, "control."));
      }
    });
  }
}

void World::ack(Link& link, DeliveryId delivery) {
  if (link.up && link.incarnation == delivery.incarnation && delivery.tag > 0 &&
      link.unacked.erase(delivery.tag) != 1) {
    broken_.push_back("a delivery was acked twice");
  }
}

std::vector<PublishId> World::cut(Link& link) {
  link.up = false;
  if (one_in(network_rng_, 2)) {
    link.drained.insert(link.incarnation);  // what was sent arrives, but nobody says so
  }
  std::set<std::string> queues;
  for (auto at = link.unacked.rbegin(); at != link.unacked.rend(); ++at) {
    auto& [queue, message] = at->second;
    message.redelivered = true;
    queues_[queue].ready.push_front(std::move(message));
    queues.insert(queue);
  }
  link.unacked.clear();
  link.to_confirm.clear();
  std::vector<PublishId> unknown(link.in_flight.begin(), link.in_flight.end());
  link.in_flight.clear();
  return unknown;
}

void World::settle(Link& link, PublishId id, PublishEnd end) {
  if (&link == &controller_link_) {
    if (controller_ != nullptr) {
      controller_step(PublishSettled{id, end});
    }
    return;
  }
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (&host->link == &link && host->consumer != nullptr) {
      device_step(*host, PublishSettled{id, end});
    }
  }
}

}  // namespace juggler::test
