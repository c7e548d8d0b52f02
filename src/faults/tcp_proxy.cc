#include "faults/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "faults/proxy_loop.h"
#include "faults/socket.h"

namespace juggler {
namespace {

Error system_error(const char* what) {
  return fail(ErrorCode::Unavailable, std::string(what) + ": " + std::strerror(errno));
}

Result<sockaddr_in> address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return fail(ErrorCode::InvalidArgument, "'" + host + "' is no IPv4 address");
  }
  return address;
}

}  // namespace

TcpProxy::TcpProxy() = default;

Result<std::unique_ptr<TcpProxy>> TcpProxy::open(const TcpProxyOptions& options) {
  const Result<sockaddr_in> target = address_of(options.target_host, options.target_port);
  const Result<sockaddr_in> here = address_of("127.0.0.1", options.listen_port);
  if (!target || !here) {
    return target ? here.error() : target.error();
  }
  Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  (void)setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in bound = *here;
  socklen_t size = sizeof bound;
  if (bind(listener.fd(), reinterpret_cast<const sockaddr*>(&bound), size) != 0 ||
      listen(listener.fd(), 64) != 0 ||
      getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return system_error("cannot listen");
  }
  std::unique_ptr<TcpProxy> proxy(new TcpProxy());
  proxy->port_ = ntohs(bound.sin_port);
  proxy->loop_ = std::make_unique<ProxyLoop>(std::move(listener), *target, options.seed);
  proxy->thread_ = std::jthread([loop = proxy->loop_.get()] { loop->run(); });
  return proxy;
}

TcpProxy::~TcpProxy() {
  post([](ProxyLoop& loop) { loop.stop(); });
  thread_.join();
}

void TcpProxy::post(std::function<void(ProxyLoop&)> command) { loop_->post(std::move(command)); }

void TcpProxy::set(Direction direction, const WayProfile& profile) {
  post([=](ProxyLoop& loop) { loop.set(direction, profile); });
}
void TcpProxy::hold(Direction direction) {
  post([=](ProxyLoop& loop) { loop.hold(direction); });
}
void TcpProxy::release() {
  post([](ProxyLoop& loop) { loop.release(); });
}
void TcpProxy::cut() {
  post([](ProxyLoop& loop) { loop.cut(); });
}
void TcpProxy::half_open(Side lost) {
  post([=](ProxyLoop& loop) { loop.half_open(lost); });
}
void TcpProxy::heal() {
  post([](ProxyLoop& loop) { loop.heal(); });
}
std::size_t TcpProxy::connections() const { return loop_->connections(); }

}  // namespace juggler
