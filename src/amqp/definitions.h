#pragma once
// What a broker is told of Juggler, as the definitions file that RabbitMQ loads or imports: users
// and what each may do, policies, and where wanted the exchanges and queues.

#include <string>
#include <vector>

#include "amqp/users.h"
#include "runtime/topology.h"

namespace juggler::amqp {

using Passwords = std::map<std::string, std::string>;  // by user

struct Definitions {
  std::string vhost = kVhost;
  std::vector<User> users;
  bool policies = true;                 // and the limits of the vhost
  QueueKind kind = QueueKind::Classic;  // what the policies are for
  // The controller declares it too, in the same way: here it lets a device be ready before one
  // runs.
  std::vector<Topology> topology;
};

// The whole file. Importing it twice changes nothing; it takes away nobody.
std::string definitions_json(const Definitions& definitions);

}  // namespace juggler::amqp
