#pragma once
// A client on the broker that a command's flags mean.

#include <memory>
#include <string>

#include "apps/client.h"
#include "apps/places.h"
#include "runtime/clock.h"

namespace juggler {

// What a client's good-bye may take: everything that matters was confirmed before.
inline constexpr Micros kClientCloseMax = seconds(1);

struct ClientSession {
  SystemClock clock;
  std::string broker;  // for people: without the password
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Client> client;
};

// Finds the broker; connects when first used.
//
// errors  NotFound where there is none, InvalidArgument for an address that is none
Result<std::unique_ptr<ClientSession>> open_client(const BrokerChoice& choice);
Result<std::unique_ptr<ClientSession>> open_client(const std::string& address);
// For questions alone, with a controller's rights where this home's private broker runs: it is told
// of everybody's tasks. Nothing is declared, which a controller's login may not either.
Result<std::unique_ptr<ClientSession>> open_asker(const BrokerChoice& choice);

}  // namespace juggler
