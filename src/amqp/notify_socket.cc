#include "amqp/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "fmt/format.h"

namespace juggler::amqp {

Result<std::unique_ptr<NotifySocket>> NotifySocket::open(const std::string& dir) {
  std::string path = dir + "/notify.sock";
  std::string folder;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    std::string pattern = "/tmp/juggler-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      return fail(ErrorCode::Unavailable, "cannot make a folder in /tmp");
    }
    folder = pattern;
    path = folder + "/notify.sock";
  }
  unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot make the socket '{}': {}", path, std::strerror(errno)));
  }
  return std::unique_ptr<NotifySocket>(new NotifySocket(fd, path, folder));
}

NotifySocket::~NotifySocket() {
  close(fd_);
  unlink(path_.c_str());
  if (!folder_.empty()) {
    rmdir(folder_.c_str());
  }
}

bool NotifySocket::ready(Micros wait_max) const {
  pollfd entry{fd_, POLLIN, 0};
  ::poll(&entry, 1, static_cast<int>(wait_max.count / 1000));
  std::array<char, 256> text{};
  for (;;) {
    const ssize_t size = recv(fd_, text.data(), text.size(), 0);
    if (size <= 0) {
      return false;
    }
    if (std::string_view(text.data(), static_cast<std::size_t>(size)).find("READY=1") !=
        std::string_view::npos) {
      return true;
    }
  }
}

}  // namespace juggler::amqp
