// Variants that are not loaded yet, and batches that wait until their processor needs them.

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;
using test::without_hedges;

// Serves one variant, in 10 ms once it is loaded, which takes this long.
DeviceFacts loads_in(const std::string& id, Micros load, double mj, std::int64_t incarnation = 1) {
  DeviceFacts facts = device(id)
                          .incarnation(incarnation)
                          .serves(variant("n-fp32"), milliseconds(10), energy_mj(mj));
  facts.processors[0].profiles[0].load = load;
  return facts;
}

bool loaded(ControllerHarness& harness) {
  return harness.controller().fleet().devices()[0].lanes[0].learned->profiles[0].loaded;
}

TEST(Loading, NobodyHasItLoaded_TheFirstTaskLoadsIt_AndOthersAreToldNotToWait) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("d", milliseconds(500), 20)});
  harness.submit(submission("first").deadline(milliseconds(100)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 1U);

  harness.submit(submission("second").deadline(milliseconds(100)));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_outcome().key.id, "second");
  EXPECT_EQ(harness.last_outcome().kind, OutcomeKind::Rejected);

  harness.advance(milliseconds(510));
  harness.result(result_of(harness.last_dispatch()));
  harness.submit(submission("third").deadline(milliseconds(100)));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "third");
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 1U);
}

TEST(Loading, AnotherCanServeItMeanwhile_ACopyLoadsTheBetterOne) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("frugal", seconds(1), 20), loads_in("hungry", Micros{0}, 50)});
  harness.submit(submission("t").deadline(milliseconds(200)));
  ASSERT_EQ(harness.dispatches().size(), 2U);
  EXPECT_EQ(harness.dispatches()[0].device, "frugal");
  EXPECT_EQ(harness.dispatches()[1].device, "hungry");
  harness.result(result_of(harness.dispatches()[1]));
  EXPECT_EQ(harness.last_outcome().device, "hungry");

  harness.advance(milliseconds(1010));
  harness.result(result_of(harness.dispatches()[0]));
  harness.clear();
  harness.submit(submission("u").deadline(milliseconds(200)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_dispatch().device, "frugal");
}

TEST(Loading, TimeEnough_TheTaskItselfWaitsForTheLoad) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("frugal", seconds(1), 20), loads_in("hungry", Micros{0}, 50)});
  harness.submit(submission("t").deadline(seconds(5)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_dispatch().device, "frugal");
}

// A busy processor's window is full whenever a task comes: it would never load what all ask for.
TEST(Loading, WindowIsFull_ACopyLoadsTheBetterVariantAllTheSame) {
  DeviceFacts facts = device("d")
                          .window(1)
                          .serves(variant("small-fp32", 60), milliseconds(10), energy_mj(10))
                          .serves(variant("large-fp32", 80), milliseconds(50), energy_mj(50));
  for (Profile& profile : facts.processors[0].profiles) {
    profile.load = profile.variant == "small-fp32" ? milliseconds(500) : Micros{0};
  }
  ControllerHarness harness(without_hedges());
  harness.lead_with({facts});
  harness.submit(submission("running").min_accuracy(80).deadline(seconds(2)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  harness.submit(submission("t").deadline(milliseconds(200)));  // in time, but not behind a load
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 0U);
  harness.submit(submission("u").deadline(milliseconds(70)));  // too late there anyway
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 1U);
}

TEST(Loading, WhatALoadTook_IsNotLearnedAsTheNetwork) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("d", seconds(1), 20)});
  harness.submit(submission("t").deadline(seconds(5)));
  harness.advance(milliseconds(1010));
  harness.result(result_of(harness.last_dispatch()));
  EXPECT_EQ(harness.controller().fleet().devices()[0].network(), kNetworkDefault);
}

