#include "amqp/lan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "amqp/bind_port.h"
#include "amqp/certificate.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr int kTlsPort = 5671;

// The port that it got, on every address of this machine; 0 where it is taken.
int try_port(int port) {
  const int fd = bind_port(INADDR_ANY, port);
  sockaddr_in address{};
  sockaddr generic{};
  socklen_t size = sizeof generic;
  const bool bound = fd >= 0 && listen(fd, 1) == 0 && getsockname(fd, &generic, &size) == 0;
  if (fd >= 0) {
    close(fd);
  }
  std::memcpy(&address, &generic, sizeof address);
  return bound ? static_cast<int>(ntohs(address.sin_port)) : 0;
}

bool is_address(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace

Result<LanAccess> prepare_lan(const std::string& etc, const std::string& host, int port_before) {
  LanAccess lan;
  lan.host = host.empty() ? own_address() : host;
  for (const int port : {port_before != 0 ? port_before : kTlsPort, kTlsPort, 0}) {
    lan.port = lan.port != 0 ? lan.port : try_port(port);
  }
  if (lan.port == 0) {
    return fail(ErrorCode::Unavailable, "no free TCP port for the network");
  }
  const CertificateFiles files{etc + "/tls.pem", etc + "/tls.key"};
  const std::string name = fmt::format("{}:{}", is_address(lan.host) ? "IP" : "DNS", lan.host);
  if (auto made = make_certificate(files, {name}); !made) {
    return made.error();
  }
  auto fingerprint = fingerprint_of(files.certificate);
  if (!fingerprint) {
    return fingerprint.error();
  }
  lan.fingerprint = std::move(*fingerprint);
  return lan;
}

std::string lan_configuration(const std::string& etc, const LanAccess& lan) {
  return fmt::format(
      "listeners.ssl.default = 0.0.0.0:{}\n"
      "ssl_options.certfile = {}/tls.pem\n"
      "ssl_options.keyfile = {}/tls.key\n"
      "ssl_options.verify = verify_none\n"
      "ssl_options.fail_if_no_peer_cert = false\n"
      "ssl_options.versions.1 = tlsv1.3\n"
      "ssl_options.versions.2 = tlsv1.2\n",
      lan.port, etc, etc);
}

std::string own_address() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  // Nothing is sent: a UDP socket that is connected only has a route. The address is one of those
  // that are for documentation.
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof address);
  socklen_t size = sizeof generic;
  std::array<char, INET_ADDRSTRLEN> text{};
  const bool routed =
      fd >= 0 && connect(fd, &generic, size) == 0 && getsockname(fd, &generic, &size) == 0;
  if (fd >= 0) {
    close(fd);
  }
  std::memcpy(&address, &generic, sizeof address);
  return routed && inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()) != nullptr
             ? text.data()
             : name.data();
}

}  // namespace juggler::amqp
