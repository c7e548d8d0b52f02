#include "apps/own_login.h"

#include <cstdlib>

#include "files/sha256.h"

namespace juggler {

namespace fs = std::filesystem;

fs::path stored_login(const BrokerChoice& broker) { return home_folder(broker.home) / "login"; }

std::string own_login(BrokerChoice& broker) {
  if (!broker.broker.empty() || !broker.broker_file.empty()) {
    return {};
  }
  std::error_code failed;
  fs::path file = stored_login(broker);
  if (!credential_file("broker").empty()) {
    const Result<std::string> given = find_broker(broker);
    if (!given) {
      return {};
    }
    file += "-instead-of-" + sha256_hex(*given).substr(0, 16);
  } else if (std::getenv("JUGGLER_BROKER") != nullptr || !fs::exists(file, failed)) {
    return {};
  }
  if (fs::exists(file, failed)) {
    broker.broker_file = file.string();
  }
  return file.string();
}

}  // namespace juggler
