#include "inference/helper_threads.h"

#include <algorithm>
#include <utility>

namespace juggler {

HelperThreads::HelperThreads(int threads) : threads_(std::max(threads, 1)) {}

HelperThreads::~HelperThreads() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) {
    helper.join();
  }
}

void HelperThreads::start() {
  while (helpers_.size() + 1 < workers()) {
    helpers_.emplace_back([this, worker = helpers_.size() + 1] { serve(worker); });
  }
}

void HelperThreads::take_parts(const Part& part, std::size_t count, std::size_t worker) {
  try {
    for (std::size_t i = next_++; i < count; i = next_++) {
      part(i, worker);
    }
  } catch (...) {
    next_ = count;
    const MutexLock lock(mutex_);
    if (failure_ == nullptr) {
      failure_ = std::current_exception();
    }
  }
}

void HelperThreads::serve(std::size_t worker) JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(mutex_.native());
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || part_ != nullptr; });
    if (stopping_) {
      return;
    }
    const Part& part = *part_;
    const std::size_t count = count_;
    ++at_work_;
    lock.unlock();
    take_parts(part, count, worker);
    lock.lock();
    part_ = nullptr;  // all parts are begun: nobody else need come
    if (--at_work_ == 0) {
      done_.notify_one();
    }
  }
}

void HelperThreads::run(std::size_t count, const Part& part) JUGGLER_NO_THREAD_ANALYSIS {
  if (count <= 1 || threads_ == 1) {
    for (std::size_t i = 0; i < count; ++i) {
      part(i, 0);
    }
    return;
  }
  start();
  next_ = 0;
  {
    const MutexLock lock(mutex_);
    part_ = &part;
    count_ = count;
  }
  wake_.notify_all();
  take_parts(part, count, 0);
  std::unique_lock lock(mutex_.native());
  part_ = nullptr;
  done_.wait(lock, [this] { return at_work_ == 0; });
  if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) {
    std::rethrow_exception(failure);
  }
}

}  // namespace juggler
