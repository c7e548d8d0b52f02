#include "amqp/wake_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "core/check.h"

namespace juggler::amqp {

WakeEvent::WakeEvent() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  JUGGLER_CHECK(fd_ >= 0, "no eventfd");
}

WakeEvent::~WakeEvent() { ::close(fd_); }

void WakeEvent::set() {
  if (!set_.exchange(true)) {
    const std::uint64_t one = 1;
    (void)!::write(fd_, &one, sizeof one);
  }
}

bool WakeEvent::take() {
  if (!set_.load(std::memory_order_relaxed) || !set_.exchange(false)) {
    return false;
  }
  std::uint64_t count = 0;
  (void)!::read(fd_, &count, sizeof count);
  return true;
}

}  // namespace juggler::amqp
