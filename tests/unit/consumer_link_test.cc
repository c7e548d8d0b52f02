// The device's link: hello, heartbeats, redeliveries, cuts.

#include <gtest/gtest.h>

#include "support/consumer_harness.h"

namespace juggler {
namespace {

using test::ConsumerHarness;
using test::device;
using test::dispatch_for;
using test::variant;

DeviceFacts board() { return device("d").incarnation(7).serves(variant("n-fp32"), seconds(2)); }

TEST(Consumer, LinkUp_SaysHelloThenBeats) {
  ConsumerHarness harness(board());
  EXPECT_EQ(harness.consumer().next_timer(), Time::never());
  harness.link_up();
  ASSERT_EQ(harness.all<SendHello>().size(), 1U);
  ASSERT_EQ(harness.all<SendHeartbeat>().size(), 1U);
  EXPECT_EQ(harness.all<SendHeartbeat>()[0].heartbeat.incarnation, 7);
  EXPECT_EQ(harness.all<SendHeartbeat>()[0].heartbeat.device, "d");
}

TEST(Consumer, ServingChanged_IsToldAtOnceAndByTheNextHello) {
  ConsumerHarness harness(board());
  harness.link_up();
  EXPECT_FALSE(harness.all<SendHeartbeat>().back().heartbeat.serving);
  EXPECT_FALSE(harness.consumer().facts().serving);
  harness.step(ServingChanged{true});
  ASSERT_EQ(harness.all<SendHeartbeat>().size(), 2U);
  EXPECT_TRUE(harness.all<SendHeartbeat>().back().heartbeat.serving);
  harness.step(ServingChanged{true});  // nothing new
  EXPECT_EQ(harness.all<SendHeartbeat>().size(), 2U);
  harness.step(HelloAsked{});
  EXPECT_TRUE(harness.consumer().facts().serving);
  harness.step(LinkDown{});
  harness.link_up();
  EXPECT_FALSE(harness.consumer().facts().serving);
}

TEST(Consumer, Heartbeat_ComesEachSecond) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.advance(seconds(10));
  EXPECT_EQ(harness.all<SendHeartbeat>().size(), 11U);
}

TEST(Consumer, Heartbeat_CarriesTheHostAndWhatRuns) {
  ConsumerHarness harness(board());
  harness.link_up();
  HostSample sample;
  sample.memory_free = mebibytes(300);
  sample.cpu_load_permille = 250;
  sample.temperature_millicelsius = 51'000;
  harness.step(HostSampled{sample});
  harness.dispatch("running");
  harness.dispatch("waiting");
  harness.advance(seconds(1));
  const Heartbeat beat = harness.all<SendHeartbeat>().back().heartbeat;
  EXPECT_EQ(beat.host.memory_free, mebibytes(300));
  EXPECT_EQ(beat.host.cpu_load_permille, 250);
  EXPECT_EQ(beat.host.temperature_millicelsius, 51'000);
  ASSERT_EQ(beat.running.size(), 1U);
  EXPECT_EQ(beat.running[0].id.task.id, "running");
}

TEST(Consumer, StampOfADispatch_IsGivenBackInResultAndHeartbeat) {
  ConsumerHarness harness(board());
  harness.link_up();
  Dispatch dispatch = test::dispatch_for(harness.facts(), "t");
  dispatch.stamp = "0123456789abcdef";
  harness.dispatch(dispatch);
  harness.advance(seconds(1));
  const Heartbeat beat = harness.all<SendHeartbeat>().back().heartbeat;
  ASSERT_EQ(beat.running.size(), 1U);
  EXPECT_EQ(beat.running[0].stamp, "0123456789abcdef");
  harness.finish();
  EXPECT_EQ(harness.all<SendResult>().back().result->stamp, "0123456789abcdef");
}

TEST(Consumer, HelloAsked_SaysItAgain) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.step(HelloAsked{});
  EXPECT_EQ(harness.all<SendHello>().size(), 2U);
}

TEST(Consumer, BeatAsked_BeatsAsOftenAndSaysSo) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.step(BeatAsked{milliseconds(400)});
  harness.clear();
  harness.advance(seconds(4));
  ASSERT_EQ(harness.all<SendHeartbeat>().size(), 10U);
  EXPECT_EQ(harness.all<SendHeartbeat>()[0].heartbeat.every, milliseconds(400));
  // Within bounds, whoever asks.
  harness.step(BeatAsked{Micros{1}});
  harness.clear();
  harness.advance(seconds(1));
  EXPECT_EQ(harness.all<SendHeartbeat>().size(), 10U);
}

TEST(Consumer, LinkDown_IsQuietButFinishesItsWork) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.link_down();
  harness.clear();
  harness.finish();
  harness.advance(seconds(5));
  EXPECT_TRUE(harness.all<SendHeartbeat>().empty());
  EXPECT_TRUE(harness.all<SendResult>().empty());
}

TEST(Consumer, LinkBack_SendsWhatWasComputedMeanwhile) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.link_down();
  harness.finish();
  harness.clear();
  harness.link_up();
  ASSERT_EQ(harness.all<SendResult>().size(), 1U);
  EXPECT_EQ(harness.all<SendResult>()[0].result->attempt.task.id, "a");
}

