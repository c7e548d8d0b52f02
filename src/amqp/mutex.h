#pragma once
// A mutex whose rules clang checks (-Wthread-safety), which it cannot do for libstdc++'s own.

#include <mutex>

#if defined(__clang__)
#define JUGGLER_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define JUGGLER_THREAD_ATTRIBUTE(x)
#endif
#ifndef GUARDED_BY
#define GUARDED_BY(x) JUGGLER_THREAD_ATTRIBUTE(guarded_by(x))
#endif

namespace juggler::amqp {

class JUGGLER_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() JUGGLER_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() JUGGLER_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class JUGGLER_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) JUGGLER_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() JUGGLER_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace juggler::amqp
