#include "support/broker_contract.h"

#include <algorithm>
#include <chrono>

namespace juggler::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

}  // namespace

void Peer::poll_for(Micros wait_max) {
  std::vector<TransportEvent> events;
  transport_->poll(wait_max, events);
  for (TransportEvent& event : events) {
    if (auto* up = std::get_if<TransportConnected>(&event)) {
      connected.push_back(std::move(*up));
    } else if (auto* down = std::get_if<TransportDisconnected>(&event)) {
      disconnected.push_back(std::move(*down));
    } else if (auto* alarm = std::get_if<TransportBlocked>(&event)) {
      blocked.push_back(std::move(*alarm));
    } else if (auto* delivery = std::get_if<TransportDelivery>(&event)) {
      deliveries.push_back(std::move(*delivery));
    } else if (auto* presence = std::get_if<TransportPresence>(&event)) {
      presences.push_back(std::move(*presence));
    } else if (auto* now = std::get_if<TransportServing>(&event)) {
      serving.push_back(now->serving);
    } else {
      settlements.push_back(std::get<TransportSettled>(event));
    }
  }
}

void Peer::poll() { poll_for(Micros{}); }

bool Peer::await(const std::function<bool()>& done) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= until) {
      return false;
    }
    poll_for(milliseconds(20));
  }
  return true;
}

bool Peer::await_connected(std::size_t times) {
  return await([&] { return connected.size() >= times; });
}

bool Peer::await_deliveries(std::size_t count) {
  return await([&] { return deliveries.size() >= count; });
}

PublishId Peer::publish_later(wire::Envelope message) {
  const PublishId id = next_id_++;
  transport_->publish(id, std::move(message));
  return id;
}

PublishEnd Peer::publish(wire::Envelope message) {
  const PublishId id = publish_later(std::move(message));
  const auto found = [&] {
    return std::find_if(settlements.begin(), settlements.end(),
                        [id](const TransportSettled& settled) { return settled.id == id; });
  };
  const bool settled = await([&] { return found() != settlements.end(); });
  EXPECT_TRUE(settled) << "publish " << id << " was never settled";
  return settled ? found()->end : PublishEnd::Unknown;
}

// An unroutable message comes back at once, behind all that the channel had read and said; only
// confirms of persistent messages may come later, with the disk.
void Peer::settle() {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(publish(message_to("juggler.test.nowhere", "settle")), PublishEnd::Returned);
  }
}

std::size_t Peer::settled(PublishEnd end) const {
  return static_cast<std::size_t>(
      std::count_if(settlements.begin(), settlements.end(),
                    [end](const TransportSettled& settled) { return settled.end == end; }));
}

std::vector<std::string> Peer::bodies() const {
  std::vector<std::string> texts;
  for (const TransportDelivery& delivery : deliveries) {
    texts.push_back(*delivery.envelope.body);
  }
  return texts;
}

wire::Envelope message_to(const std::string& queue, const std::string& body) {
  wire::Envelope message;
  message.routing_key = queue;
  message.message_id = body.substr(0, 64);
  message.body = wire::make_body(body);
  return message;
}

SessionPlan session(std::vector<Subscription> subscriptions) {
  SessionPlan spec;
  spec.connection_name = "test";
  spec.subscriptions = std::move(subscriptions);
  return spec;
}

QueueSpec plain_queue(const std::string& name, std::vector<Argument> arguments) {
  return {name, std::move(arguments), false};
}

Peer BrokerContract::peer(std::vector<Subscription> subscriptions) {
  return Peer(broker().connect(session(std::move(subscriptions))));
}

void BrokerContract::declare_queue(const std::string& name, std::vector<Argument> arguments) {
  Topology topology;
  topology.queues.push_back(plain_queue(name, std::move(arguments)));
  broker().declare(topology);
}

}  // namespace juggler::test
