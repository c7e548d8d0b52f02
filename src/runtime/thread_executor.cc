#include "runtime/thread_executor.h"

#include <chrono>
#include <new>
#include <utility>

#include "core/check.h"

namespace juggler {
namespace {

// A batch that could not be run: every task of it fails here and may succeed elsewhere.
BatchReport failed_report(const BatchJob& job, const std::string& reason, EngineFailure failure) {
  BatchReport report;
  report.failure = failure;
  report.outputs.resize(job.inputs.size());
  for (EngineOutput& output : report.outputs) {
    output.status = AttemptStatus::Error;
    output.reason = reason;
  }
  return report;
}

// Memory for one batch is a matter of that batch: a picture or a network too many must not end the
// program, as it would if the exception left the thread.
BatchReport report_of(InferenceEngine& engine, const BatchJob& job) {
  try {
    if (const Result<void> loaded = engine.load(job.variant); !loaded) {
      return failed_report(job, loaded.error().message, failure_of(loaded.error()));
    }
    return engine.run(job.variant, job.inputs);
  } catch (const std::bad_alloc&) {
    return failed_report(job, job.variant + ": not enough memory", EngineFailure::OutOfMemory);
  }
}

}  // namespace

ThreadExecutor::ThreadExecutor(std::map<std::string, std::unique_ptr<InferenceEngine>> engines,
                               std::function<void()> finished)
    : finished_(std::move(finished)) {
  for (auto& entry : engines) {
    auto lane = std::make_unique<Lane>();
    lane->processor = entry.first;
    lane->engine = std::move(entry.second);
    Lane& reference = *lane;
    lanes_.emplace(entry.first, std::move(lane));
    reference.thread = std::jthread([this, &reference] { run(reference); });
  }
}

ThreadExecutor::~ThreadExecutor() {
  stop();
  lanes_.clear();
}

void ThreadExecutor::stop() {
  for (auto& [processor, lane] : lanes_) {
    {
      const MutexLock lock(lane->mutex);
      lane->stopping = true;
    }
    lane->ready.notify_one();
  }
}

void ThreadExecutor::start(BatchJob job) {
  const auto lane = lanes_.find(job.processor);
  JUGGLER_CHECK(lane != lanes_.end(), "the consumer only starts batches on its own processors");
  {
    const MutexLock lock(lane->second->mutex);
    lane->second->jobs.push_back(std::move(job));
  }
  lane->second->ready.notify_one();
}

void ThreadExecutor::collect(std::vector<BatchDone>& done) {
  const MutexLock lock(done_mutex_);
  for (BatchDone& one : done_) {
    done.push_back(std::move(one));
  }
  done_.clear();
}

void ThreadExecutor::collect_unloaded(std::vector<VariantUnloaded>& unloaded) {
  const MutexLock lock(done_mutex_);
  unloaded.insert(unloaded.end(), unloaded_.begin(), unloaded_.end());
  unloaded_.clear();
}

void ThreadExecutor::tell_unloaded(Lane& lane) {
  const std::vector<std::string> variants = lane.engine->take_unloaded();
  if (variants.empty()) {
    return;
  }
  {
    const MutexLock lock(done_mutex_);
    for (const std::string& variant : variants) {
      unloaded_.push_back({lane.processor, variant});
    }
  }
  finished_();
}

// A std::unique_lock, because a condition variable needs one; clang's analysis ends here.
ThreadExecutor::Next ThreadExecutor::next(Lane& lane, Micros wait_max,
                                          BatchJob& job) JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(lane.mutex.native());
  const auto ready = [&lane]()
                         JUGGLER_NO_THREAD_ANALYSIS { return lane.stopping || !lane.jobs.empty(); };
  if (wait_max == InferenceEngine::kIdleNever) {
    lane.ready.wait(lock, ready);
  } else if (!lane.ready.wait_for(lock, std::chrono::microseconds(wait_max.count), ready)) {
    return Next::Idle;
  }
  if (lane.stopping) {
    return Next::Stop;
  }
  job = std::move(lane.jobs.front());
  lane.jobs.pop_front();
  return Next::Job;
}

void ThreadExecutor::run(Lane& lane) {
  Micros idle = lane.engine->idle();
  for (;;) {
    BatchJob job;
    switch (next(lane, idle, job)) {
      case Next::Stop:
        return;
      case Next::Idle:
        idle = lane.engine->idle();
        tell_unloaded(lane);
        continue;
      case Next::Job:
        break;
    }
    BatchDone done;
    done.id = job.id;
    done.report = report_of(*lane.engine, job);
    tell_unloaded(lane);
    JUGGLER_CHECK(done.report.outputs.size() == job.inputs.size(), "one output per input");
    {
      const MutexLock lock(done_mutex_);
      done_.push_back(std::move(done));
    }
    finished_();
  }
}

}  // namespace juggler
