// An engine without memory, or one that has crashed: its tasks go on on the next processor of the
// device, the controller is told at once, and the variant is tried there again after a pause.

#include <gtest/gtest.h>

#include "support/consumer_harness.h"
#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ConsumerHarness;
using test::ControllerHarness;
using test::device;
using test::dispatch_for;
using test::energy_mj;
using test::submission;
using test::variant;

DeviceFacts orin(Micros on_cpu = milliseconds(50)) {
  return device("d")
      .serves(variant("n-fp16"), on_cpu, energy_mj(300))
      .processor("dla0", ProcessorKind::Dla)
      .serves(variant("n-fp16"), milliseconds(10), energy_mj(20))
      .processor("gpu0", ProcessorKind::Gpu)
      .batch_max(4)
      .serves(variant("n-fp16"), milliseconds(5), energy_mj(30));
}

Dispatch to_dla(const std::string& id, Micros budget = seconds(10)) {
  Dispatch dispatch = dispatch_for(orin(), id, budget);
  dispatch.processor = "dla0";
  dispatch.fall_back = {"gpu0", "cpu0"};
  return dispatch;
}

ConsumerHarness ready(const DeviceFacts& facts = orin()) {
  ConsumerHarness harness(facts);
  harness.link_up();
  harness.clear();
  return harness;
}

std::vector<std::string> processors(const ConsumerHarness& harness) {
  std::vector<std::string> names;
  for (const StartBatch& start : harness.all<StartBatch>()) {
    names.push_back(start.processor);
  }
  return names;
}

TEST(FallingBack, OutOfMemory_GoesOnOnTheGpuThenOnTheCpu) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.fail(EngineFailure::OutOfMemory, "no memory");
  harness.fail(EngineFailure::Crashed, "CUDA is gone");
  harness.finish();
  EXPECT_EQ(processors(harness), (std::vector<std::string>{"dla0", "gpu0", "cpu0"}));
  const AttemptResult result = *harness.all<SendResult>().back().result;
  EXPECT_EQ(result.status, AttemptStatus::Ok);
  EXPECT_EQ(result.processor, "cpu0");
  EXPECT_EQ(result.fell_back, "dla0: no memory; gpu0: CUDA is gone");
}

TEST(FallingBack, NoOtherProcessor_SaysWhy) {
  ConsumerHarness harness = ready();
  Dispatch alone = to_dla("t");
  alone.fall_back.clear();
  harness.dispatch(alone);
  harness.fail(EngineFailure::OutOfMemory, "no memory");
  const AttemptResult result = *harness.all<SendResult>().back().result;
  EXPECT_EQ(result.status, AttemptStatus::Error);
  EXPECT_EQ(result.reason, "no memory");
}

TEST(FallingBack, TooSlowElsewhere_IsNotTried) {
  ConsumerHarness harness = ready(orin(seconds(3)));
  Dispatch urgent = to_dla("t", seconds(1));
  urgent.fall_back = {"cpu0"};
  harness.dispatch(urgent);
  harness.fail(EngineFailure::Crashed, "gone");
  EXPECT_EQ(processors(harness), (std::vector<std::string>{"dla0"}));
}

TEST(FallingBack, PlainFailure_IsTheControllersMatter) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.finish(AttemptStatus::Error, "bad luck");
  EXPECT_EQ(processors(harness), (std::vector<std::string>{"dla0"}));
  EXPECT_EQ(harness.all<SendResult>().size(), 1U);
}

TEST(FallingBack, WhatWaitsThere_GoesAlong) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.dispatch(to_dla("u"));
  harness.fail(EngineFailure::Crashed, "gone");
  EXPECT_EQ(processors(harness), (std::vector<std::string>{"dla0", "gpu0"}));
  harness.finish();
  EXPECT_EQ(harness.all<StartBatch>().size(), 3U);
  harness.finish();
  EXPECT_EQ(harness.all<SendResult>().size(), 2U);
  EXPECT_EQ(harness.consumer().stats().fell_back, 2U);
}

TEST(FallingBack, Heartbeat_SaysAtOnceWhatIsStopped) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.clear();
  harness.fail(EngineFailure::OutOfMemory, "no memory");
  const std::vector<LaneVariant> stopped = harness.all<SendHeartbeat>().front().heartbeat.stopped;
  EXPECT_EQ(stopped, (std::vector<LaneVariant>{{"dla0", "n-fp16", "no memory"}}));
}

