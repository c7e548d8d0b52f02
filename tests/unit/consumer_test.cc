// The device's queue: batches, budgets, refusals, draining.

#include "core/consumer.h"

#include <gtest/gtest.h>

#include "support/consumer_harness.h"

namespace juggler {
namespace {

using test::ConsumerHarness;
using test::device;
using test::dispatch_for;
using test::variant;

DeviceFacts board(int batch_max = 1) {
  return device("d")
      .batch_max(batch_max)
      .serves(variant("n-fp32"), milliseconds(50))
      .serves(variant("o-fp32"), milliseconds(50));
}

// A consumer with its link up and nothing to do.
ConsumerHarness ready(int batch_max = 1) {
  ConsumerHarness harness(board(batch_max));
  harness.link_up();
  harness.clear();
  return harness;
}

std::vector<std::size_t> batch_sizes(const ConsumerHarness& harness) {
  std::vector<std::size_t> sizes;
  for (const StartBatch& start : harness.all<StartBatch>()) {
    sizes.push_back(start.items.size());
  }
  return sizes;
}

TEST(Consumer, TwinsMemory_IsItsBoardsLessWhatHasRunThere) {
  DeviceFacts facts =
      device("d").twin().serves(variant("n-fp32"), milliseconds(50), std::nullopt, mebibytes(100));
  facts.memory = mebibytes(2000);
  ConsumerHarness harness(facts);
  HostSampled host;
  host.sample.memory_free = mebibytes(20'000);
  harness.step(host);
  harness.link_up();
  EXPECT_EQ(harness.all<SendHeartbeat>().back().heartbeat.host.memory_free, mebibytes(2000));
  harness.dispatch("t");
  harness.finish();
  harness.advance(seconds(2));
  EXPECT_EQ(harness.all<SendHeartbeat>().back().heartbeat.host.memory_free, mebibytes(1900));
}

TEST(Consumer, Dispatch_StartsAtOnceOnAnIdleProcessor) {
  ConsumerHarness harness = ready();
  harness.dispatch("t");
  ASSERT_EQ(harness.all<StartBatch>().size(), 1U);
  const StartBatch start = harness.all<StartBatch>()[0];
  EXPECT_EQ(start.processor, "cpu0");
  EXPECT_EQ(start.variant, "n-fp32");
  EXPECT_EQ(start.items.size(), 1U);
}

TEST(Consumer, BusyProcessor_TheNextWaitsForItsTurn) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  harness.dispatch("b");
  EXPECT_EQ(harness.all<StartBatch>().size(), 1U);
  harness.finish();
  EXPECT_EQ(harness.all<StartBatch>().size(), 2U);
}

TEST(Consumer, Result_SaysWhatRanAndHowLong) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  harness.dispatch("b");
  harness.advance(milliseconds(40));
  harness.finish();
  harness.finish();
  const std::vector<SendResult> sent = harness.all<SendResult>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].result->status, AttemptStatus::Ok);
  EXPECT_EQ(sent[0].result->attempt.task.id, "a");
  EXPECT_EQ(sent[0].result->device, "d");
  // What it was on the device beside computing: here, loading its network.
  EXPECT_EQ(sent[0].result->queued, milliseconds(35));
  EXPECT_EQ(sent[0].result->compute, milliseconds(5));
  EXPECT_EQ(sent[1].result->queued, milliseconds(35));
  EXPECT_EQ(sent[0].result->labels.size(), 1U);
}

TEST(Consumer, DispatchIsAckedOnlyAfterItsResultWasConfirmed) {
  ConsumerHarness harness = ready();
  const DeliveryId delivery = harness.dispatch("a");
  harness.finish();
  EXPECT_FALSE(harness.acked(delivery));
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(delivery));
}

