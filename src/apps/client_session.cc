#include "apps/client_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include "amqp/session.h"

namespace juggler {

Result<std::unique_ptr<ClientSession>> open_client(const std::string& address) {
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(address);
  if (!broker) {
    return broker.error();
  }
  auto session = std::make_unique<ClientSession>();
  session->broker = broker->redacted();
  const std::string user = broker->user;
  session->transport = amqp::make_transport(
      amqp::client_session(std::move(*broker), fmt::format("juggler client {}", getpid())));
  session->client = std::make_unique<Client>(*session->transport, session->clock, user);
  return session;
}

Result<std::unique_ptr<ClientSession>> open_client(const BrokerChoice& choice) {
  const Result<std::string> address = find_broker(choice);
  if (!address) {
    return address.error();
  }
  return open_client(*address);
}

}  // namespace juggler
