#include "amqp/connector.h"

#include <utility>

#include "amqp/monotonic.h"
#include "amqp/mutex.h"
#include "amqp/stream.h"
#include "amqp/wake_event.h"
#include "core/check.h"

namespace juggler::amqp {

struct Connector::Attempt {
  WakeEvent done;
  Mutex mutex;
  std::optional<Result<std::unique_ptr<Connection>>> opened GUARDED_BY(mutex);
};

void Connector::start(BrokerUrl node, std::string name, int heartbeat_s) {
  JUGGLER_CHECK(!under_way(), "one attempt at a time");
  attempt_ = std::make_shared<Attempt>();
  // It knows nothing of this object, which may be gone before it ends.
  thread_ = std::jthread(
      [attempt = attempt_, node = std::move(node), name = std::move(name), heartbeat_s] {
        auto opened = Connection::open(node, name, heartbeat_s);
        {
          const MutexLock lock(attempt->mutex);
          attempt->opened.emplace(std::move(opened));
        }
        attempt->done.set();
      });
}

int Connector::fd() const { return attempt_->done.fd(); }

std::optional<Result<std::unique_ptr<Connection>>> Connector::take() {
  std::optional<Result<std::unique_ptr<Connection>>> opened;
  if (under_way()) {
    const MutexLock lock(attempt_->mutex);
    opened.swap(attempt_->opened);
  }
  if (opened) {
    thread_.join();  // it has nothing left to do
    attempt_.reset();
  }
  return opened;
}

void Connector::leave() {
  if (!under_way()) {
    return;
  }
  if (wait_ready(fd(), {.read = true, .write = false}, monotonic_now() + kLeaveMax)) {
    thread_.join();
  } else {
    thread_.detach();  // nothing ends a getaddrinfo() from outside
  }
  attempt_.reset();
}

}  // namespace juggler::amqp