TEST(Consumer, ResultRefused_IsSentAgainWithTheNextHeartbeat) {
  ConsumerHarness harness = ready();
  const DeliveryId delivery = harness.dispatch("a");
  harness.finish();
  harness.settle(harness.all<SendResult>()[0].id, PublishEnd::Refused);
  EXPECT_FALSE(harness.acked(delivery));
  harness.advance(seconds(1));
  EXPECT_EQ(harness.all<SendResult>().size(), 2U);
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(delivery));
}

TEST(Consumer, Batch_TakesWhatWaitsUpToItsBound) {
  ConsumerHarness harness = ready(3);
  for (const char* id : {"first", "a", "b", "c", "d"}) {
    harness.dispatch(id);
  }
  harness.finish();
  harness.finish();
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1, 3, 1}));
}

TEST(Consumer, Batch_IsOfOneVariant) {
  ConsumerHarness harness = ready(8);
  harness.dispatch("first");
  Dispatch other = dispatch_for(harness.facts(), "b");
  other.variant = "o-fp32";
  harness.dispatch("a");
  harness.dispatch(other);
  harness.dispatch("c");
  harness.finish();
  const std::vector<StartBatch> started = harness.all<StartBatch>();
  ASSERT_EQ(started.size(), 2U);
  EXPECT_EQ(started[1].items.size(), 2U);
  harness.finish();
  EXPECT_EQ(harness.all<StartBatch>()[2].variant, "o-fp32");
}

TEST(Consumer, Batch_NeverMakesATaskMissItsDeadline) {
  ConsumerHarness harness = ready(8);
  harness.dispatch("first");
  harness.dispatch("tight", milliseconds(70));  // alone 50 ms, in a batch of two 100 ms
  harness.dispatch("loose");
  harness.finish();
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1, 1}));
}

TEST(Consumer, Batch_KnowsItsMeasuredSizes) {
  ConsumerHarness harness(device("d")
                              .batch_max(8)
                              .serves(variant("n-fp32"), milliseconds(50))
                              .point(4, milliseconds(60)));
  harness.link_up();
  harness.dispatch("first");
  for (const char* id : {"a", "b", "c", "d"}) {
    harness.dispatch(id, milliseconds(70));
  }
  harness.finish();
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1, 4}));
}

// One of `size` dispatches that the controller planned as batch `batch`.
Dispatch part_of(const ConsumerHarness& harness, const std::string& id, std::int64_t batch,
                 int size, Micros budget = seconds(10)) {
  Dispatch dispatch = dispatch_for(harness.facts(), id, budget);
  dispatch.batch = batch;
  dispatch.batch_size = size;
  return dispatch;
}

TEST(Consumer, PlannedBatch_RunsOnceAllOfItHasArrived) {
  ConsumerHarness harness = ready(8);
  harness.dispatch(part_of(harness, "a", 7, 3));
  harness.dispatch(part_of(harness, "b", 7, 3));
  EXPECT_TRUE(batch_sizes(harness).empty());
  harness.dispatch(part_of(harness, "c", 7, 3));
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{3}));
}

TEST(Consumer, PlannedBatchWithAMissingPart_RunsWithoutItAfterAWhile) {
  ConsumerHarness harness = ready(8);
  harness.dispatch(part_of(harness, "a", 7, 3));
  harness.dispatch(part_of(harness, "b", 7, 3));
  harness.advance(milliseconds(1999));
  EXPECT_TRUE(batch_sizes(harness).empty());
  harness.advance(milliseconds(1));
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{2}));
}

TEST(Consumer, PlannedBatchWithAMissingPart_NeverWaitsUntilItIsLate) {
  ConsumerHarness harness = ready(8);
  harness.dispatch(part_of(harness, "a", 7, 2, milliseconds(150)));  // two take 100 ms
  harness.advance(milliseconds(49));
  EXPECT_TRUE(batch_sizes(harness).empty());
  harness.advance(milliseconds(1));
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1}));
}

TEST(Consumer, IncompleteBatch_LetsOthersGoFirst) {
  ConsumerHarness harness = ready(8);
  harness.dispatch(part_of(harness, "a", 7, 2));
  harness.dispatch("single");
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1}));
}

