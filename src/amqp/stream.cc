#include "amqp/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "amqp/monotonic.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

// Data that the peer does not acknowledge for this long ends the connection: without it, a broker
// whose machine lost its power is noticed only by heartbeats, and by the kernel after minutes.
constexpr unsigned kUserTimeoutMs = 10'000;

Error system_error(std::string_view what, int error) {
  return fail(ErrorCode::Unavailable, fmt::format("{}: {}", what, std::strerror(error)));
}

void set_options(int fd) {
  const int on = 1;
  const unsigned timeout_ms = kUserTimeoutMs;
  // Both are improvements, not conditions: a unix without them still works.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

Result<int> connect_address(const addrinfo& address, Time deadline) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                        address.ai_protocol);
  if (fd < 0) {
    return system_error("socket", errno);
  }
  int error = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t size = sizeof error;
    if (!wait_ready(fd, {.read = false, .write = true}, deadline)) {
      error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      error = errno;
    }
  }
  if (error == 0 && connected_to_itself(fd)) {
    error = ECONNREFUSED;
  }
  if (error != 0) {
    close(fd);
    return system_error("connect", error);
  }
  set_options(fd);
  return fd;
}

}  // namespace

bool connected_to_itself(int fd) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_size = sizeof here;
  socklen_t there_size = sizeof there;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 &&
         here_size == there_size && std::memcmp(&here, &there, here_size) == 0;
}

bool wait_ready(int fd, Readiness wanted, Time deadline) {
  for (;;) {
    const std::int64_t left_us = (deadline - monotonic_now()).count;
    const auto left_ms = static_cast<int>(std::clamp<std::int64_t>(left_us / 1000 + 1, 0, 60'000));
    pollfd entry{fd, static_cast<short>((wanted.read ? POLLIN : 0) | (wanted.write ? POLLOUT : 0)),
                 0};
    const int ready = ::poll(&entry, 1, left_us <= 0 ? 0 : left_ms);
    if (ready > 0) {
      return true;
    }
    if (ready == 0 && left_us <= 0) {
      return false;
    }
  }
}

Result<std::unique_ptr<Stream>> Stream::connect(const BrokerUrl& url, Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (code != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("host '{}' not found: {}", url.host, gai_strerror(code)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  Result<int> fd = fail(ErrorCode::Unavailable, "the host has no address");
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    fd = connect_address(*address, deadline);
    if (fd) {
      break;
    }
  }
  if (!fd) {
    return fd.error();
  }
  if (url.tls) {
    return start_tls(*fd, url, deadline);
  }
  return std::unique_ptr<Stream>(new Stream(*fd));
}

Stream::~Stream() { close(fd_); }

Result<std::size_t> Stream::read(std::span<char> into) {
  for (;;) {
    const ssize_t count = recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (count > 0) {
      return static_cast<std::size_t>(count);
    }
    if (count == 0) {
      return fail(ErrorCode::Unavailable, "the broker's side closed the connection");
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::size_t{0};
    }
    if (errno != EINTR) {
      return system_error("receive", errno);
    }
  }
}

Result<std::size_t> Stream::write(std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  for (;;) {
    const ssize_t count = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      return static_cast<std::size_t>(count);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::size_t{0};
    }
    if (errno != EINTR) {
      return system_error("send", errno);
    }
  }
}

}  // namespace juggler::amqp
