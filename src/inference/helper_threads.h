#pragma once
// Threads that share out the parts of one job, such as the pictures of a batch.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "runtime/mutex.h"

namespace juggler {

class HelperThreads {
 public:
  // Does one part; `worker` is below the number of threads, and no two parts have the same at once.
  using Part = std::function<void(std::size_t part, std::size_t worker)>;

  // `threads` with the caller's own, 1 or more; the others begin with the first job of two parts.
  explicit HelperThreads(int threads);
  ~HelperThreads();
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;

  // Does the parts 0 to `count` - 1, each once, and returns when all are done. The first exception
  // of a part is thrown here, when none runs any more; parts not begun are then left out.
  //
  // thread  one at a time
  void run(std::size_t count, const Part& part);

  std::size_t workers() const { return static_cast<std::size_t>(threads_); }

 private:
  void start();
  void serve(std::size_t worker);
  void take_parts(const Part& part, std::size_t count, std::size_t worker);

  int threads_;
  std::vector<std::thread> helpers_;
  std::atomic<std::size_t> next_{0};  // the next part that nobody has begun
  Mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const Part* part_ GUARDED_BY(mutex_) = nullptr;  // null: no job, or nothing of it left to begin
  std::size_t count_ GUARDED_BY(mutex_) = 0;
  std::size_t at_work_ GUARDED_BY(mutex_) = 0;  // helpers
  std::exception_ptr failure_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace juggler
