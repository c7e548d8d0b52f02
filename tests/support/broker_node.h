#pragma once
// One real broker for all tests of a program: a private node in a temporary folder, started with
// the first use and stopped at the end.

#include <string>

#include "amqp/connection.h"
#include "amqp/private_broker.h"
#include "amqp/session.h"
#include "support/broker_contract.h"

namespace juggler::test {

// The devices that have a user on it.
inline constexpr const char* kDevice = "edge01";
inline constexpr const char* kOtherDevice = "edge02";

class BrokerNode final : public BrokerUnderTest {
 public:
  static BrokerNode& get();

  std::unique_ptr<Transport> connect(SessionPlan plan) override;
  void declare(const Topology& topology) override;
  void cut_all() override;
  void reset() override;

  amqp::PrivateBroker& broker() { return *broker_; }
  // Runs rabbitmqctl, which can take many seconds on a busy machine. These peers are polled
  // meanwhile, or the broker would close their connections for want of heartbeats.
  bool control(const std::vector<std::string>& arguments, const std::vector<Peer*>& alive);
  // The address for a user: controller, submitter, or a device.
  amqp::BrokerUrl url(const std::string& user) const;
  // The same with TLS, by the node's own certificate.
  amqp::BrokerUrl tls_url(const std::string& user) const;
  const std::string& dir() const { return dir_; }
  const std::string& mnesia_dir() const { return mnesia_dir_; }

  // Ready messages in a queue; -1 where there is none.
  std::int64_t ready(const std::string& queue);

  // Starts the node again in the same folder, as after a crash or a stop.
  void restart();

  void start();
  void stop();

 private:
  amqp::Connection& admin();

  std::string dir_;
  std::string mnesia_dir_;
  int tls_port_ = 0;
  std::optional<amqp::PrivateBroker> broker_;
  std::unique_ptr<amqp::Connection> admin_;
  Time admin_used_;
};

}  // namespace juggler::test
