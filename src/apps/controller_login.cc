#include "apps/controller_login.h"

#include "amqp/private_broker.h"

namespace juggler {

Result<amqp::BrokerUrl> find_controller_login(const BrokerChoice& choice) {
  if (choice.broker.empty() && choice.broker_file.empty()) {
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
