// What a hello may claim.

#include <gtest/gtest.h>

#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::variant;

DeviceFacts good() {
  return device("pi-1").serves(variant("resnet50-fp32"), milliseconds(50), energy_mj(100, 0.1));
}

void expect_refused(const DeviceFacts& facts, const std::string& part) {
  const Result<void> checked = validate(facts);
  ASSERT_FALSE(checked.has_value());
  EXPECT_NE(checked.error().message.find(part), std::string::npos) << checked.error().message;
}

TEST(DeviceFacts, Complete_IsAccepted) { EXPECT_TRUE(validate(good()).has_value()); }

TEST(DeviceFacts, NoVariants_IsAccepted) {
  EXPECT_TRUE(validate(device("idle").processor("cpu0")).has_value());
}

TEST(DeviceFacts, IdThatIsNoRoutingKey_IsRefused) {
  for (const char* id : {"", "Pi", "a.b", "a b", "a*", "\xc3\xa9"}) {
    DeviceFacts facts = good();
    facts.id = id;
    expect_refused(facts, "device id");
  }
}

TEST(DeviceFacts, IdOf63_IsAccepted_Of64_Refused) {
  DeviceFacts facts = good();
  facts.id = std::string(63, 'a');
  EXPECT_TRUE(validate(facts).has_value());
  facts.id += "a";
  EXPECT_FALSE(validate(facts).has_value());
}

TEST(DeviceFacts, ProcessorIdThatIsNoName_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].id = "CPU 0";
  expect_refused(facts, "processor id");
}

TEST(DeviceFacts, VariantsUnsortedOrTwice_AreRefused) {
  DeviceFacts facts = good();
  facts.variants.push_back(facts.variants.front());
  expect_refused(facts, "sorted by id");
}

TEST(DeviceFacts, LoadedVariantThatIsNotThere_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].loaded = {"resnet50-fp32"};
  EXPECT_TRUE(validate(facts).has_value());
  facts.processors[0].loaded = {"resnet18-fp32"};
  expect_refused(facts, "what is loaded");
  facts.processors[0].loaded = {"resnet50-fp32", "resnet50-fp32"};
  expect_refused(facts, "what is loaded");
}

TEST(DeviceFacts, ProcessorsTwice_AreRefused) {
  DeviceFacts facts = good();
  facts.processors.push_back(facts.processors.front());
  expect_refused(facts, "sorted by id");
}

TEST(DeviceFacts, ProfilesUnsorted_AreRefused) {
  DeviceFacts facts = device("pi-1")
                          .serves(variant("a-fp32"), milliseconds(5))
                          .serves(variant("b-fp32"), milliseconds(5));
  std::swap(facts.processors[0].profiles[0], facts.processors[0].profiles[1]);
  expect_refused(facts, "sorted by variant");
}

TEST(DeviceFacts, ProfileOfUnannouncedVariant_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].variant = "resnet51-fp32";
  expect_refused(facts, "not announced");
}

TEST(DeviceFacts, AccuracyOver100_IsRefused) {
  DeviceFacts facts = good();
  facts.variants[0].accuracy = {100'001};
  expect_refused(facts, "accuracy");
}

TEST(DeviceFacts, VariantWithoutId_IsRefused) {
  DeviceFacts facts = good();
  facts.variants[0].id.clear();
  facts.processors.clear();
  expect_refused(facts, "id of 1 to 128");
}

TEST(DeviceFacts, LatencyZero_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].latency_mean = {0};
  expect_refused(facts, "latency");
}

TEST(DeviceFacts, TailBelowMean_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].latency_p95 = {1};
  expect_refused(facts, "latency");
}

TEST(DeviceFacts, LatencyOver10Minutes_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].latency_p95 = seconds(601);
  expect_refused(facts, "latency");
}

TEST(DeviceFacts, EnergyIntervalUpsideDown_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].energy->high = {1};
  expect_refused(facts, "energy");
}

TEST(DeviceFacts, EnergyNegative_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].energy->low = {-1};
  expect_refused(facts, "energy");
}

TEST(DeviceFacts, EnergyOver10KiloJoule_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].energy->high = {10'000'000'001};
  expect_refused(facts, "energy");
}

TEST(DeviceFacts, ProfileWithoutBatch1_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points[0].batch = 2;
  expect_refused(facts, "batch sizes");
}

TEST(DeviceFacts, ProfileWithoutPoints_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].points.clear();
  expect_refused(facts, "batch sizes");
}

TEST(DeviceFacts, BatchSizesOutOfOrder_AreRefused) {
  DeviceFacts facts = device("pi-1")
                          .serves(variant("a-fp32"), milliseconds(5))
                          .point(4, milliseconds(10))
                          .point(2, milliseconds(8));
  expect_refused(facts, "batch sizes");
}

TEST(DeviceFacts, SeventeenBatchSizes_AreRefused) {
  test::DeviceBuilder builder("pi-1");
  builder.serves(variant("a-fp32"), milliseconds(5));
  for (int batch = 2; batch <= 17; ++batch) {
    builder.point(batch, milliseconds(5));
  }
  expect_refused(builder, "batch sizes");
}

TEST(DeviceFacts, NegativeMemory_IsRefused) {
  DeviceFacts facts = good();
  facts.processors[0].profiles[0].memory = {-1};
  expect_refused(facts, "memory");
}

TEST(DeviceFacts, WindowOrBatchOutOfBounds_IsRefused) {
  for (const int window : {0, 65}) {
    DeviceFacts facts = good();
    facts.processors[0].window_batches = window;
    expect_refused(facts, "window");
  }
  for (const int batch : {0, 1025}) {
    DeviceFacts facts = good();
    facts.processors[0].batch_max = batch;
    expect_refused(facts, "batch_max");
  }
}

TEST(DeviceFacts, ConversionOutOfBounds_IsRefused) {
  for (const int permille : {99, 10'001}) {
    DeviceFacts facts = good();
    facts.to_board_input.factor_permille = permille;
    expect_refused(facts, "factor");
  }
}

TEST(DeviceFacts, TooManyVariantsOrProcessors_AreRefused) {
  DeviceFacts facts = good();
  facts.variants.resize(kVariantsMax + 1);
  expect_refused(facts, "more than");
  facts = good();
  facts.processors.resize(kProcessorsMax + 1);
  expect_refused(facts, "more than");
}

TEST(DeviceFacts, FindVariant_FindsByIdOnly) {
  const DeviceFacts facts = good();
  EXPECT_NE(facts.find_variant("resnet50-fp32"), nullptr);
  EXPECT_EQ(facts.find_variant("resnet50"), nullptr);
  EXPECT_EQ(facts.find_variant("zzz"), nullptr);
}

TEST(DeviceId, IsSafeInRoutingKeysAndQueueNames) {
  EXPECT_TRUE(valid_device_id("edge-01"));
  for (const char* id : {"", "Edge", "a.b", "a b", "a*", "a/b", "ä"}) {
    EXPECT_FALSE(valid_device_id(id)) << id;
  }
  EXPECT_TRUE(valid_device_id(std::string(63, 'a')));
  EXPECT_FALSE(valid_device_id(std::string(64, 'a')));
}

}  // namespace
}  // namespace juggler
