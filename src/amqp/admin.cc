#include "amqp/admin.h"

#include <algorithm>
#include <utility>

#include "core/device.h"
#include "spdlog/spdlog.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
constexpr std::uint16_t kSideChannel = 2;

}  // namespace

Admin::~Admin() {
  {
    const MutexLock lock(mutex_);
    waiting_.clear();
  }
  worker_.request_stop();
}

void Admin::use(BrokerUrl broker) {
  const MutexLock lock(mutex_);
  broker_ = std::move(broker);
}

void Admin::add(const Job& job) {
  if (!valid_device_id(job.device)) {
    spdlog::warn("broker: a device asked to join under an impossible name; ignored");
    return;
  }
  bool start = false;
  {
    const MutexLock lock(mutex_);
    const bool known = std::find(waiting_.begin(), waiting_.end(), job) != waiting_.end();
    if (known || waiting_.size() >= kWaitingMax) {
      return;
    }
    waiting_.push_back(job);
    start = !running_;
    running_ = true;
  }
  if (start) {
    worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
}

bool Admin::take(Job& job) {
  const MutexLock lock(mutex_);
  running_ = !waiting_.empty();
  if (running_) {
    job = std::move(waiting_.front());
    waiting_.pop_front();
  }
  return running_;
}

void Admin::take_answers(std::vector<TransportEvent>& events) {
  const MutexLock lock(mutex_);
  events.insert(events.end(), std::make_move_iterator(answers_.begin()),
                std::make_move_iterator(answers_.end()));
  answers_.clear();
}

void Admin::run(const std::stop_token& stop) {
  std::unique_ptr<Connection> connection;
  kind_.reset();
  Job job;
  while (take(job)) {
    if (stop.stop_requested()) {
      continue;
    }
    if (job.kind == Job::Kind::Enrol) {
      enrol(connection, job.device);
    } else {
      look_for(connection, job.device);
    }
  }
  if (connection != nullptr) {
    connection->close(seconds(1));
  }
}

// Opens a connection with a channel, unless there is one.
Result<void> Admin::connect(std::unique_ptr<Connection>& connection) {
  if (connection != nullptr) {
    return {};
  }
  const BrokerUrl broker = [this] {
    const MutexLock lock(mutex_);
    return broker_;
  }();
  auto opened = Connection::open(broker, "juggler: administration");
  if (!opened) {
    return opened.error();
  }
  if (auto channel = (*opened)->open_channel(kChannel); !channel) {
    return fail(ErrorCode::Unavailable, channel.error().message);
  }
  connection = std::move(*opened);
  return {};
}

tl::expected<void, CallFailure> Admin::declare_device(Connection& connection,
                                                      const std::string& device) {
  if (!kind_) {
    const auto kind = find_queue_kind(connection, kSideChannel);
    if (!kind) {
      return tl::unexpected(kind.error());
    }
    kind_ = *kind;
  }
  return declare(connection, kChannel, device_topology(device, *kind_));
}

void Admin::enrol(std::unique_ptr<Connection>& connection, const std::string& device) {
  std::string why;
  if (Result<void> connected = connect(connection); !connected) {
    why = connected.error().message;
  } else if (auto declared = declare_device(*connection, device); !declared) {
    why = declared.error().message + declared.error().advice;
  }
  if (why.empty()) {
    spdlog::info("broker: device {} enrolled", device);
  } else {
    spdlog::warn("broker: device {} not enrolled: {}", device, why);
    connection.reset();  // a refusal closed the channel
  }
}

// Where it cannot be found out, silence has to tell.
void Admin::look_for(std::unique_ptr<Connection>& connection, const std::string& device) {
  if (!connect(connection)) {
    return;
  }
  const auto found = inspect_queue(*connection, kChannel, device_queue(device));
  if (!found) {
    connection.reset();  // a refusal closed the channel
    if (found.error().reply_code != AMQP_NOT_FOUND) {
      return;
    }
  }
  {
    const MutexLock lock(mutex_);
    answers_.emplace_back(TransportPresence{device, found && found->consumers > 0});
  }
  answered_();
}

}  // namespace juggler::amqp
