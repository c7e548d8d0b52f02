#pragma once
// A mutex that clang's -Wthread-safety understands; it does not know libstdc++'s.

#include <mutex>

#if defined(__clang__)
#define JUGGLER_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define JUGGLER_THREAD_ANNOTATION(x)
#endif
#define JUGGLER_NO_THREAD_ANALYSIS JUGGLER_THREAD_ANNOTATION(no_thread_safety_analysis)
#define GUARDED_BY(x) JUGGLER_THREAD_ANNOTATION(guarded_by(x))

namespace juggler {

class JUGGLER_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() JUGGLER_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() JUGGLER_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  // For a condition variable, in a function that the analysis leaves out.
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class JUGGLER_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) JUGGLER_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() JUGGLER_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace juggler
