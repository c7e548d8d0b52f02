#include "bounds/fluid.h"

#include <gtest/gtest.h>

#include "support/bounds_fleets.h"

namespace juggler {
namespace {

using bounds::Demand;
using bounds::fluid_capacity;
using bounds::fluid_energy;
using bounds::FluidResult;
using bounds::FluidTerms;
using bounds::group_processors;
using bounds::ProcessorGroup;
using bounds::SupplyDevice;
using test::affine_device;
using test::demand;

// One batch takes 4 ms + 1 ms a task and 40 mJ + 10 mJ a task.
DeviceFacts fast() {
  return affine_device("fast", 8, {{"small-fp16", 70.0, {4'000, 1'000}, {40'000, 10'000}}});
}
// One task takes 20 ms and 5 mJ.
DeviceFacts frugal() {
  return affine_device("frugal", 1, {{"small-fp16", 70.0, {0, 20'000}, {0, 5'000}}});
}

TEST(Fluid_Capacity, OneProcessor_FullBatches) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const std::vector<Demand> demands{demand(100.0)};

  const auto result = fluid_capacity(group_processors(supply), demands);

  // Batches of 8 take 12 ms: 666.7 tasks/s.
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->scale_ppm, 6'666'667);
  EXPECT_EQ(result->busy_ppm.front(), 1'000'000);
}

TEST(Fluid_Capacity, DeadlineTooShortForLargeBatches_SmallerOnes) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, milliseconds(2), 1}};
  // 7.9 ms less 2 ms of network: batch 1 (5 ms) fits, batch 2 (6 ms) does not.
  const std::vector<Demand> demands{demand(100.0, 0.0, Micros{7'900})};

  const auto result = fluid_capacity(group_processors(supply), demands);

  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->scale_ppm, 2'000'000);
}

TEST(Fluid_Capacity, EqualDevices_AreOneGroupAndAddUp) {
  const DeviceFacts device = fast();
  DeviceFacts other = fast();
  other.id = "other";
  const std::vector<SupplyDevice> supply{{&device, {}, 499}, {&other, {}, 1}};
  const auto groups = group_processors(supply);

  const auto result = fluid_capacity(groups, std::vector<Demand>{demand(100.0)});

  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups.front().count, 500);
  EXPECT_EQ(groups.front().devices, (std::vector<std::uint32_t>{0, 1}));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->scale_ppm, 3'333'333'333);
}

// 666.7 tasks/s of processor each, but 1 Mbit/s carries 100 payloads of 1,250 bytes.
TEST(Fluid_Capacity, NarrowLinks_LimitTheirDevicesAlone) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 2, 1'000}, {&device, {}, 1, 0}};
  std::vector<Demand> demands{demand(100.0)};
  demands.front().payload = {1'250};

  const auto groups = group_processors(supply);
  const auto result = fluid_capacity(groups, demands);

  ASSERT_EQ(groups.size(), 2U);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_NEAR(static_cast<double>(result->scale_ppm), 8'666'667.0, 2.0);
}

