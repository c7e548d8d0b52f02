#pragma once
// Where the server listens: an address of this machine and a port.

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler::http {

struct ListenAddress {
  sockaddr_storage socket{};  // with the port
  bool ipv6 = false;
  bool loopback = false;  // reached from this machine alone

  // "127.0.0.1:8000", "localhost:8000", "[::1]:8000", "0.0.0.0:8000"; port 0 takes a free one.
  static Result<ListenAddress> parse(std::string_view text);
};

}  // namespace juggler::http
