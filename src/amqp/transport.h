#pragma once
// The Transport port over one AMQP connection.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "amqp/ack_window.h"
#include "amqp/admin.h"
#include "amqp/broker_nodes.h"
#include "amqp/confirms.h"
#include "amqp/connection.h"
#include "amqp/connector.h"
#include "amqp/session.h"
#include "amqp/session_setup.h"
#include "amqp/wake_event.h"
#include "runtime/retry_ladder.h"
#include "runtime/transport.h"

namespace juggler::amqp {

// One connection, one channel that publishes and acks, one thread.
//
// poll() blocks for longer than asked only while it declares and subscribes, on a connection that
// has just answered (Connection::kCallMax). The owner must poll at least every two seconds:
// heartbeats are sent from there.
class AmqpTransport final : public Transport {
 public:
  explicit AmqpTransport(SessionSpec spec);

  void publish(PublishId id, wire::Envelope message) override;
  void ack(DeliveryId delivery) override;
  void reject(DeliveryId delivery, bool requeue) override;
  void enrol(const std::string& device) override { admin_.enrol(device); }
  void ask_presence(const std::string& device) override { admin_.ask_presence(device); }
  void poll(Micros wait_max, std::vector<TransportEvent>& events) override;
  void wake() override { wake_.set(); }
  void close(Micros wait_max) override;

 private:
  struct Publish {
    PublishId id = 0;
    wire::Envelope message;
  };
  struct Settle {
    DeliveryId delivery;
    Settlement::Kind kind = Settlement::Kind::Ack;
  };
  using Command = std::variant<Publish, Settle>;

  void step(Time now);
  void connect(Time now);
  void open_session(Time now);
  void advance_session(Time now);
  void tell_serving();
  void receive(Time now);
  void take(Incoming& incoming, Time now);
  void take_delivery(Delivery& delivery);

  // Sends what was queued, in the order it was queued, as far as the broker may be sent to.
  void send_queued();
  bool may_publish() const;
  void send(const Publish& publish);
  void send_settlements();
  void settle(const Settle& command);
  void refuse(PublishId id, const wire::Envelope& message, const std::string& why);

  // The channel, or with it the connection, is gone.
  void lose_channel(const std::string& reason, Time now);
  void lose_connection(const std::string& reason, Time now);

  void sleep(Time until);

  const SessionSpec spec_;
  BrokerNodes nodes_;
  RetryLadder ladder_;
  WakeEvent wake_;
  Admin admin_;  // wakes
  Connector connector_;

  std::unique_ptr<Connection> connection_;
  ConnectionNames names_;
  std::optional<SessionSetup> session_;  // of the channel that is open
  bool announced_ = false;
  bool serving_ = false;  // as was told last
  Time takes_since_;      // the end of its last alarm
  bool blocked_ = false;
  bool closed_ = false;
  std::uint64_t incarnation_ = 0;
  Time retry_at_;

  ConfirmTable confirms_;
  AckWindow acks_;
  std::deque<Command> queued_;
  std::size_t queued_publishes_ = 0;
  std::size_t queued_bytes_ = 0;

  std::vector<TransportEvent> events_;   // not yet handed out
  std::vector<Incoming> incoming_;       // reused
  std::vector<Settlement> settlements_;  // reused
};

}  // namespace juggler::amqp
