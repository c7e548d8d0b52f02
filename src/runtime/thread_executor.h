#pragma once
// One thread per processor, each with its engine: a slow network never blocks the connection, and
// one processor never blocks another.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/engine.h"
#include "runtime/mutex.h"

namespace juggler {

class ThreadExecutor final : public Executor {
 public:
  // `finished` is called on a processor's thread whenever something can be collected.
  ThreadExecutor(std::map<std::string, std::unique_ptr<InferenceEngine>> engines,
                 std::function<void()> finished);
  // Waits for the batch that runs; what waits is dropped.
  ~ThreadExecutor() override;

  // requires  an engine for job.processor. thread: the owner's
  void start(BatchJob job) override;
  void collect(std::vector<BatchDone>& done) override;
  void collect_unloaded(std::vector<VariantUnloaded>& unloaded) override;

  // No batch begins any more. thread: the owner's
  void stop();

 private:
  struct Lane {
    std::string processor;
    std::unique_ptr<InferenceEngine> engine;
    Mutex mutex;
    // Not the _any kind with a stop token: that one costs four system calls a batch instead of two.
    std::condition_variable ready;
    std::deque<BatchJob> jobs GUARDED_BY(mutex);
    bool stopping GUARDED_BY(mutex) = false;
    std::jthread thread;  // last: it uses the others
  };
  void run(Lane& lane);
  void tell_unloaded(Lane& lane);
  enum class Next { Job, Idle, Stop };
  // Waits for a batch, or until the engine wants to look after its own.
  static Next next(Lane& lane, Micros wait_max, BatchJob& job);

  std::function<void()> finished_;
  Mutex done_mutex_;
  std::vector<BatchDone> done_ GUARDED_BY(done_mutex_);
  std::vector<VariantUnloaded> unloaded_ GUARDED_BY(done_mutex_);
  std::map<std::string, std::unique_ptr<Lane>> lanes_;  // last: their threads use the others
};

}  // namespace juggler
