// What a device loads before it joins.

#include "core/preload.h"

#include <gtest/gtest.h>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::device;
using test::DeviceBuilder;
using test::energy_mj;
using test::submission;
using test::variant;

using Chosen = std::vector<std::string>;

DeviceFacts with_memory(const DeviceBuilder& builder, Bytes memory, Micros load = {}) {
  DeviceFacts facts = builder.build();
  facts.memory = memory;
  for (Processor& processor : facts.processors) {
    for (Profile& profile : processor.profiles) {
      profile.load = load;
    }
  }
  return facts;
}

TEST(Preload, VariantThatAnotherBeatsInEverything_IsLeftOut) {
  const DeviceFacts facts = with_memory(device("d")
                                            .serves(variant("fast", 70), milliseconds(5))
                                            .serves(variant("fine", 80), milliseconds(20))
                                            .serves(variant("poor", 69), milliseconds(6)),
                                        mebibytes(1024));
  EXPECT_EQ(preload_set(facts)[0], (Chosen{"fast", "fine"}));
}

TEST(Preload, VariantThatIsCheaperInItsLargestBatch_IsNotBeaten) {
  const DeviceFacts facts = with_memory(device("d")
                                            .batch_max(4)
                                            .serves(variant("alone", 75), milliseconds(5))
                                            .point(4, milliseconds(20))
                                            .serves(variant("many", 75), milliseconds(6))
                                            .point(4, milliseconds(8)),
                                        mebibytes(1024));
  EXPECT_EQ(preload_set(facts)[0], (Chosen{"alone", "many"}));
}

TEST(Preload, VariantThatTakesLessEnergy_IsNotBeaten) {
  const DeviceFacts facts =
      with_memory(device("d")
                      .serves(variant("fast", 75), milliseconds(5), energy_mj(90))
                      .serves(variant("frugal", 75), milliseconds(9), energy_mj(30))
                      .serves(variant("poor", 74), milliseconds(9), energy_mj(40)),
                  mebibytes(1024));
  EXPECT_EQ(preload_set(facts)[0], (Chosen{"fast", "frugal"}));
}

TEST(Preload, VariantWithSyntheticWeights_BeatsNoneThatIsTrained) {
  const DeviceFacts facts = with_memory(device("d")
                                            .serves(variant("trained", 70), milliseconds(9))
                                            .serves(test::synthetic("better", 80), milliseconds(5))
                                            .serves(test::synthetic("worse", 60), milliseconds(9)),
                                        mebibytes(1024));
  EXPECT_EQ(preload_set(facts)[0], (Chosen{"better", "trained"}));
}

TEST(Preload, TwoThatAreEqual_LeaveOne) {
  const DeviceFacts facts = with_memory(device("d")
                                            .serves(variant("a", 75), milliseconds(5))
                                            .serves(variant("b", 75), milliseconds(5)),
                                        mebibytes(1024));
  EXPECT_EQ(preload_set(facts)[0], (Chosen{"a"}));
}

TEST(Preload, MemoryThatHoldsHalf_IsSharedByTheProcessorsFastestFirst) {
  const auto builder = device("d")
                           .processor("cpu0")
                           .serves(variant("fast", 70), milliseconds(5), {}, mebibytes(100))
                           .serves(variant("fine", 80), milliseconds(20), {}, mebibytes(100))
                           .processor("gpu0", ProcessorKind::Gpu)
                           .serves(variant("fast", 70), milliseconds(2), {}, mebibytes(100))
                           .serves(variant("fine", 80), milliseconds(6), {}, mebibytes(100));
  EXPECT_EQ(preload_set(with_memory(builder, mebibytes(640))),
            (std::vector<Chosen>{{"fast", "fine"}, {"fast"}}));
  EXPECT_EQ(preload_set(with_memory(builder, mebibytes(190))), (std::vector<Chosen>{{}, {}}));
}

TEST(Preload, LoadsThatTakeLong_EndAfterTenSeconds) {
  const DeviceFacts facts = with_memory(device("d")
                                            .serves(variant("fast", 70), milliseconds(5))
                                            .serves(variant("fine", 80), milliseconds(20))
                                            .serves(variant("finest", 85), milliseconds(40)),
                                        mebibytes(1024), seconds(4));
  const std::vector<Chosen> chosen = preload_set(facts);
  EXPECT_EQ(chosen[0], (Chosen{"fast", "fine"}));
  EXPECT_EQ(load_time(facts.processors[0], chosen[0]), seconds(8));
}

TEST(Preload, WhatIsLoadedAsItJoins_IsServedInTimeAtOnce) {
  DeviceFacts facts = with_memory(device("d").serves(variant("fast", 70), milliseconds(5)),
                                  mebibytes(1024), milliseconds(500));
  for (const bool loaded : {false, true}) {
    if (loaded) {
      state_preloads(facts);
    }
    test::ControllerHarness harness;
    harness.lead_with({facts});
    harness.submit(submission("t").deadline(milliseconds(100)));
    EXPECT_EQ(harness.controller().explain("t")->candidates[0].verdict == Verdict::Meets, loaded);
  }
}

}  // namespace
}  // namespace juggler
