#include "apps/client_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include "amqp/session.h"
#include "apps/controller_login.h"

namespace juggler {

namespace {

std::unique_ptr<ClientSession> open_session(amqp::SessionSpec spec) {
  auto session = std::make_unique<ClientSession>();
  session->broker = spec.broker.redacted();
  const std::string user = spec.broker.user;
  session->transport = amqp::make_transport(std::move(spec));
  session->client = std::make_unique<Client>(*session->transport, session->clock, user);
  return session;
}

std::string connection_name() { return fmt::format("juggler client {}", getpid()); }

}  // namespace

Result<std::unique_ptr<ClientSession>> open_client(const std::string& address) {
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(address);
  if (!broker) {
    return broker.error();
  }
  return open_session(amqp::client_session(std::move(*broker), connection_name()));
}

Result<std::unique_ptr<ClientSession>> open_client(const BrokerChoice& choice) {
  const Result<std::string> address = find_broker(choice);
  if (!address) {
    return address.error();
  }
  return open_client(*address);
}

Result<std::unique_ptr<ClientSession>> open_asker(const BrokerChoice& choice) {
  Result<amqp::BrokerUrl> broker = find_controller_login(choice);
  if (!broker) {
    return broker.error();
  }
  SessionPlan plan;
  plan.connection_name = connection_name();
  plan.reply_queue = true;
  plan.controllers_replies = true;
  return open_session({std::move(plan), std::move(*broker)});
}

}  // namespace juggler
