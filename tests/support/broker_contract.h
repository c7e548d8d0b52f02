#pragma once
// What a broker promises through the Transport port, as a suite of tests that runs on every broker:
// the real one, and a simulated one that must behave alike.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "runtime/topology.h"
#include "runtime/transport.h"

namespace juggler::test {

// A broker in the hands of a test.
class BrokerUnderTest {
 public:
  virtual ~BrokerUnderTest() = default;

  // A transport with a controller's rights, or with a client's where it wants a reply queue.
  virtual std::unique_ptr<Transport> connect(SessionPlan plan) = 0;
  // Makes queues, exchanges and bindings beside those of the fleet.
  virtual void declare(const Topology& topology) = 0;
  // Ends every connection without a good-bye.
  virtual void cut_all() = 0;
  // Forgets every queue of the fleet and of the tests.
  virtual void reset() = 0;
};

// One end of a conversation: a transport, and everything that it has said.
class Peer {
 public:
  explicit Peer(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  Transport* operator->() { return transport_.get(); }

  // Polls until `done` holds. False after 20 s.
  bool await(const std::function<bool()>& done);
  bool await_connected(std::size_t times = 1);
  bool await_deliveries(std::size_t count);
  // Publishes and waits for the end of it.
  PublishEnd publish(wire::Envelope message);
  PublishId publish_later(wire::Envelope message);
  // What was sent has been read, and the broker's answers have arrived; but confirms may be late.
  void settle();
  // Polls once, without waiting.
  void poll();

  std::size_t settled(PublishEnd end) const;
  std::vector<std::string> bodies() const;  // of the deliveries, in their order

  std::vector<TransportConnected> connected;
  std::vector<TransportDisconnected> disconnected;
  std::vector<TransportBlocked> blocked;
  std::vector<TransportDelivery> deliveries;
  std::vector<TransportSettled> settlements;
  std::vector<TransportPresence> presences;
  std::vector<bool> serving;

 private:
  void poll_for(Micros wait_max);

  std::unique_ptr<Transport> transport_;
  PublishId next_id_ = 1;
};

// A message to a queue by the default exchange; its message_id is its body.
wire::Envelope message_to(const std::string& queue, const std::string& body);
// A session that subscribes to these queues and declares nothing.
SessionPlan session(std::vector<Subscription> subscriptions);
// A plain durable queue, for a topology.
QueueSpec plain_queue(const std::string& name, std::vector<Argument> arguments = {});

using BrokerFactory = BrokerUnderTest& (*)();

class BrokerContract : public ::testing::TestWithParam<BrokerFactory> {
 protected:
  void SetUp() override { broker().reset(); }
  BrokerUnderTest& broker() { return GetParam()(); }
  Peer peer(std::vector<Subscription> subscriptions = {});
  void declare_queue(const std::string& name, std::vector<Argument> arguments = {});
};

}  // namespace juggler::test
