#include "apps/controller_login.h"

#include <cstdlib>

#include "amqp/private_broker.h"

namespace juggler {

namespace {

// By a flag, a credential or the environment, as find_broker() looks for it.
bool is_named(const BrokerChoice& choice) {
  const char* address = std::getenv("JUGGLER_BROKER");
  return !choice.broker.empty() || !choice.broker_file.empty() ||
         !credential_file("broker").empty() || (address != nullptr && *address != '\0');
}

}  // namespace

Result<amqp::BrokerUrl> find_controller_login(const BrokerChoice& choice) {
  if (!is_named(choice)) {
    std::filesystem::path home = home_folder(choice.home);
    if (const auto running = choice.home.empty() ? find_running() : std::nullopt) {
      home = running->home;
    }
    if (const auto node = amqp::PrivateBroker::find_running((home / "broker").string())) {
      return amqp::BrokerUrl::parse(node->url_for("controller"));
    }
  }
  return read_broker(choice);
}

}  // namespace juggler