TEST(Consumer, AckOfAVoidDelivery_IsNeverSent) {
  ConsumerHarness harness(board());
  harness.link_up();
  const DeliveryId old = harness.dispatch("a");
  harness.link_down();
  harness.finish();
  harness.link_up();
  harness.confirm_results();
  EXPECT_FALSE(harness.acked(old));
  EXPECT_TRUE(harness.all<AckDelivery>().empty());
}

TEST(Consumer, RedeliveredWhileItRuns_IsNotRunTwice) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.link_down();
  harness.link_up();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  EXPECT_EQ(harness.all<StartBatch>().size(), 1U);
  EXPECT_EQ(harness.all<DropPayload>().size(), 1U);  // the second copy's
  harness.finish();
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
}

// Left unacknowledged, the first copies would hold places of the window for good.
TEST(Consumer, TheSameAttemptTwiceOnOneConnection_BothAreAcked) {
  ConsumerHarness harness(board());
  harness.link_up();
  const DeliveryId running = harness.dispatch("a");
  const DeliveryId running_again = harness.dispatch("a");
  const DeliveryId waiting = harness.dispatch("b");
  const DeliveryId waiting_again = harness.dispatch("b");
  harness.finish();
  const DeliveryId answered_again = harness.dispatch("a");
  harness.confirm_results();
  harness.finish();
  harness.confirm_results();
  for (const DeliveryId delivery :
       {running, running_again, waiting, waiting_again, answered_again}) {
    EXPECT_TRUE(harness.acked(delivery)) << delivery.tag;
  }
  EXPECT_EQ(harness.all<StartBatch>().size(), 2U);
}

// It may be what the process before died of.
TEST(Consumer, RedeliveredToAnotherProcess_IsFailedAndNotRun) {
  ConsumerHarness harness(board());
  harness.link_up();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  EXPECT_TRUE(harness.all<StartBatch>().empty());
  ASSERT_EQ(harness.all<SendResult>().size(), 1U);
  EXPECT_EQ(harness.all<SendResult>()[0].result->status, AttemptStatus::Error);
  EXPECT_EQ(harness.all<DropPayload>().size(), 1U);
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
}

// What lay in the connection that was lost has never been here.
TEST(Consumer, RedeliveredAfterALostConnection_IsRun) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.link_down();
  harness.link_up();
  harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  EXPECT_EQ(harness.all<StartBatch>().size(), 1U);
}

TEST(Consumer, RedeliveredWhileItWaits_IsNotRunTwice) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("running");
  harness.dispatch("a");
  harness.link_down();
  harness.link_up();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  harness.finish();
  harness.finish();
  EXPECT_EQ(harness.all<StartBatch>().size(), 2U);
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
}

TEST(Consumer, RedeliveredAfterItsResult_IsAnsweredFromMemory) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.finish();
  harness.confirm_results();
  harness.link_down();
  harness.link_up();
  harness.clear();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  EXPECT_TRUE(harness.all<StartBatch>().empty());
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
  EXPECT_EQ(harness.consumer().stats().repeated, 1U);
}

TEST(Consumer, AnswerFromMemoryRefused_IsSentAgainUntilTheDispatchCanBeAcked) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.finish();
  harness.confirm_results();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  const std::vector<SendResult> sent = harness.all<SendResult>();
  if (sent.size() > 1) {
    harness.settle(sent.back().id, PublishEnd::Refused);
  }
  harness.advance(seconds(1));
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
}

TEST(Consumer, ConfirmOfALostConnection_CountsForNothing) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.finish();
  const PublishId first = harness.all<SendResult>()[0].id;
  harness.link_down();
  harness.link_up();
  const DeliveryId again = harness.dispatch(dispatch_for(harness.facts(), "a"), true);
  harness.settle(first, PublishEnd::Unknown);
  EXPECT_FALSE(harness.acked(again));
  harness.confirm_results();
  EXPECT_TRUE(harness.acked(again));
}

TEST(Consumer, Memory_IsBoundedAndForgetsTheOldest) {
  ConsumerConfig config;
  config.results_max = 2;
  ConsumerHarness harness(board(), config);
  harness.link_up();
  for (const char* id : {"a", "b", "c"}) {
    harness.dispatch(id);
    harness.finish();
    harness.confirm_results();
  }
  harness.clear();
  harness.dispatch("a");
  EXPECT_EQ(harness.all<StartBatch>().size(), 1U);  // forgotten: run again
  harness.dispatch("c");
  EXPECT_EQ(harness.consumer().stats().repeated, 1U);
}

TEST(Consumer, UnconfirmedResult_IsNeverForgotten) {
  ConsumerConfig config;
  config.results_max = 1;
  ConsumerHarness harness(board(), config);
  harness.link_up();
  for (const char* id : {"a", "b", "c"}) {
    harness.dispatch(id);
    harness.finish();
  }
  harness.link_down();
  harness.clear();
  harness.link_up();
  EXPECT_EQ(harness.all<SendResult>().size(), 3U);
}

TEST(Consumer, DrainedWithoutALink_LeavesWhenItsResultsAreConfirmed) {
  ConsumerHarness harness(board());
  harness.link_up();
  harness.dispatch("a");
  harness.link_down();
  harness.step(DrainAsked{});
  harness.finish();
  EXPECT_TRUE(harness.all<Left>().empty());
  harness.link_up();
  harness.confirm_results();
  EXPECT_EQ(harness.all<Left>().size(), 1U);
}

}  // namespace
}  // namespace juggler
