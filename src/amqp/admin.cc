#include "amqp/admin.h"

#include <algorithm>

#include "amqp/topology.h"
#include "core/device.h"
#include "spdlog/spdlog.h"

namespace juggler::amqp {

Admin::~Admin() {
  {
    const MutexLock lock(mutex_);
    waiting_.clear();
  }
  worker_.request_stop();
}

void Admin::enrol(const std::string& device) {
  if (!valid_device_id(device)) {
    spdlog::warn("broker: a device asked to join under an impossible name; ignored");
    return;
  }
  bool start = false;
  {
    const MutexLock lock(mutex_);
    const bool known = std::find(waiting_.begin(), waiting_.end(), device) != waiting_.end();
    if (known || waiting_.size() >= kWaitingMax) {
      return;
    }
    waiting_.push_back(device);
    start = !running_;
    running_ = true;
  }
  if (start) {
    worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
}

bool Admin::take(std::string& device) {
  const MutexLock lock(mutex_);
  running_ = !waiting_.empty();
  if (running_) {
    device = std::move(waiting_.front());
    waiting_.pop_front();
  }
  return running_;
}

void Admin::run(const std::stop_token& stop) {
  std::unique_ptr<Connection> connection;
  std::string device;
  while (take(device)) {
    if (stop.stop_requested()) {
      continue;
    }
    std::string why;
    if (connection == nullptr) {
      auto opened = Connection::open(broker_, "juggler: enrolment");
      if (opened) {
        connection = std::move(*opened);
        if (auto channel = connection->open_channel(1); !channel) {
          why = channel.error().message;
        }
      } else {
        why = opened.error().message;
      }
    }
    if (connection != nullptr && why.empty()) {
      if (auto declared = declare(*connection, 1, device_topology(device)); !declared) {
        why = declared.error().message + declared.error().advice;
      }
    }
    if (why.empty()) {
      spdlog::info("broker: device {} enrolled", device);
    } else {
      spdlog::warn("broker: device {} not enrolled: {}", device, why);
      connection.reset();  // a refusal closed the channel
    }
  }
  if (connection != nullptr) {
    connection->close(seconds(1));
  }
}

}  // namespace juggler::amqp
