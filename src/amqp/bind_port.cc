#include "amqp/bind_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace juggler::amqp {

int bind_port(std::uint32_t address, int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in internet{};
  internet.sin_family = AF_INET;
  internet.sin_port = htons(static_cast<std::uint16_t>(port));
  internet.sin_addr.s_addr = htonl(address);
  sockaddr generic{};
  std::memcpy(&generic, &internet, sizeof internet);
  if (fd >= 0 && bind(fd, &generic, sizeof internet) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

}  // namespace juggler::amqp
