// What a batch takes and costs in virtual time.

#include "sim/executor.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace juggler {
namespace {

using sim::Agenda;
using sim::SimExecutor;

class Owner final : public sim::TransportOwner {
 public:
  void input() override { inputs += 1; }
  int inputs = 0;
};

class Bench {
 public:
  Bench()
      : facts(test::device("d").serves(test::variant("n-fp32"), milliseconds(40),
                                       test::energy_mj(100))) {
    facts.processors[0].profiles[0].load = milliseconds(300);
  }
  BatchReport run(SimExecutor& executor, std::size_t tasks) {
    BatchJob job;
    job.id = 1;
    job.processor = "cpu0";
    job.variant = "n-fp32";
    job.inputs.resize(tasks);
    executor.start(std::move(job));
    agenda.run_until(agenda.now() + seconds(100));
    std::vector<BatchDone> done;
    executor.collect(done);
    EXPECT_EQ(done.size(), 1U);
    return done.empty() ? BatchReport{} : done[0].report;
  }
  Agenda agenda;
  DeviceFacts facts;
  Owner owner;
};

TEST(SimExecutor, WithoutNoise_TakesTheMeanAndLoadsOnce) {
  Bench bench;
  SimExecutor executor(bench.agenda, bench.facts, 0.0, 1, bench.owner);
  EXPECT_EQ(bench.run(executor, 1).compute, milliseconds(40));
  EXPECT_EQ(bench.run(executor, 2).compute, milliseconds(80));  // in proportion
  EXPECT_EQ(executor.use()[0].busy, milliseconds(420));
  EXPECT_EQ(executor.use()[0].energy, Microjoules{300'000});
  EXPECT_EQ(executor.use()[0].batches, 2U);
  EXPECT_EQ(bench.owner.inputs, 2);
}

TEST(SimExecutor, SlowedDown_TakesTheFactor) {
  Bench bench;
  SimExecutor executor(bench.agenda, bench.facts, 0.0, 1, bench.owner);
  executor.slow_down(2'500);
  EXPECT_EQ(bench.run(executor, 1).compute, milliseconds(100));
}

// "a" takes 40 ms alone and half as long again beside "b", which takes 60 ms and minds nothing.
DeviceFacts two_that_share() {
  DeviceFacts facts = test::device("d")
                          .processor("a")
                          .serves(test::variant("n-fp32"), milliseconds(40))
                          .processor("b")
                          .serves(test::variant("n-fp32"), milliseconds(60));
  facts.processors[0].slowed_by = {{"b", 1500}};
  return facts;
}

BatchJob job_on(const std::string& processor, std::uint64_t id) {
  BatchJob job;
  job.id = id;
  job.processor = processor;
  job.variant = "n-fp32";
  job.inputs.resize(1);
  return job;
}

TEST(SimExecutor, OtherProcessorAtWork_SlowsWhileItWorks) {
  Agenda agenda;
  const DeviceFacts facts = two_that_share();
  Owner owner;
  SimExecutor executor(agenda, facts, 0.0, 1, owner);
  executor.start(job_on("b", 1));
  agenda.run_until(Time{milliseconds(30).count});
  executor.start(job_on("a", 2));  // 30 ms beside b are 20 ms of its 40; the rest takes 20 ms
  std::vector<BatchDone> done;
  agenda.run_until(Time{milliseconds(79).count});
  executor.collect(done);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].id, 1U);
  EXPECT_EQ(done[0].report.compute, milliseconds(60));
  agenda.run_until(Time{milliseconds(80).count});
  done.clear();
  executor.collect(done);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].id, 2U);
  EXPECT_EQ(done[0].report.compute, milliseconds(50));
  EXPECT_EQ(executor.use()[0].busy, milliseconds(50));
}

TEST(SimExecutor, OtherProcessorBeginsMidway_TheRestIsSlowed) {
  Agenda agenda;
  const DeviceFacts facts = two_that_share();
  Owner owner;
  SimExecutor executor(agenda, facts, 0.0, 1, owner);
  executor.start(job_on("a", 1));
  agenda.run_until(Time{milliseconds(20).count});
  executor.start(job_on("b", 2));
  agenda.run_until(Time{milliseconds(100).count});
  std::vector<BatchDone> done;
  executor.collect(done);
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].report.compute, milliseconds(50)) << "20 alone, 20 at two thirds of the speed";
  EXPECT_EQ(done[1].report.compute, milliseconds(60));
}

TEST(SimExecutor, FailingEngine_FailsEveryTaskOfTheBatch) {
  Bench bench;
  SimExecutor executor(bench.agenda, bench.facts, 0.0, 1, bench.owner);
  executor.fail(1'000'000);
  const BatchReport report = bench.run(executor, 2);
  ASSERT_EQ(report.outputs.size(), 2U);
  EXPECT_EQ(report.outputs[1].status, AttemptStatus::Error);
}

TEST(SimExecutor, Forgotten_ReportsNothing) {
  Bench bench;
  SimExecutor executor(bench.agenda, bench.facts, 0.0, 1, bench.owner);
  BatchJob job;
  job.processor = "cpu0";
  job.variant = "n-fp32";
  job.inputs.resize(1);
  executor.start(std::move(job));
  executor.forget();
  bench.agenda.run_until(Time{seconds(9).count});
  EXPECT_EQ(bench.owner.inputs, 0);
}

}  // namespace
}  // namespace juggler
