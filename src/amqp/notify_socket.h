#pragma once
// The socket on which a node says that it is ready, as it would to systemd.

#include <memory>
#include <string>

#include "core/result.h"
#include "core/units.h"

namespace juggler::amqp {

class NotifySocket {
 public:
  // In `dir`, or in a folder under /tmp where that path is too long for a socket.
  static Result<std::unique_ptr<NotifySocket>> open(const std::string& dir);

  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();

  const std::string& path() const { return path_; }

  // Waits a while; true once the node has said that it is ready.
  bool ready(Micros wait_max) const;

 private:
  NotifySocket(int fd, std::string path, std::string folder)
      : fd_(fd), path_(std::move(path)), folder_(std::move(folder)) {}

  int fd_;
  std::string path_;
  std::string folder_;  // to be removed; empty where it is not ours
};

}  // namespace juggler::amqp
