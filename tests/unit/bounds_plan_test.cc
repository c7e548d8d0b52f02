#include "bounds/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/rng.h"
#include "support/bounds_fleets.h"

namespace juggler {
namespace {

using bounds::BoardOffer;
using bounds::Demand;
using bounds::FleetPlan;
using bounds::plan_fleet;
using bounds::PlanTerms;
using test::affine_device;
using test::demand;

// 100 tasks/s at 10 mJ each, 2 W idle.
DeviceFacts small() {
  DeviceFacts facts = affine_device("small", 1, {{"net-fp16", 70.0, {0, 10'000}, {0, 10'000}}});
  facts.board = "small";
  facts.idle = Milliwatts{2'000};
  return facts;
}
// 500 tasks/s at 5 mJ each, 10 W idle.
DeviceFacts large() {
  DeviceFacts facts = affine_device("large", 1, {{"net-fp16", 70.0, {0, 2'000}, {0, 5'000}}});
  facts.board = "large";
  facts.idle = Milliwatts{10'000};
  return facts;
}

TEST(Plan, ByPrice_CheapestWholeFleetWithHeadroom) {
  const DeviceFacts a = small();
  const DeviceFacts b = large();
  const std::vector<BoardOffer> offers{{&a, {}, 100.0}, {&b, {}, 400.0}};

  // 550/s at 80 % need room for 687.5/s: one large and two small, not seven small (700) or two
  // large.
  const auto plan = plan_fleet(offers, std::vector<Demand>{demand(550.0)});

  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->counts, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(plan->cost_millionths, 600'000'000);
  EXPECT_EQ(plan->cost_min_millionths, 600'000'000);
  EXPECT_EQ(plan->scale_ppm, 1'018'182);  // 560 of 550
  // 400/s on the large one at 5 mJ, 150 on the small ones at 10 mJ.
  EXPECT_EQ(plan->power_marginal_uw, 3'500'000);
  EXPECT_EQ(plan->power_idle_uw, 14'000'000);
  ASSERT_EQ(plan->flows.size(), 2U);
  EXPECT_EQ(plan->flows[1].variant, "net-fp16");
  EXPECT_EQ(plan->flows[1].rate_uhz, 400'000'000);
}

TEST(Plan, ByEnergy_IdlePowerCounts) {
  const DeviceFacts a = small();
  const DeviceFacts b = large();
  const std::vector<BoardOffer> offers{{&a, {}, 0.0}, {&b, {}, 0.0}};
  const PlanTerms terms{.years = 1.0, .price_per_kwh = 0.3};

  // 80/s: one small board draws 2 + 0.8 W, a large one 10 + 0.4 W.
  const auto plan = plan_fleet(offers, std::vector<Demand>{demand(80.0)}, terms);

  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->counts, (std::vector<std::int64_t>{1, 0}));
  EXPECT_NEAR(static_cast<double>(plan->cost_millionths), 2.8e-3 * 8'766.0 * 0.3 * 1e6, 10.0);
}

TEST(Plan, CountsWithinTheirLimits) {
  const DeviceFacts a = small();
  const DeviceFacts b = large();
  std::vector<BoardOffer> offers{{&a, {}, 100.0}, {&b, {}, 400.0}};
  offers[1].count_max = 0;
  offers[0].count_min = 9;

  const auto plan = plan_fleet(offers, std::vector<Demand>{demand(550.0)});

  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->counts, (std::vector<std::int64_t>{9, 0}));
}

TEST(Plan, MoreThanAllBoards_SaysHowMuchTheyServe) {
  const DeviceFacts a = small();
  std::vector<BoardOffer> offers{{&a, {}, 100.0}};
  offers[0].count_max = 2;

  const auto plan = plan_fleet(offers, std::vector<Demand>{demand(320.0)});

  ASSERT_FALSE(plan.has_value());
  EXPECT_NE(plan.error().message.find("serve 0.500 of the rates"), std::string::npos)
      << plan.error().message;
}

TEST(Plan, NoBoardIsAccurateEnough_NamesTheDemand) {
  const DeviceFacts a = small();
  const std::vector<BoardOffer> offers{{&a, {}, 100.0}};

  const auto plan = plan_fleet(offers, std::vector<Demand>{demand(1.0, 90.0)});

  ASSERT_FALSE(plan.has_value());
  EXPECT_NE(plan.error().message.find("demand 1 can be served by no device"), std::string::npos);
}

TEST(Plan, IdlePowerUnknown_OnlyPlansByPrice) {
  DeviceFacts a = small();
  a.idle.reset();
  const std::vector<BoardOffer> offers{{&a, {}, 100.0}};
  const std::vector<Demand> demands{demand(10.0)};

  EXPECT_TRUE(plan_fleet(offers, demands).has_value());
  EXPECT_FALSE(plan_fleet(offers, demands, {.years = 1.0, .price_per_kwh = 0.3}).has_value());
}

// The least price over all counts, by trying them.
double cheapest_by_hand(const std::vector<BoardOffer>& offers, double wanted_hz,
                        const std::vector<double>& rates) {
  double least = 1e18;
  for (int a = 0; a <= 8; ++a) {
    for (int b = 0; b <= 8; ++b) {
      for (int c = 0; c <= 8; ++c) {
        if (0.8 * (a * rates[0] + b * rates[1] + c * rates[2]) >= wanted_hz * (1.0 - 1e-9)) {
          least = std::min(least, a * offers[0].price + b * offers[1].price + c * offers[2].price);
        }
      }
    }
  }
  return least;
}

TEST(Plan, RandomOffers_AsCheapAsTryingAllFleets) {
  Rng rng(3);
  for (int run = 0; run < 40; ++run) {
    std::vector<DeviceFacts> facts;
    std::vector<double> rates;
    std::vector<BoardOffer> offers;
    for (int k = 0; k < 3; ++k) {
      const auto latency = static_cast<std::int64_t>(2'000 + rng.below(20'000));
      facts.push_back(affine_device("d" + std::to_string(k), 1,
                                    {{"net-fp16", 70.0, {0, latency}, {0, 10'000}}}));
      rates.push_back(1e6 / static_cast<double>(latency));
    }
    for (int k = 0; k < 3; ++k) {
      offers.push_back({&facts[static_cast<std::size_t>(k)],
                        {},
                        static_cast<double>(50 + rng.below(400)),
                        0,
                        8});
    }
    const double wanted_hz = static_cast<double>(20 + rng.below(300));

    const auto plan = plan_fleet(offers, std::vector<Demand>{demand(wanted_hz)});

    ASSERT_TRUE(plan.has_value()) << plan.error().message;
    const double least = cheapest_by_hand(offers, wanted_hz, rates);
    EXPECT_NEAR(static_cast<double>(plan->cost_millionths) / 1e6, least, 1e-3) << "run " << run;
    EXPECT_LE(static_cast<double>(plan->cost_min_millionths) / 1e6, least + 1e-3);
  }
}

}  // namespace
}  // namespace juggler
