#pragma once
// The programs of others that a broker of one's own runs on, and whether they are here.

#include <string>

#include "core/result.h"

namespace juggler::amqp {

// Not the wrappers of the same names in /usr/sbin, which refuse everybody but root and rabbitmq.
inline constexpr const char* kServer = "/usr/lib/rabbitmq/bin/rabbitmq-server";
inline constexpr const char* kControl = "/usr/lib/rabbitmq/bin/rabbitmqctl";
inline constexpr const char* kPortMapper = "/usr/bin/epmd";

// Where the node finds everything else, Erlang above all.
inline constexpr const char* kNodePath =
    "/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

// Whether what a node needs is installed on this machine: RabbitMQ, and Erlang in `path`.
//
// returns  version and place: "3.10.8, /usr/lib/rabbitmq/bin/rabbitmq-server"
// errors   what is missing, and the package that has it
Result<std::string> broker_installed();  // by kNodePath
Result<std::string> broker_installed(const std::string& path);

}  // namespace juggler::amqp
