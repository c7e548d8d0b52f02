#pragma once
// A broker in virtual time with AMQP's semantics: what RabbitMQ does through the Transport port, as
// far as promises depend on it. One suite of tests holds for both
// (tests/integration/amqp_contract_test.cc).
//
// Not modelled: permissions and checked user ids, `x-expires`, the headers that dead-lettering
// adds.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "runtime/session.h"
#include "runtime/topology.h"
#include "sim/agenda.h"
#include "sim/broker_queue.h"
#include "sim/network.h"

namespace juggler::sim {

// What the broker itself takes. Of the defaults see docs/performance.md: a task's four durable hops
// take 0.9-1.2 ms on loopback.
struct BrokerProfile {
  // From a publish's arrival to the delivery on the wire, for a small message, and what 100 KiB
  // add. With kDeviceMessage a round trip takes what it takes live on an idle machine, 1.07 ms
  // with 1 KB and 1.55 ms with 150 KB: docs/performance.md#round-trip.
  Micros hop{150};
  Micros hop_per_100_kib{164};
  Micros confirm_min{100};  // confirms come together, so long after the first of them
  Micros confirm_max{1'500};
};

// The steps of a session that need the broker's answer, in Frame::flag.
enum class StepKind : std::uint8_t {
  Start,     // index: the subscription to begin
  Drained,   // index: whether all that lay there has been sent
  Announce,  // take the epoch where the session does so
};
enum class StepAnswer : std::uint8_t {
  Opened,      // text: the reply queue
  Started,     // flag of the subscription: its queue had something ready
  StartedDry,  // nothing lay there, or nobody has to wait for it
  WaitLock,    // somebody else holds the exclusive queue
  WaitQueue,   // the queue does not exist yet
  Dry,
  NotDry,
  Announced,  // number: the epoch
  Refused,
};

// After so long a silence either side gives a connection up: two heartbeats
// (docs/protocol.md#connecting).
Micros silence_max(const SessionPlan& plan);

// One end of a link at the broker. A client opens one connection after another through it.
class Broker;
class BrokerPort final : public FrameSink {
 public:
  BrokerPort(Broker& broker, Link& link) : broker_(broker), link_(link) {}

  void receive(Frame frame) override;
  void received_all() override {}
  Link& link() { return link_; }

  // What the next connection is for. Set by the client before it opens one.
  std::shared_ptr<const SessionPlan> plan;

 private:
  friend class Broker;
  Broker& broker_;
  Link& link_;
  std::uint64_t current_ = 0;  // a connection, remembered so that no frame looks for it
  struct BrokerConnection* connection_ = nullptr;
};

// A delivery that waits for its ack.
struct Unacked {
  StoredMessage message;
  QueueIndex queue = kNoQueue;
  std::uint16_t subscription = 0;
};

struct BrokerConnection {
  std::uint64_t number = 0;
  BrokerPort* port = nullptr;
  std::shared_ptr<const SessionPlan> plan;
  std::deque<Unacked> unacked;         // by tag, without gaps: what is settled has no queue
  std::uint64_t first_tag = 1;         // of the front
  std::vector<QueueIndex> subscribed;  // by subscription; the reply queue is the last
  std::vector<QueueIndex> own;         // exclusive queues
  std::uint64_t confirm_up_to = 0;     // processed, not yet confirmed
  std::uint64_t confirmed_up_to = 0;   // by the last frame
  std::optional<Time> confirms;        // when the next frame of confirms goes out
  bool stopped = false;                // it published during an alarm: nothing more is read
  std::deque<Frame> unread;
};

class Broker final : public Sleeper {
 public:
  Broker(Agenda& agenda, BrokerProfile profile, std::uint64_t seed);
  ~Broker() override;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  BrokerPort& attach(Link& link);
  std::uint64_t next_connection() { return ++last_connection_; }

  void declare(const Topology& topology);
  void enrol(const std::string& device) { declare(device_topology(device)); }
  // Also where its consumer is half dead; false where there is no such queue.
  bool has_consumer(const std::string& queue) const;

