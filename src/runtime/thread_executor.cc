#include "runtime/thread_executor.h"

#include <utility>

#include "core/check.h"

namespace juggler {
namespace {

// A batch whose variant cannot be loaded: every task of it fails here and may succeed elsewhere.
BatchReport failed_report(const BatchJob& job, const std::string& reason) {
  BatchReport report;
  report.outputs.resize(job.inputs.size());
  for (EngineOutput& output : report.outputs) {
    output.status = AttemptStatus::Error;
    output.reason = reason;
  }
  return report;
}

}  // namespace

ThreadExecutor::ThreadExecutor(std::map<std::string, std::unique_ptr<InferenceEngine>> engines,
                               std::function<void()> finished)
    : finished_(std::move(finished)) {
  for (auto& [processor, engine] : engines) {
    auto lane = std::make_unique<Lane>();
    lane->engine = std::move(engine);
    Lane& reference = *lane;
    lanes_.emplace(processor, std::move(lane));
    reference.thread =
        std::jthread([this, &reference](const std::stop_token& stop) { run(reference, stop); });
  }
}

ThreadExecutor::~ThreadExecutor() {
  stop();
  lanes_.clear();
}

void ThreadExecutor::stop() {
  for (auto& [processor, lane] : lanes_) {
    lane->thread.request_stop();
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

void ThreadExecutor::run(Lane& lane, const std::stop_token& stop) {
  while (true) {
    BatchJob job;
    {
      // A std::unique_lock, because a condition variable needs one; clang's analysis ends here.
      std::unique_lock lock(lane.mutex);
      if (!lane.ready.wait(lock, stop, [&lane] { return !lane.jobs.empty(); }) ||
          stop.stop_requested()) {
        return;
      }
      job = std::move(lane.jobs.front());
      lane.jobs.pop_front();
    }
    BatchDone done;
    done.id = job.id;
    if (const Result<void> loaded = lane.engine->load(job.variant); loaded) {
      done.report = lane.engine->run(job.variant, job.inputs);
    } else {
      done.report = failed_report(job, loaded.error().message);
    }
    JUGGLER_CHECK(done.report.outputs.size() == job.inputs.size(), "one output per input");
    {
      const MutexLock lock(done_mutex_);
      done_.push_back(std::move(done));
    }
    finished_();
  }
}

}  // namespace juggler
