#pragma once
// A TCP port of this machine, taken and not yet listened on.

#include <cstdint>

namespace juggler::amqp {

// A socket on this address (INADDR_ANY, INADDR_LOOPBACK) and port, 0 for any; -1 where it is taken.
// The caller closes it.
int bind_port(std::uint32_t address, int port);

}  // namespace juggler::amqp
