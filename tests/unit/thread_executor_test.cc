#include "runtime/thread_executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <new>
#include <semaphore>
#include <utility>

#include "support/runtime_fakes.h"

namespace juggler {
namespace {

using Engines = std::map<std::string, std::unique_ptr<InferenceEngine>>;

BatchJob job(std::uint64_t id, const std::string& processor = "cpu0",
             const std::string& variant = "n-fp32") {
  BatchJob made;
  made.id = id;
  made.processor = processor;
  made.variant = variant;
  made.inputs.push_back({{}, wire::make_body("bytes"), 5});
  return made;
}

// Waits at the gate within each run.
class GatedEngine final : public InferenceEngine {
 public:
  GatedEngine(std::latch& entered, std::binary_semaphore& gate, std::atomic<int>& runs)
      : entered_(entered), gate_(gate), runs_(runs) {}
  Result<void> load(const std::string& /*variant*/) override { return {}; }
  void unload(const std::string& /*variant*/) override {}
  BatchReport run(const std::string& /*variant*/, std::span<const EngineInput> inputs) override {
    if (runs_.fetch_add(1) == 0) {
      entered_.count_down();
      gate_.acquire();
    }
    BatchReport report;
    report.outputs.resize(inputs.size());
    return report;
  }

 private:
  std::latch& entered_;
  std::binary_semaphore& gate_;
  std::atomic<int>& runs_;
};

// Has no memory for its first batch.
class HungryEngine final : public InferenceEngine {
 public:
  Result<void> load(const std::string& /*variant*/) override { return {}; }
  void unload(const std::string& /*variant*/) override {}
  BatchReport run(const std::string& /*variant*/, std::span<const EngineInput> inputs) override {
    if (std::exchange(first_, false)) {
      throw std::bad_alloc();
    }
    BatchReport report;
    report.outputs.resize(inputs.size());
    for (EngineOutput& output : report.outputs) {
      output.status = AttemptStatus::Ok;
    }
    return report;
  }

 private:
  bool first_ = true;
};

// Collects until `count` batches have come.
std::vector<BatchDone> wait_for(ThreadExecutor& executor, std::counting_semaphore<>& finished,
                                std::size_t count) {
  std::vector<BatchDone> done;
  while (done.size() < count) {
    finished.acquire();
    executor.collect(done);
  }
  return done;
}

TEST(ThreadExecutor, Batches_OfOneProcessorRunInOrder) {
  std::counting_semaphore<> finished(0);
  Engines engines;
  engines.emplace("cpu0", std::make_unique<test::EchoEngine>());
  ThreadExecutor executor(std::move(engines), [&finished] { finished.release(); });
  for (std::uint64_t id = 1; id <= 50; ++id) {
    executor.start(job(id));
  }
  const std::vector<BatchDone> done = wait_for(executor, finished, 50);
  for (std::size_t i = 0; i < done.size(); ++i) {
    EXPECT_EQ(done[i].id, i + 1);
    ASSERT_EQ(done[i].report.outputs.size(), 1U);
    EXPECT_EQ(done[i].report.outputs[0].labels[0].name, "bytes");
  }
}

TEST(ThreadExecutor, VariantThatCannotBeLoaded_FailsEachTaskOfItsBatch) {
  std::counting_semaphore<> finished(0);
  Engines engines;
  engines.emplace("cpu0", std::make_unique<test::EchoEngine>());
  ThreadExecutor executor(std::move(engines), [&finished] { finished.release(); });
  executor.start(job(1, "cpu0", "broken-fp32"));
  const std::vector<BatchDone> done = wait_for(executor, finished, 1);
  EXPECT_EQ(done[0].report.outputs[0].status, AttemptStatus::Error);
  EXPECT_EQ(done[0].report.outputs[0].reason, "broken-fp32: not a model");
}

TEST(ThreadExecutor, NotEnoughMemoryForABatch_FailsItAndTheNextRuns) {
  std::counting_semaphore<> finished(0);
  Engines engines;
  engines.emplace("cpu0", std::make_unique<HungryEngine>());
  ThreadExecutor executor(std::move(engines), [&finished] { finished.release(); });
  executor.start(job(1));
  executor.start(job(2));
  const std::vector<BatchDone> done = wait_for(executor, finished, 2);
  EXPECT_EQ(done[0].report.outputs[0].status, AttemptStatus::Error);
  EXPECT_EQ(done[0].report.outputs[0].reason, "n-fp32: not enough memory");
  EXPECT_EQ(done[1].report.outputs[0].status, AttemptStatus::Ok);
}

TEST(ThreadExecutor, BusyProcessor_DoesNotBlockAnother) {
  std::counting_semaphore<> finished(0);
  std::latch entered(1);
  std::binary_semaphore gate(0);
  std::atomic<int> runs{0};
  Engines engines;
  engines.emplace("cpu0", std::make_unique<GatedEngine>(entered, gate, runs));
  engines.emplace("gpu0", std::make_unique<test::EchoEngine>());
  ThreadExecutor executor(std::move(engines), [&finished] { finished.release(); });
  executor.start(job(1, "cpu0"));
  entered.wait();
  executor.start(job(2, "gpu0"));
  EXPECT_EQ(wait_for(executor, finished, 1)[0].id, 2U);
  gate.release();
  EXPECT_EQ(wait_for(executor, finished, 1)[0].id, 1U);
}

TEST(ThreadExecutor, Destroyed_FinishesTheBatchThatRunsAndDropsWhatWaits) {
  std::latch entered(1);
  std::binary_semaphore gate(0);
  std::atomic<int> runs{0};
  std::jthread opener;
  {
    Engines engines;
    engines.emplace("cpu0", std::make_unique<GatedEngine>(entered, gate, runs));
    // The first batch holds its processor until the executor has been told to stop.
    ThreadExecutor executor(std::move(engines), [] {});
    executor.start(job(1));
    executor.start(job(2));
    executor.start(job(3));
    entered.wait();
    executor.stop();
    gate.release();
  }
  EXPECT_EQ(runs.load(), 1);
}

}  // namespace
}  // namespace juggler
