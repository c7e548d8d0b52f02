#include "faults/proxy_loop.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/check.h"
#include "faults/monotonic.h"

namespace juggler {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

void no_delay(int fd) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

ProxyLoop::ProxyLoop(Socket listener, sockaddr_in target, std::uint64_t seed)
    : listener_(std::move(listener)),
      target_(target),
      seeds_(seed),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  JUGGLER_CHECK(wake_.open(), "no eventfd");
}

void ProxyLoop::post(std::function<void(ProxyLoop&)> command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.fd(), &one, sizeof one);
}

void ProxyLoop::set(Direction direction, const WayProfile& profile) {
  profiles_[static_cast<std::size_t>(direction)] = profile;
  for (Flow& flow : flows_) {
    way(flow, direction).set(profile);
  }
}

void ProxyLoop::hold(Direction direction) {
  held_[static_cast<std::size_t>(direction)] = true;
  for (Flow& flow : flows_) {
    way(flow, direction).hold();
  }
}

void ProxyLoop::release() {
  held_ = {};
  for (Flow& flow : flows_) {
    flow.client.out.release(monotonic_now());
    flow.server.out.release(monotonic_now());
  }
}

void ProxyLoop::cut() {
  refusing_ = true;
  for (Flow& flow : flows_) {
    flow.client.socket.reset();
    flow.server.socket.reset();
    flow.dead = true;
  }
}

void ProxyLoop::half_open(Side lost) {
  for (Flow& flow : flows_) {
    (lost == Side::Client ? flow.client : flow.server).socket.reset();
    flow.half_open = true;
  }
}

void ProxyLoop::heal() {
  refusing_ = false;
  release();
  for (Flow& flow : flows_) {
    if (flow.half_open) {
      flow.client.socket.reset();
      flow.server.socket.reset();
      flow.dead = true;
    }
  }
}

void ProxyLoop::take_commands() {
  std::uint64_t count = 0;
  (void)!::read(wake_.fd(), &count, sizeof count);
  std::vector<std::function<void(ProxyLoop&)>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const auto& command : commands) {
    command(*this);
  }
}

void ProxyLoop::accept_one() {
  Socket client(accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!client.open()) {
    return;
  }
  Socket server(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool reached =
      !refusing_ && server.open() &&
      (connect(server.fd(), reinterpret_cast<const sockaddr*>(&target_), sizeof target_) == 0 ||
       errno == EINPROGRESS);
  if (!reached) {
    client.reset();
    return;
  }
  no_delay(client.fd());
  no_delay(server.fd());
  const std::uint64_t up = seeds_.next();
  Flow& flow = flows_.emplace_back(up, seeds_.next());
  flow.client.socket = std::move(client);
  flow.server.socket = std::move(server);
  for (const Direction direction : {Direction::Up, Direction::Down}) {
    way(flow, direction).set(profiles_[static_cast<std::size_t>(direction)]);
    if (held_[static_cast<std::size_t>(direction)]) {
      way(flow, direction).hold();
    }
  }
}

void ProxyLoop::read_from(Flow& flow, Half& half, Time now) {
  Way& out = other(flow, half).out;
  if (half.ended || out.full()) {
    return;
  }
  std::string bytes(kReadBytes, '\0');
  const ssize_t count = recv(half.socket.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count > 0) {
    bytes.resize(static_cast<std::size_t>(count));
    out.put(now, std::move(bytes));
  } else if (count == 0) {
    half.ended = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    flow.dead = true;  // reset: what was under way is lost with it
    other(flow, half).socket.reset();
  }
}

void ProxyLoop::write_to(Flow& flow, Half& half, Time now) {
  half.stuck = false;
  while (!half.out.due(now).empty()) {
    const std::string_view bytes = half.out.due(now);
    const ssize_t count =
        send(half.socket.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      half.out.take(static_cast<std::size_t>(count));
      continue;
    }
    half.stuck = count < 0 && (errno == EAGAIN || errno == EINTR);
    if (!half.stuck) {
      flow.dead = true;
      other(flow, half).socket.reset();
    }
    return;
  }
  const Half& sender = other(flow, half);
  if (sender.ended && half.out.empty() && !half.told_end && !half.out.held()) {
    half.told_end = true;
    shutdown(half.socket.fd(), SHUT_WR);
  }
  if (flow.client.told_end && flow.server.told_end) {
    flow.dead = true;
  }
}

void ProxyLoop::serve(Flow& flow, Half& half, short seen, Time now) {
  if (flow.dead || !half.socket.open()) {
    return;
  }
  if (flow.connecting && &half == &flow.server) {
    if ((seen & (POLLOUT | POLLERR | POLLHUP)) == 0) {
      return;
    }
    int error = 0;
    socklen_t size = sizeof error;
    (void)getsockopt(half.socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    flow.connecting = false;
    if (error != 0) {
      flow.dead = true;
      flow.client.socket.reset();
      return;
    }
  }
  if (flow.half_open) {
    // Who is left learns nothing; if it gives up by itself, that is the end.
    std::array<char, 1024> dropped{};
    const ssize_t count = recv(half.socket.fd(), dropped.data(), dropped.size(), MSG_DONTWAIT);
    flow.dead = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
    return;
  }
  if ((seen & (POLLIN | POLLHUP | POLLERR)) != 0) {
    read_from(flow, half, now);
  }
  if (!flow.dead && !(flow.connecting && &half == &flow.server)) {
    write_to(flow, half, now);
  }
}

void ProxyLoop::wait() {
  std::vector<pollfd> entries{{wake_.fd(), POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
  Time until = Time::never();
  for (Flow& flow : flows_) {
    for (Half* half : {&flow.client, &flow.server}) {
      const bool connects = flow.connecting && half == &flow.server;
      const bool reads = flow.half_open || (!half->ended && !other(flow, *half).out.full());
      entries.push_back({half->socket.fd(),  // negative: poll leaves it out
                         static_cast<short>((reads && !connects ? POLLIN : 0) |
                                            (half->stuck || connects ? POLLOUT : 0)),
                         0});
      if (half->socket.open() && !half->stuck && !connects && !flow.half_open) {
        until = std::min(until, half->out.next());
      }
    }
  }
  timespec left{};
  if (until != Time::never()) {
    const std::int64_t us = std::max<std::int64_t>((until - monotonic_now()).count, 0);
    left = {us / 1'000'000, us % 1'000'000 * 1'000};
  }
  if (ppoll(entries.data(), entries.size(), until == Time::never() ? nullptr : &left, nullptr) <
      0) {
    return;
  }
  const Time now = monotonic_now();
  std::size_t at = 2;
  for (Flow& flow : flows_) {
    serve(flow, flow.client, entries[at].revents, now);
    serve(flow, flow.server, entries[at + 1].revents, now);
    at += 2;
  }
  if (entries[1].revents != 0) {
    accept_one();
  }
  if (entries[0].revents != 0) {
    take_commands();
  }
}

void ProxyLoop::run() {
  while (!stopping_) {
    wait();
    std::erase_if(flows_, [](const Flow& flow) { return flow.dead; });
    count_ = flows_.size();
  }
}

}  // namespace juggler
