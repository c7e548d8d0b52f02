#include "inference/external_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace juggler::external {
namespace {

using SteadyClock = std::chrono::steady_clock;
using SteadyTime = SteadyClock::time_point;

SteadyTime deadline_after(Micros wait) {
  return SteadyClock::now() + std::chrono::microseconds(wait.count);
}

// Waits until `fd` is ready or the time has come; false then.
bool await_ready(int fd, short events, SteadyTime deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    pollfd waited{fd, events, 0};
    const int ready = poll(&waited, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (ready > 0) {
      return true;
    }
    if ((ready < 0 && errno != EINTR) || SteadyClock::now() >= deadline) {
      return false;
    }
  }
}

Error gone(const std::string& why) {
  return fail(ErrorCode::Unavailable, "the worker's connection ended" + why);
}

}  // namespace

Result<WorkerSocket> WorkerSocket::listen(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = std::filesystem::absolute(path).string();
  if (name.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("the socket's path '{}' has {} bytes, a socket takes {}: use a shorter "
                            "home",
                            name, name.size(), sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  std::error_code failed;
  std::filesystem::create_directories(path.parent_path(), failed);
  chmod(path.parent_path().c_str(), S_IRWXU);
  std::filesystem::remove(path, failed);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 1) != 0) {
    const Error error = fail(ErrorCode::Unavailable,
                             fmt::format("cannot listen at '{}': {}", name, std::strerror(errno)));
    if (fd >= 0) {
      close(fd);
    }
    return error;
  }
  return WorkerSocket(name, fd);
}

WorkerSocket::WorkerSocket(WorkerSocket&& other) noexcept
    : path_(std::move(other.path_)),
      listening_(std::exchange(other.listening_, -1)),
      connection_(std::exchange(other.connection_, -1)),
      reader_(std::move(other.reader_)) {}

WorkerSocket::~WorkerSocket() {
  disconnect();
  if (listening_ >= 0) {
    close(listening_);
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
}

bool WorkerSocket::connected() {
  if (connection_ < 0) {
    connection_ = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }
  return connection_ >= 0;
}

void WorkerSocket::disconnect() {
  if (connection_ >= 0) {
    close(connection_);
    connection_ = -1;
  }
  reader_ = FrameReader();
}

Result<void> WorkerSocket::read_more() {
  std::array<char, 65536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t got = recv(connection_, bytes.data(), bytes.size(), 0);
  if (got > 0) {
    reader_.append({bytes.data(), static_cast<std::size_t>(got)});
    return {};
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return {};
  }
  return gone(got < 0 ? std::string(": ") + std::strerror(errno) : std::string());
}

Result<std::optional<Frame>> WorkerSocket::receive(Micros wait_max) {
  if (connection_ < 0) {
    return gone("");
  }
  const SteadyTime deadline = deadline_after(wait_max);
  for (;;) {
    Result<std::optional<Frame>> frame = reader_.next();
    if (!frame || frame->has_value()) {
      return frame;
    }
    if (!await_ready(connection_, POLLIN, deadline)) {
      return std::optional<Frame>();
    }
    if (Result<void> read = read_more(); !read) {
      return read.error();
    }
  }
}

Result<void> WorkerSocket::send(std::string_view head, std::string_view tensor, Micros wait_max) {
  if (connection_ < 0) {
    return gone("");
  }
  const SteadyTime deadline = deadline_after(wait_max);
  for (std::string_view part : {head, tensor}) {
    while (!part.empty()) {
      const ssize_t sent = ::send(connection_, part.data(), part.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        part.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN && errno != EINTR) {
        return gone(std::string(": ") + std::strerror(errno));
      } else if (!await_ready(connection_, POLLOUT, deadline)) {
        return fail(ErrorCode::Unavailable, "the worker does not read what is sent to it");
      }
    }
  }
  return {};
}

}  // namespace juggler::external
