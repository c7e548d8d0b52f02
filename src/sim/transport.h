#pragma once
// The Transport port over a simulated link to the simulated broker: sessions, confirms and the fate
// of what was under way when a connection was lost, as src/amqp has them.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "runtime/clock.h"
#include "runtime/retry_ladder.h"
#include "runtime/session.h"
#include "runtime/transport.h"
#include "sim/agenda.h"
#include "sim/broker.h"
#include "sim/network.h"
#include "sim/scenario.h"

namespace juggler::sim {

// Whoever polls a transport, and is told when that is worth it.
class TransportOwner {
 public:
  virtual ~TransportOwner() = default;
  virtual void input() = 0;
};

// Belongs to a machine, for all lives of the process on it: begin() and die() are a process's start
// and its sudden end.
class SimTransport final : public Transport, public FrameSink, public Sleeper {
 public:
  SimTransport(Agenda& agenda, Broker& broker, Link& link, std::uint64_t seed);

  // A process starts and connects.
  void begin(SessionPlan plan, TransportOwner& owner);
  // It ends without a good-bye. `lost_frames` of what it had handed to its socket last never left.
  void die(std::size_t lost_frames = 0);
  // The machine loses its power: nobody tells the broker.
  void lose_power();
  // Nothing passes in this direction, until it is restored. A side that hears nothing for two
  // heartbeats gives the connection up.
  void cut(LinkDirection direction);
  void restore();
  // The process stands still: what comes waits in its socket, and the broker hears nothing of it.
  void stand_still();

  bool announced() const { return phase_ == Phase::Up; }
  // The broker has ended this session, and nobody here knows yet.
  bool fenced() const { return !broker_.has(connection_); }
  // The wire breaks, at both ends and at once.
  void lose_connection() { broker_.cut(port_, "the connection broke"); }
  // The next delivery that wants an ack is acked and forgotten: lost inside the machine.
  void lose_next_delivery() { loses_next_ = true; }
  bool has_events() const { return !events_.empty(); }
  std::size_t unsettled() const { return open_; }

  void publish(PublishId id, wire::Envelope message) override;
  void ack(DeliveryId delivery) override { settle(delivery, Settling::Ack); }
  void reject(DeliveryId delivery, bool requeue) override {
    settle(delivery, requeue ? Settling::Requeue : Settling::Reject);
  }
  void enrol(const std::string& device) override;
  void ask_presence(const std::string& device) override;
  // Hands over what has arrived and sends what was gathered. Never waits: virtual time passes
  // between two turns, not in one.
  void poll(Micros wait_max, std::vector<TransportEvent>& events) override;
  void wake() override {}
  void close(Micros wait_max) override;

  // Sends the acks that were gathered.
  void flush();

  void receive(Frame frame) override;
  void received_all() override;
  void wake(std::uint64_t what) override;

 private:
  void watch();
  enum class Phase { Down, Connecting, Joining, Up };
  struct Publish {
    PublishId id = 0;
    wire::Envelope message;
  };
  struct Settle {
    DeliveryId delivery;
    Settling how = Settling::Ack;
  };
  struct OpenPublish {
    PublishId id = 0;
    bool returned = false;
    bool settled = false;
  };

  void vanish();
  void connect();
  void send(Frame frame);
  void send_publish(PublishId id, wire::Envelope message);
  void send_queued();
  void send_acks();
  void settle(DeliveryId delivery, Settling how);
  void gather(std::uint64_t tag, Settling how);
  bool may_publish() const { return phase_ == Phase::Up && !blocked_; }

  void advance();
  bool may_announce() const;  // as SessionSetup's
  void ask(StepKind kind, std::uint16_t index);
  void answered(const Frame& frame);
  void delivered(Frame& frame);
  void confirmed(const Frame& frame);
  void settle_entry(OpenPublish& entry, bool accepted);
  void lose(const std::string& reason);
  void give_up(const std::string& reason);
  void wake_later(std::uint64_t kind, Time when);

  Agenda& agenda_;
  Broker& broker_;
  Link& link_;
  BrokerPort& port_;
  const std::uint64_t seed_;
  std::uint64_t lives_ = 0;
  RetryLadder ladder_;
  TransportOwner* owner_ = nullptr;
  std::shared_ptr<const SessionPlan> plan_;

  Phase phase_ = Phase::Down;
  bool closed_ = false;
  bool blocked_ = false;
  bool loses_next_ = false;
  std::uint64_t connection_ = 0;   // the broker's number of it
  std::uint64_t incarnation_ = 0;  // for deliveries
  std::uint64_t generation_ = 0;   // of wake-ups: those of an earlier connection are void
  std::string reply_queue_;

  // The session's progress: subscription by subscription.
  std::size_t next_ = 0;
  bool started_ = false;  // the next one is consumed, and being drained
  bool announcing_ = false;
  bool serving_ = false;  // told that all are consumed
  Micros queue_retry_;
  std::vector<bool> active_;
  std::vector<bool> needs_ack_;

  std::deque<OpenPublish> publishes_;  // sent, by sequence number
  std::uint64_t first_publish_ = 1;    // of the front
  std::size_t open_ = 0;
  std::deque<std::variant<Publish, Settle>> queued_;
  std::deque<bool> deliveries_;  // by tag: whether it waits for its ack
  std::uint64_t first_delivery_ = 1;
  std::vector<std::uint64_t> acks_;
  std::vector<std::string> enrolling_;
  std::vector<std::string> asked_;  // for whether they have a consumer

  std::vector<TransportEvent> events_;
};

}  // namespace juggler::sim
