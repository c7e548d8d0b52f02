// The contract, held against the simulated broker: what pins the model to the real one.

#include "sim/broker.h"
#include "sim/transport.h"
#include "support/broker_contract.h"

namespace juggler::test {
namespace {

using sim::Agenda;
using sim::Broker;
using sim::Link;
using sim::SimTransport;

// A transport that lets virtual time pass while somebody waits in it.
class DrivenTransport final : public Transport, public sim::TransportOwner {
 public:
  DrivenTransport(Agenda& agenda, SimTransport& inner) : agenda_(agenda), inner_(inner) {}
  ~DrivenTransport() override { inner_.die(); }

  void publish(PublishId id, wire::Envelope message) override {
    inner_.publish(id, std::move(message));
  }
  void ack(DeliveryId delivery) override { inner_.ack(delivery); }
  void reject(DeliveryId delivery, bool requeue) override { inner_.reject(delivery, requeue); }
  void enrol(const std::string& device) override { inner_.enrol(device); }
  void ask_presence(const std::string& device) override { inner_.ask_presence(device); }
  void wake() override {}

  void poll(Micros wait_max, std::vector<TransportEvent>& events) override {
    inner_.flush();
    const Time until = agenda_.now() + wait_max;
    while (!inner_.has_events() && agenda_.next() <= until) {
      agenda_.run_one();
    }
    if (!inner_.has_events()) {
      agenda_.run_until(until);
    }
    inner_.poll(Micros{0}, events);
  }

  void close(Micros wait_max) override {
    inner_.flush();
    const Time until = agenda_.now() + wait_max;
    while (inner_.unsettled() > 0 && agenda_.next() <= until) {
      agenda_.run_one();
    }
    inner_.close(wait_max);
    agenda_.run_until(agenda_.now() + milliseconds(2));  // the broker's good-bye
  }

  void input() override {}

 private:
  Agenda& agenda_;
  SimTransport& inner_;
};

// A world of its own for each test.
class SimulatedBroker final : public BrokerUnderTest {
 public:
  std::unique_ptr<Transport> connect(SessionPlan plan) override {
    World& world = *world_;
    const sim::PipeProfile lan{.latency = Micros{250}, .jitter = Micros{25}};
    world.links.push_back(
        std::make_unique<Link>(world.agenda, sim::symmetric(lan), world.links.size() + 1));
    world.transports.push_back(std::make_unique<SimTransport>(
        world.agenda, world.broker, *world.links.back(), world.links.size()));
    auto driven = std::make_unique<DrivenTransport>(world.agenda, *world.transports.back());
    world.transports.back()->begin(std::move(plan), *driven);
    return driven;
  }
  void declare(const Topology& topology) override { world_->broker.declare(topology); }
  void cut_all() override { world_->broker.cut_all("cut"); }
  void reset() override { world_ = std::make_unique<World>(); }

 private:
  struct World {
    Agenda agenda;
    Broker broker{agenda, sim::BrokerProfile{}, 1};
    std::vector<std::unique_ptr<Link>> links;
    std::vector<std::unique_ptr<SimTransport>> transports;
  };
  std::unique_ptr<World> world_;
};

BrokerUnderTest& simulated() {
  static SimulatedBroker broker;
  return broker;
}

INSTANTIATE_TEST_SUITE_P(Simulated, BrokerContract, ::testing::Values(&simulated),
                         [](const auto&) { return std::string("Node"); });

}  // namespace
}  // namespace juggler::test
