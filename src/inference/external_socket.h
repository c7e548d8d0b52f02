#pragma once
// The consumer's end of the unix socket to a worker: it listens, has one connection at a time, and
// waits for nothing longer than it is told.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/units.h"
#include "inference/external_protocol.h"

namespace juggler::external {

class WorkerSocket {
 public:
  // Listens at `path`, in a folder that only this user can enter; replaces what an earlier run left
  // there.
  static Result<WorkerSocket> listen(const std::filesystem::path& path);
  ~WorkerSocket();
  WorkerSocket(WorkerSocket&& other) noexcept;
  WorkerSocket& operator=(WorkerSocket&&) = delete;

  // Whether a worker is connected; takes one that waits. Never waits itself.
  bool connected();
  void disconnect();

  // The next frame, waiting for at most `wait_max` (0: what is there already).
  //
  // errors  Corrupt: no frame; Unavailable: the worker has gone. Nothing where time is up
  Result<std::optional<Frame>> receive(Micros wait_max);
  // Sends both, one after the other.
  //
  // errors  Unavailable: the worker has gone, or does not read
  Result<void> send(std::string_view head, std::string_view tensor, Micros wait_max);

 private:
  explicit WorkerSocket(std::filesystem::path path, int listening)
      : path_(std::move(path)), listening_(listening) {}
  Result<void> read_more();

  std::filesystem::path path_;
  int listening_ = -1;
  int connection_ = -1;
  FrameReader reader_;
};

}  // namespace juggler::external
