#include "http/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <set>
#include <thread>

#include "http/server_impl.h"

namespace juggler::http {
namespace {

constexpr Micros kEndMax = milliseconds(500);  // for the last replies to go out

void log_library(void* /*cls*/, const char* format, va_list arguments) {
  std::array<char, 256> line{};
  std::vsnprintf(line.data(), line.size(), format, arguments);
  spdlog::debug("http: {}", line.data());
}

}  // namespace

Result<void> Server::Impl::start() {
  const unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD |
                         MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                         (options_.address.ipv6 ? MHD_USE_IPv6 : MHD_NO_FLAG);
  errno = 0;
  daemon_ = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Impl::on_request, this, MHD_OPTION_EXTERNAL_LOGGER, &log_library,
      nullptr, MHD_OPTION_SOCK_ADDR, reinterpret_cast<const sockaddr*>(&options_.address.socket),
      MHD_OPTION_CONNECTION_LIMIT, options_.connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      options_.address.loopback ? 0U : options_.connections_of_one_max,
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(options_.idle_max.count / 1'000'000),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, options_.head_max, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this, MHD_OPTION_NOTIFY_CONNECTION,
      &Impl::on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    return fail(ErrorCode::Unavailable,
                errno != 0 ? std::strerror(errno) : "the address or port cannot be had");
  }
  const MHD_DaemonInfo* bound = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT);
  port_ = bound != nullptr ? bound->port : 0;
  return {};
}

void Server::Impl::stop() {
  if (daemon_ == nullptr) {
    return;
  }
  const int listening = MHD_quiesce_daemon(daemon_);
  std::set<Ticket> waiting;
  {
    const MutexLock lock(mutex_);
    ending_ = true;  // what comes over a connection that is kept must not stay suspended
    for (const auto& [ticket, exchange] : waiting_) {
      waiting.insert(ticket);
    }
  }
  for (const Ticket ticket : waiting) {
    reply(ticket, ends());
  }
  const Time until = clock_.now() + kEndMax;
  for (bool busy = !waiting.empty(); busy && clock_.now() < until;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const MutexLock lock(mutex_);
    busy = exchanges_ > 0;
  }
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
  if (listening != -1) {
    ::close(listening);
  }
}

std::vector<Server::Arrived> Server::Impl::take() {
  const MutexLock lock(mutex_);
  return std::exchange(arrived_, {});
}

void Server::Impl::reply(Ticket ticket, Reply reply) {
  MHD_Connection* connection = nullptr;
  {
    const MutexLock lock(mutex_);
    const auto at = waiting_.find(ticket);
    if (at == waiting_.end()) {
      return;
    }
    at->second->reply = std::move(reply);
    connection = at->second->connection;
    waiting_.erase(at);
  }
  MHD_resume_connection(connection);
}

void Server::Impl::tend() {
  const Time now = clock_.now();
  std::vector<MHD_Connection*> due;
  {
    const MutexLock lock(mutex_);
    for (auto& [connection, open] : open_) {
      if (now >= open.until) {
        ::shutdown(open.fd, SHUT_RDWR);  // the library sees its end, and closes it
        open.until = Time::never();
      }
    }
    auto held = held_.begin();
    for (; held != held_.end() && now >= held->due; ++held) {
      if (const auto at = waiting_.find(held->ticket); at != waiting_.end()) {
        due.push_back(at->second->connection);
        waiting_.erase(at);
      }
    }
    held_.erase(held_.begin(), held);
  }
  for (MHD_Connection* connection : due) {
    MHD_resume_connection(connection);
  }
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Gate& gate, Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), gate, clock);
  if (Result<void> started = impl->start(); !started) {
    return started.error();
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->port(); }
std::vector<Server::Arrived> Server::take() { return impl_->take(); }
void Server::reply(Ticket ticket, Reply reply) { impl_->reply(ticket, std::move(reply)); }
void Server::tend() { impl_->tend(); }
std::map<int, std::uint64_t> Server::replies() const { return impl_->replies(); }

}  // namespace juggler::http