// Both processors of a device are behind its one link.
TEST(Fluid_Capacity, ProcessorsOfOneDevice_ShareItsLink) {
  DeviceFacts device = fast();
  device.processors.push_back(device.processors.front());
  device.processors.back().id += "2";
  device.processors.back().batch_max = 4;  // another group
  const std::vector<SupplyDevice> supply{{&device, {}, 1, 1'000}};
  std::vector<Demand> demands{demand(100.0)};
  demands.front().payload = {1'250};

  const auto groups = group_processors(supply);
  const auto result = fluid_capacity(groups, demands);

  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].link, groups[1].link);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_NEAR(static_cast<double>(result->scale_ppm), 1'000'000.0, 2.0);
}

// 50 of 100 tasks/s fit on the frugal device by its processor (5 mJ), but only 25 through its link;
// the rest costs 15 mJ each in batches of 8: 25 x 5 + 75 x 15 = 1,250 mJ a second.
TEST(Fluid_Energy, NarrowLink_SendsTasksElsewhere) {
  const DeviceFacts a = frugal();
  const DeviceFacts b = fast();
  const std::vector<SupplyDevice> supply{{&a, {}, 1, 250}, {&b, {}, 1, 0}};
  std::vector<Demand> demands{demand(100.0)};
  demands.front().payload = {1'250};

  const auto result = fluid_energy(group_processors(supply), demands);

  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_NEAR(static_cast<double>(result->power_uw), 1'250'000.0, 2.0);
}

TEST(Fluid_Capacity, DropsAllowed_CapacityGrowsAccordingly) {
  const DeviceFacts device = frugal();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result = fluid_capacity(group_processors(supply), std::vector<Demand>{demand(50.0)},
                                     FluidTerms{.drop_share = 0.2});

  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->scale_ppm, 1'250'000);  // 62.5 tasks/s, of which 50 are served
}

TEST(Fluid_Energy, FrugalFirst_ThenFastWhereItIsFull) {
  const DeviceFacts a = fast();
  const DeviceFacts b = frugal();
  const std::vector<SupplyDevice> supply{{&a, {}, 1}, {&b, {}, 1}};

  const auto result = fluid_energy(group_processors(supply), std::vector<Demand>{demand(80.0)});

  // 50/s at 5 mJ on the frugal one, 30/s in batches of 8 at 15 mJ: 250 + 450 mW.
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->power_uw, 700'000);
  // A second more of the frugal processor: 50 tasks that cost 5 instead of 15 mJ.
  EXPECT_EQ(result->price_uw, (std::vector<std::int64_t>{0, 500'000}));
  EXPECT_EQ(result->flows,
            (std::vector<bounds::Flow>{{0, 0, 7, 30'000'000}, {0, 1, 0, 50'000'000}}));
}

TEST(Fluid_Energy, AccuracyFloor_KeepsCheapVariantsOut) {
  const DeviceFacts device = affine_device("pi", 1,
                                           {{"large-fp32", 80.0, {0, 10'000}, {0, 50'000}},
                                            {"small-fp32", 70.0, {0, 5'000}, {0, 10'000}}});
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result = fluid_energy(group_processors(supply),
                                   std::vector<Demand>{demand(10.0, 75.0), demand(20.0, 60.0)});

  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->power_uw, 10 * 50'000 + 20 * 10'000);
}

TEST(Fluid_Energy, DropsAllowed_TheDearestAreLeftOut) {
  const DeviceFacts device = affine_device("pi", 1,
                                           {{"large-fp32", 80.0, {0, 10'000}, {0, 50'000}},
                                            {"small-fp32", 70.0, {0, 5'000}, {0, 10'000}}});
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result = fluid_energy(group_processors(supply),
                                   std::vector<Demand>{demand(10.0, 75.0), demand(20.0, 60.0)},
                                   FluidTerms{.drop_share = 0.1});

  ASSERT_TRUE(result.has_value());
  EXPECT_NEAR(static_cast<double>(result->power_uw), 7 * 50'000 + 20 * 10'000, 1.0);
}

TEST(Fluid_Energy, ConvertsToTheBoardsInput) {
  DeviceFacts device = frugal();
  device.to_board_input.factor_permille = 1'200;
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result = fluid_energy(group_processors(supply), std::vector<Demand>{demand(10.0)});

  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->power_uw, 60'000);
}

TEST(Fluid_Energy, EnergyLimit_CountsTheShareOfABatch) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  Demand limited = demand(10.0);
  limited.requirements.max_energy = Microjoules{29'999};  // batch 2: 30 mJ each; batch 3: 23.3 mJ

  const auto groups = group_processors(supply);

  EXPECT_FALSE(bounds::may_serve(groups[0], groups[0].options[1], limited.requirements));
  EXPECT_TRUE(bounds::may_serve(groups[0], groups[0].options[2], limited.requirements));
}

TEST(Fluid_Energy, EnergyLimit_IsComparedAtTheBoardsInput) {
  DeviceFacts device = fast();
  device.to_board_input.factor_permille = 700;
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  Demand limited = demand(10.0);
  limited.requirements.max_energy = Microjoules{21'000};  // batch 2: 30 mJ each at its meter

  const auto groups = group_processors(supply);

  EXPECT_TRUE(bounds::may_serve(groups[0], groups[0].options[1], limited.requirements));
  limited.requirements.max_energy = Microjoules{20'999};
  EXPECT_FALSE(bounds::may_serve(groups[0], groups[0].options[1], limited.requirements));
}

TEST(Fluid_Energy, MoreThanTheCapacity_SaysSo) {
  const DeviceFacts device = frugal();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result = fluid_energy(group_processors(supply), std::vector<Demand>{demand(51.0)});

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::Unsupported);
  EXPECT_NE(result.error().message.find("more than the fleet's capacity"), std::string::npos);
}

TEST(Fluid_Capacity, NoDeviceFits_NamesTheDemand) {
  const DeviceFacts device = frugal();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};

  const auto result =
      fluid_capacity(group_processors(supply), std::vector<Demand>{demand(1.0), demand(1.0, 90.0)});

  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("demand 2 can be served by no device"), std::string::npos);
}

TEST(Fluid_Energy, EnergyOfAUsableOptionUnknown_IsAnError) {
  const DeviceFacts device = test::device("mute").serves(test::variant("small-fp32"), {10'000});
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto groups = group_processors(supply);
  const std::vector<Demand> demands{demand(1.0)};

  const auto energy = fluid_energy(groups, demands);

  ASSERT_FALSE(energy.has_value());
  EXPECT_NE(energy.error().message.find("small-fp32 on mute/cpu0"), std::string::npos);
  EXPECT_TRUE(fluid_capacity(groups, demands).has_value());
}

TEST(Fluid_Input, BadRates_AreRefused) {
  const DeviceFacts device = frugal();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto groups = group_processors(supply);

  EXPECT_FALSE(fluid_capacity(groups, std::vector<Demand>{demand(0.0)}).has_value());
  EXPECT_FALSE(fluid_capacity(groups, std::vector<Demand>{demand(-1.0)}).has_value());
  EXPECT_FALSE(fluid_energy(groups, std::vector<Demand>{demand(1.0)}, {.drop_share = 1.0}));
}

}  // namespace
}  // namespace juggler