  // Faults.
  void cut_all(const std::string& reason);
  void cut(BrokerPort& port, const std::string& reason);
  void stop();  // ends every connection; keeps what is on disk
  // Called with each persistent message that stop() loses because it was not on disk yet.
  void on_lost(std::function<void(const wire::Envelope&)> told) { lost_ = std::move(told); }
  // After a stop. For so long it is slow: connections open and messages come, but no queue is read
  // to its end, so that no controller leads.
  void start(Micros slow = {});
  void block(bool blocked);
  // So many of a million dispatches and results come twice, as when a sender is in doubt.
  void duplicate(std::int64_t per_million) { duplicates_per_million_ = per_million; }
  // The other end of a port's connections has vanished: they are given up after two heartbeats.
  void abandoned(const BrokerPort& port);
  // The link of a port was cut: a connection that hears nothing for two heartbeats is given up.
  void watch(BrokerPort& port);

  bool running() const { return running_; }
  bool has(std::uint64_t connection) const { return connections_.contains(connection); }
  // Ready messages of a queue; 0 where there is none.
  std::size_t ready(const std::string& queue) const;
  std::size_t unacked(const std::string& queue) const;

  void wake(std::uint64_t what) override;

 private:
  friend class BrokerPort;

  void receive(BrokerPort& port, Frame frame);
  void handle(BrokerConnection& connection, Frame& frame);
  void open(BrokerPort& port, const Frame& frame);
  void step(BrokerConnection& connection, const Frame& frame);
  StepAnswer start_subscription(BrokerConnection& connection, std::uint16_t index);
  void browse(BrokerConnection& connection, std::uint16_t index, Queue& queue);
  std::pair<std::int64_t, std::int64_t> take_epoch();  // the new one, and the last
  void publish(BrokerConnection& connection, Frame& frame);
  void confirm(BrokerConnection& connection, std::uint64_t number, bool accepted, bool at_once);
  Time plan_confirms(BrokerConnection& connection);
  void flush_confirms(std::uint64_t connection);
  void settle(BrokerConnection& connection, std::uint64_t tag, Settling how);
  void drop(std::uint64_t connection, const std::string& reason, bool tell);
  void answer(BrokerConnection& connection, std::uint16_t index, StepAnswer what,
              std::uint64_t number = 0, std::string text = {});
  void send(BrokerConnection& connection, Frame frame, Micros later);

  QueueIndex declare_queue(const QueueSpec& spec, std::uint64_t owner);
  void remove_queue(QueueIndex index);
  void consume(BrokerConnection& connection, std::uint16_t subscription, QueueIndex queue,
               const Subscription& how);
  // False where the queue is full and refuses.
  bool put(QueueIndex index, Content content, Time on_disk);
  void put_back(QueueIndex index, StoredMessage message);
  void forget_written(Queue& queue);
  void dead_letter(Queue& queue, StoredMessage message);
  void expire(QueueIndex index);
  void pump(QueueIndex index);
  QueueConsumer* next_consumer(Queue& queue);
  void deliver(QueueIndex index, QueueConsumer& consumer, StoredMessage message);
  BrokerConnection* find(std::uint64_t connection);

  Agenda& agenda_;
  BrokerProfile profile_;
  Rng rng_;
  Exchanges exchanges_;
  std::deque<Queue> queues_;  // never moved
  std::vector<Time> expiry_planned_;
  std::deque<std::unique_ptr<BrokerPort>> ports_;
  std::map<std::uint64_t, std::unique_ptr<BrokerConnection>> connections_;
  std::uint64_t last_connection_ = 0;
  std::uint64_t last_name_ = 0;
  bool running_ = true;
  Time slow_until_;
  bool blocked_ = false;
  std::int64_t duplicates_per_million_ = 0;
  std::function<void(const wire::Envelope&)> lost_;
};

}  // namespace juggler::sim
