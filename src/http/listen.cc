#include "http/listen.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

namespace juggler::http {

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  const auto refusal = fail(
      ErrorCode::InvalidArgument,
      fmt::format("'{}' is no ADDRESS:PORT: write 127.0.0.1:8000, [::1]:8000, or 0.0.0.0:8000 for "
                  "all addresses of this machine",
                  text));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return refusal;
  }
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, failed] = std::from_chars(digits.data(), end, port);
  if (failed != std::errc{} || at != end) {
    return refusal;
  }
  std::string host(text.substr(0, colon));
  ListenAddress address;
  address.ipv6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (address.ipv6) {
    host = host.substr(1, host.size() - 2);
    sockaddr_in6 internet{};
    internet.sin6_family = AF_INET6;
    internet.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.c_str(), &internet.sin6_addr) != 1) {
      return refusal;
    }
    address.loopback = IN6_IS_ADDR_LOOPBACK(&internet.sin6_addr);
    std::memcpy(&address.socket, &internet, sizeof internet);
    return address;
  }
  sockaddr_in internet{};
  internet.sin_family = AF_INET;
  internet.sin_port = htons(port);
  if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &internet.sin_addr) !=
      1) {
    return refusal;
  }
  address.loopback = (ntohl(internet.sin_addr.s_addr) >> 24U) == 127;
  std::memcpy(&address.socket, &internet, sizeof internet);
  return address;
}

}  // namespace juggler::http