TEST(Consumer, PlannedBatch_JoinsOthersWholeOrNotAtAll) {
  ConsumerHarness harness = ready(3);
  harness.dispatch("first");
  harness.dispatch("single");
  for (const char* id : {"a", "b", "c"}) {
    harness.dispatch(part_of(harness, id, 7, 3));
  }
  harness.finish();
  harness.finish();
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1, 1, 3}));
}

TEST(Consumer, PartOfABatchExpires_TheRestDoesNotWaitForIt) {
  ConsumerHarness harness = ready(8);
  harness.dispatch("first");
  harness.dispatch(part_of(harness, "a", 7, 2, milliseconds(10)));
  harness.dispatch(part_of(harness, "b", 7, 2));
  harness.advance(milliseconds(20));
  harness.finish();
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1, 1}));
}

TEST(Consumer, BatchDeliveredAgain_WaitsForNobody) {
  ConsumerHarness harness = ready(8);
  harness.link_down();
  harness.link_up();
  harness.dispatch(part_of(harness, "a", 7, 2), /*redelivered=*/true);
  EXPECT_EQ(batch_sizes(harness), (std::vector<std::size_t>{1}));
}

TEST(Consumer, Batch_SharesItsEnergyAmongItsTasks) {
  ConsumerHarness harness = ready(2);
  harness.dispatch("first");
  harness.finish();
  harness.clear();
  harness.dispatch("x");
  harness.dispatch("a");
  harness.dispatch("b");
  harness.finish();
  BatchReport report;
  report.outputs.resize(2);
  report.outputs[0].status = AttemptStatus::Ok;
  report.outputs[1].status = AttemptStatus::Error;
  report.outputs[1].reason = "odd";
  report.energy = test::energy_mj(100, 0.1);
  harness.step(BatchFinished{3, report});
  const std::vector<SendResult> sent = harness.all<SendResult>();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[1].result->energy->value, Microjoules{50'000});
  EXPECT_EQ(sent[1].result->energy->high, Microjoules{55'000});
  EXPECT_EQ(sent[1].result->batch_size, 2);
  EXPECT_EQ(sent[1].result->status, AttemptStatus::Ok);
  EXPECT_EQ(sent[2].result->status, AttemptStatus::Error);
  EXPECT_EQ(sent[2].result->reason, "odd");
}

TEST(Consumer, WaitedTooLong_IsReportedExpiredAndNotRun) {
  ConsumerHarness harness = ready();
  harness.dispatch("first");
  const DeliveryId late = harness.dispatch("late", milliseconds(100));
  harness.advance(milliseconds(100));
  harness.finish();
  EXPECT_EQ(harness.all<StartBatch>().size(), 1U);
  const std::vector<SendResult> sent = harness.all<SendResult>();
  ASSERT_EQ(sent.size(), 2U);
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(late));
  EXPECT_EQ(harness.consumer().stats().expired, 1U);
}

TEST(Consumer, UnknownProcessorOrVariant_IsRefused) {
  ConsumerHarness harness = ready();
  Dispatch dispatch = dispatch_for(harness.facts(), "a");
  dispatch.processor = "gpu7";
  harness.dispatch(dispatch);
  dispatch = dispatch_for(harness.facts(), "b");
  dispatch.variant = "unheard-of";
  harness.dispatch(dispatch);
  const std::vector<SendResult> sent = harness.all<SendResult>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].result->status, AttemptStatus::Refused);
  EXPECT_NE(sent[0].result->reason.find("gpu7"), std::string::npos);
  EXPECT_NE(sent[1].result->reason.find("unheard-of"), std::string::npos);
  EXPECT_TRUE(harness.all<StartBatch>().empty());
  EXPECT_EQ(harness.all<DropPayload>().size(), 2U);
}