TEST(Loading, NewProcess_HasToLoadAgain) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("d", milliseconds(500), 20)});
  harness.submit(submission("t").deadline(milliseconds(100)));
  harness.advance(milliseconds(510));
  harness.result(result_of(harness.last_dispatch()));
  harness.hello(loads_in("d", milliseconds(500), 20, 2));
  harness.submit(submission("u").deadline(milliseconds(100)));
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 2U);
}

TEST(Loading, SameProcessSaysHelloAgain_HasItStill) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("d", milliseconds(500), 20)});
  harness.submit(submission("t").deadline(milliseconds(100)));
  harness.advance(milliseconds(510));
  harness.result(result_of(harness.last_dispatch()));
  harness.hello(loads_in("d", milliseconds(500), 20));
  harness.submit(submission("u").deadline(milliseconds(100)));
  EXPECT_EQ(harness.last_dispatch().attempt.task.id, "u");
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 1U);
}

TEST(Loading, DispatchThatWasToLoadIsRefused_TheNextLoadsIt) {
  for (const PublishEnd end : {PublishEnd::Refused, PublishEnd::Returned}) {
    ControllerHarness harness(without_hedges());
    harness.lead_with({loads_in("d", milliseconds(500), 20)});
    harness.submit(submission("t").deadline(milliseconds(100)));
    harness.settle(harness.all<SendDispatch>().back().id, end);
    harness.heartbeat("d");
    EXPECT_FALSE(loaded(harness));
  }
}

TEST(Loading, EngineFailsToLoad_TheNextLoadsIt) {
  ControllerHarness harness(without_hedges());
  harness.lead_with({loads_in("d", milliseconds(500), 20)});
  harness.submit(submission("t").deadline(milliseconds(100)));
  harness.result(result_of(harness.last_dispatch(), AttemptStatus::Error, "no memory"));
  EXPECT_FALSE(loaded(harness));
  harness.advance(milliseconds(200));
  harness.submit(submission("u").deadline(milliseconds(100)));
  EXPECT_EQ(harness.controller().stats().loaded_ahead, 2U);
}

TEST(Loading, PolicyThatDoesNotCountIt_PlacesAsIfAllWereLoaded) {
  ControllerHarness harness(without_hedges(), "least-energy");
  harness.lead_with({loads_in("frugal", seconds(1), 20), loads_in("hungry", Micros{0}, 50)});
  harness.submit(submission("t").deadline(milliseconds(200)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  EXPECT_EQ(harness.last_dispatch().device, "frugal");
}

// Runs up to four tasks together: 40 ms, and a millisecond more for each further one.
DeviceFacts batches_of_four() {
  return device("d")
      .window(2)
      .batch_max(4)
      .serves(variant("n-fp32"), milliseconds(40), energy_mj(100))
      .point(4, milliseconds(43));
}

TEST(LateDispatch, BatchThatCanGrow_WaitsUntilItsProcessorNeedsIt) {
  ControllerHarness harness(without_hedges(), "least-energy");
  harness.lead_with({batches_of_four()});
  harness.submit(submission("running").deadline(seconds(2)));
  ASSERT_EQ(harness.dispatches().size(), 1U);
  harness.submit(submission("a").deadline(seconds(2)));
  harness.advance(milliseconds(10));
  harness.submit(submission("b").deadline(seconds(2)));
  EXPECT_EQ(harness.dispatches().size(), 1U);
  harness.advance(milliseconds(30));  // the first ends after 41.5 ms: what comes next is on its way
  ASSERT_EQ(harness.dispatches().size(), 3U);
  EXPECT_EQ(harness.dispatches()[1].batch, harness.dispatches()[2].batch);
}

TEST(LateDispatch, FullBatch_GoesAtOnce) {
  ControllerHarness harness(without_hedges(), "least-energy");
  harness.lead_with({batches_of_four()});
  harness.submit(submission("running").deadline(seconds(2)));
  for (const char* id : {"a", "b", "c", "d"}) {
    harness.submit(submission(id).deadline(seconds(2)));
  }
  EXPECT_EQ(harness.dispatches().size(), 5U);
}

}  // namespace
}  // namespace juggler