TEST(FallingBack, Pause_GrowsUntilItRunsAgain) {
  ConsumerHarness harness = ready();
  const auto tried_at_once = [&](const std::string& id) {
    harness.clear();
    harness.dispatch(to_dla(id));
    const bool on_dla = processors(harness) == std::vector<std::string>{"dla0"};
    if (!on_dla) {
      harness.finish();  // on the GPU
    }
    return on_dla;
  };
  ASSERT_TRUE(tried_at_once("a"));
  harness.fail(EngineFailure::Crashed, "gone");
  harness.finish();
  EXPECT_FALSE(tried_at_once("b"));
  harness.advance(milliseconds(1100));
  EXPECT_TRUE(tried_at_once("c"));
  harness.fail(EngineFailure::Crashed, "gone again");
  harness.finish();
  harness.advance(milliseconds(1100));
  EXPECT_FALSE(tried_at_once("d"));  // twice as long now
  harness.advance(seconds(1));
  EXPECT_TRUE(tried_at_once("e"));
  harness.finish();
  EXPECT_TRUE(harness.all<SendHeartbeat>().empty() ||
              harness.all<SendHeartbeat>().back().heartbeat.stopped.empty());
}

TEST(FallingBack, UnloadedVariant_IsToldAtOnceAndUntilItIsThereAgain) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.finish();
  harness.clear();
  harness.step(VariantUnloaded{"dla0", "n-fp16"});
  ASSERT_EQ(harness.all<SendHeartbeat>().size(), 1U);
  EXPECT_EQ(harness.all<SendHeartbeat>()[0].heartbeat.unloaded,
            (std::vector<LaneVariant>{{"dla0", "n-fp16"}}));
  harness.dispatch(to_dla("u"));
  harness.finish();
  harness.advance(seconds(2));
  EXPECT_TRUE(harness.all<SendHeartbeat>().back().heartbeat.unloaded.empty());
}

TEST(FallingBack, Hello_SaysWhatIsLoadedNow) {
  ConsumerHarness harness = ready();
  harness.dispatch(to_dla("t"));
  harness.finish();
  harness.step(HelloAsked{});
  EXPECT_EQ(harness.facts().processors[1].loaded, (std::vector<std::string>{"n-fp16"}));
  harness.step(VariantUnloaded{"dla0", "n-fp16"});
  harness.step(HelloAsked{});
  EXPECT_TRUE(harness.facts().processors[1].loaded.empty());
}

// The controller's side.

TEST(FallingBack, Dispatch_NamesTheProcessorsThatKeepTheTasksLimits) {
  ControllerHarness harness;
  harness.lead_with({orin()});
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().processor, "dla0");  // the least energy
  EXPECT_EQ(harness.last_dispatch().fall_back, (std::vector<std::string>{"gpu0", "cpu0"}));
  harness.submit(submission("u").max_energy_mj(50));
  EXPECT_EQ(harness.last_dispatch().fall_back, (std::vector<std::string>{"gpu0"}));
}

TEST(FallingBack, StoppedLane_GetsNoMoreOfTheVariant) {
  ControllerHarness harness;
  harness.lead_with({orin()});
  Heartbeat beat;
  beat.stopped = {{"dla0", "n-fp16", "no memory"}};
  harness.heartbeat("d", beat);
  harness.submit(submission("t"));
  EXPECT_EQ(harness.last_dispatch().processor, "gpu0");
  const std::optional<Explanation> why = harness.controller().explain("t");
  const auto dla = std::find_if(why->candidates.begin(), why->candidates.end(),
                                [](const auto& one) { return one.processor == "dla0"; });
  EXPECT_EQ(dla->verdict, Verdict::LaneStopped);
  harness.heartbeat("d");  // it is well again
  harness.submit(submission("u"));
  EXPECT_EQ(harness.last_dispatch().processor, "dla0");
}

TEST(FallingBack, Outcome_SaysWhereItFailedBefore) {
  ControllerHarness harness;
  harness.lead_with({orin()});
  harness.submit(submission("t"));
  AttemptResult result = test::result_of(harness.last_dispatch());
  result.processor = "gpu0";
  result.fell_back = "dla0: no memory";
  harness.result(result);
  const Outcome outcome = harness.last_outcome();
  EXPECT_EQ(outcome.processor, "gpu0");
  EXPECT_EQ(outcome.attempts.back().end, "ok on gpu0, after dla0: no memory");
}

TEST(FallingBack, UnloadedVariant_TakesItsLoadingTimeAgain) {
  DeviceFacts facts = device("d").serves(variant("n-fp32"), milliseconds(50), energy_mj(100));
  facts.processors[0].profiles[0].load = milliseconds(400);
  facts.processors[0].loaded = {"n-fp32"};
  ControllerHarness harness;
  harness.lead_with({facts});
  Heartbeat beat;
  beat.unloaded = {{"cpu0", "n-fp32"}};
  harness.heartbeat("d", beat);
  harness.submit(submission("t").deadline(seconds(5)));
  const std::optional<Explanation> why = harness.controller().explain("t");
  EXPECT_GE(why->candidates.front().finish, milliseconds(450));
}

}  // namespace
}  // namespace juggler
