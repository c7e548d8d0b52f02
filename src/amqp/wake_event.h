#pragma once
// What one thread waits for with poll(), and any other sets.

#include <atomic>

namespace juggler::amqp {

class WakeEvent {
 public:
  WakeEvent();
  ~WakeEvent();
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;

  // Readable while it is set.
  int fd() const { return fd_; }
  // thread: any. Costs a system call once until the next take().
  void set();
  // The waiting thread's: fd() was readable. Also where it was taken between set()'s two steps.
  void seen() { set_ = true; }
  // Whether it was set, which ends with this.
  bool take();

 private:
  int fd_;
  std::atomic<bool> set_ = false;
};

}  // namespace juggler::amqp
