#pragma once
// What the shells need beside a loopback transport: a clock that a test sets, an engine that
// answers at once, an executor that answers when told.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/clock.h"
#include "runtime/engine.h"

namespace juggler::test {

class ManualClock final : public Clock {
 public:
  Time now() override { return now_; }
  std::int64_t unix_seconds() override { return 1'700'000'000 + now_.us / 1'000'000; }
  void advance(Micros by) { now_ = now_ + by; }

 private:
  Time now_{1'000'000};
};

// Answers each input with a label that is its bytes, so that a test sees which bytes came.
class EchoEngine final : public InferenceEngine {
 public:
  Result<void> load(const std::string& variant) override {
    if (variant == "broken-fp32") {
      return fail(ErrorCode::Corrupt, "broken-fp32: not a model");
    }
    return {};
  }
  void unload(const std::string& /*variant*/) override {}
  BatchReport run(const std::string& /*variant*/, std::span<const EngineInput> inputs) override {
    BatchReport report;
    report.compute = milliseconds(1);
    for (const EngineInput& input : inputs) {
      EngineOutput output;
      output.status = AttemptStatus::Ok;
      output.labels = {{0, *input.bytes, 1.0}};
      report.outputs.push_back(std::move(output));
    }
    return report;
  }
};

// Keeps its batches until a test runs them.
class HeldExecutor final : public Executor {
 public:
  void start(BatchJob job) override { jobs.push_back(std::move(job)); }
  void collect(std::vector<BatchDone>& done) override {
    done.insert(done.end(), done_.begin(), done_.end());
    done_.clear();
  }
  void run_all() {
    EchoEngine engine;
    for (const BatchJob& job : jobs) {
      done_.push_back({job.id, engine.run(job.variant, job.inputs)});
    }
    jobs.clear();
  }

  std::vector<BatchJob> jobs;

 private:
  std::vector<BatchDone> done_;
};

}  // namespace juggler::test