TEST(Consumer, QueueIsFull_IsRefused) {
  ConsumerConfig config;
  config.queue_max = 2;
  ConsumerHarness harness(board(), config);
  harness.link_up();
  for (const char* id : {"running", "a", "b", "c"}) {
    harness.dispatch(id);
  }
  ASSERT_EQ(harness.all<SendResult>().size(), 1U);
  EXPECT_EQ(harness.all<SendResult>()[0].result->attempt.task.id, "c");
  EXPECT_EQ(harness.all<SendResult>()[0].result->status, AttemptStatus::Refused);
}

TEST(Consumer, StaleEpoch_IsRefused) {
  ConsumerHarness harness = ready();
  Dispatch dispatch = dispatch_for(harness.facts(), "new");
  dispatch.attempt.epoch = 5;
  harness.dispatch(dispatch);
  dispatch = dispatch_for(harness.facts(), "old");
  dispatch.attempt.epoch = 4;
  harness.dispatch(dispatch);
  ASSERT_EQ(harness.all<SendResult>().size(), 1U);
  EXPECT_EQ(harness.all<SendResult>()[0].result->attempt.task.id, "old");
  EXPECT_NE(harness.all<SendResult>()[0].result->reason.find("stale epoch"), std::string::npos);
}

TEST(Consumer, Payload_IsKeptUntilItsTaskIsDone) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  EXPECT_TRUE(harness.all<DropPayload>().empty());
  harness.finish();
  EXPECT_EQ(harness.all<DropPayload>().size(), 1U);
}

TEST(Consumer, EngineErrorAndBadPayload_AreReportedAsSuch) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  harness.finish(AttemptStatus::Error, "cuda");
  harness.dispatch("b");
  harness.finish(AttemptStatus::BadPayload, "torn");
  const std::vector<SendResult> sent = harness.all<SendResult>();
  EXPECT_EQ(sent[0].result->status, AttemptStatus::Error);
  EXPECT_EQ(sent[0].result->reason, "cuda");
  EXPECT_EQ(sent[1].result->status, AttemptStatus::BadPayload);
  EXPECT_EQ(harness.consumer().stats().failed, 2U);
}

TEST(Consumer, TwoProcessors_DoNotBlockEachOther) {
  ConsumerHarness harness(device("d")
                              .processor("cpu0")
                              .serves(variant("n-fp32"), milliseconds(50))
                              .processor("gpu0")
                              .serves(variant("n-fp32"), milliseconds(10)));
  harness.link_up();
  harness.dispatch("a");
  Dispatch other = dispatch_for(harness.facts(), "b");
  other.processor = "gpu0";
  harness.dispatch(other);
  EXPECT_EQ(harness.all<StartBatch>().size(), 2U);
}

TEST(Consumer, Drain_FinishesWhatIsHereThenLeaves) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  harness.dispatch("b");
  harness.step(DrainAsked{});
  EXPECT_TRUE(harness.all<SendHeartbeat>().back().heartbeat.draining);
  harness.finish();
  harness.finish();
  EXPECT_TRUE(harness.all<Left>().empty());
  harness.confirm_results();
  EXPECT_EQ(harness.all<Left>().size(), 1U);
  EXPECT_TRUE(harness.all<SendHeartbeat>().back().heartbeat.leaving);
}

TEST(Consumer, Drain_WithNothingToDo_LeavesAtOnce) {
  ConsumerHarness harness = ready();
  harness.step(DrainAsked{});
  EXPECT_EQ(harness.all<Left>().size(), 1U);
}

TEST(Consumer, Draining_TakesNothingNew) {
  ConsumerHarness harness = ready();
  harness.dispatch("a");
  harness.step(DrainAsked{});
  harness.dispatch("late");
  ASSERT_EQ(harness.all<SendResult>().size(), 1U);
  EXPECT_EQ(harness.all<SendResult>()[0].result->attempt.task.id, "late");
  EXPECT_EQ(harness.all<SendResult>()[0].result->status, AttemptStatus::Refused);
}

}  // namespace
}  // namespace juggler
