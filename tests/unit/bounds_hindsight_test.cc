#include "bounds/hindsight.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bounds/exact.h"
#include "bounds/pricing.h"
#include "bounds/timeline.h"
#include "core/rng.h"
#include "support/bounds_fleets.h"

namespace juggler {
namespace {

using bounds::Arrival;
using bounds::BoundKind;
using bounds::BoundStatus;
using bounds::Demand;
using bounds::exact_energy;
using bounds::group_processors;
using bounds::hindsight_energy;
using bounds::SupplyDevice;
using test::affine_device;
using test::demand;

// One batch takes 4 ms + 1 ms a task and 40 mJ + 10 mJ a task.
DeviceFacts fast() {
  return affine_device("fast", 8, {{"small-fp16", 70.0, {4'000, 1'000}, {40'000, 10'000}}});
}

Arrival arrival(std::int64_t at_ms, std::int64_t within_ms, std::uint32_t demand = 0) {
  const Time at{at_ms * 1'000};
  return {at, at + milliseconds(within_ms), demand};
}

// Of `arrivals`, all of one demand without requirements, on one fast device.
std::int64_t bound_of(const std::vector<Arrival>& arrivals, double drop_share = 0.0) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto bound = hindsight_energy(group_processors(supply), std::vector<Demand>{demand(1.0)},
                                      arrivals, {.drop_share = drop_share});
  EXPECT_TRUE(bound.has_value()) << bound.error().message;
  return bound.has_value() ? bound->energy_uj : -1;
}

TEST(Hindsight, OneTask_CostsABatchOfOne) {
  EXPECT_NEAR(static_cast<double>(bound_of({arrival(0, 30)})), 50'000, 60);
}

TEST(Hindsight, WindowsOverlap_TasksShareABatch) {
  EXPECT_NEAR(static_cast<double>(bound_of({arrival(0, 50), arrival(20, 50)})), 60'000, 70);
}

TEST(Hindsight, WindowsApart_EachItsOwnBatch) {
  EXPECT_NEAR(static_cast<double>(bound_of({arrival(0, 30), arrival(100, 30)})), 100'000, 110);
}

TEST(Hindsight, BatchTooLongForTheFirstDeadline_TwoBatches) {
  // Together they would start at 4 ms and end at 10 ms, past the first one's 7 ms; the slot's edge
  // gives the bound 0.7 ms at most.
  EXPECT_NEAR(static_cast<double>(bound_of({arrival(0, 7), arrival(4, 100)})), 100'000, 110);
}

TEST(Hindsight, MoreTasksThanABatchHolds_AnotherBatch) {
  std::vector<Arrival> nine(9, arrival(0, 100));
  // In fractions, 9/8 of a batch of 8; in whole batches 40 + 40 + 90 mJ.
  const std::int64_t bound = bound_of(nine);
  EXPECT_LE(bound, 170'000);
  EXPECT_GE(bound, 134'900);
}

TEST(Hindsight, DropsAllowed_TheDearestTasksAreLeftOut) {
  // A lonely task costs 50 mJ, those of the pair 30 mJ each.
  const std::vector<Arrival> tasks{arrival(0, 30), arrival(100, 30), arrival(101, 30)};
  EXPECT_NEAR(static_cast<double>(bound_of(tasks, 0.34)), 60'000, 100);
}

TEST(Hindsight, TaskThatFitsNoBatch_CountsAsDroppedOrIsAnError) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto groups = group_processors(supply);
  const std::vector<Demand> demands{demand(1.0)};
  const std::vector<Arrival> tasks{arrival(0, 4), arrival(100, 30)};

  const auto strict = hindsight_energy(groups, demands, tasks);
  const auto lenient = hindsight_energy(groups, demands, tasks, {.drop_share = 0.5});

  ASSERT_FALSE(strict.has_value());
  EXPECT_NE(strict.error().message.find("1 of 2 tasks fit no batch"), std::string::npos);
  ASSERT_TRUE(lenient.has_value()) << lenient.error().message;
  EXPECT_EQ(lenient->unservable, 1);
  EXPECT_NEAR(static_cast<double>(lenient->energy_uj), 50'000, 60);
}

TEST(Hindsight, FrugalDeviceBusy_TheOtherHelps) {
  const DeviceFacts a = fast();
  const DeviceFacts b = affine_device("frugal", 1, {{"small-fp16", 70.0, {0, 20'000}, {0, 5'000}}});
  const std::vector<SupplyDevice> supply{{&a, {}, 1}, {&b, {}, 1}};
  const auto groups = group_processors(supply);
  const std::vector<Demand> demands{demand(1.0)};
  // The frugal one can serve one of the two within 25 ms: 5 + 50 mJ. In fractions the other may be
  // in part of a batch with it.
  const std::vector<Arrival> tasks{arrival(0, 25), arrival(0, 25)};

  const auto bound = hindsight_energy(groups, demands, tasks);
  const auto exact = exact_energy(groups, demands, tasks);

  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(exact.value(), 55'000);
  EXPECT_LE(bound->energy_uj, 55'000);
  EXPECT_GE(bound->energy_uj, 28'000);
  EXPECT_EQ(bound->kind, BoundKind::Hindsight);
}

TEST(Hindsight, RegularLonelyTasks_BoundIsWhatTheyCost) {
  std::vector<Arrival> tasks;
  for (int t = 0; t < 500; ++t) {
    tasks.push_back(arrival(t * 100, 30));
  }
  // The fluid bound would fill batches of 8: 500 x 15 mJ.
  EXPECT_NEAR(static_cast<double>(bound_of(tasks)), 500 * 50'000.0, 500 * 51.0);
}

TEST(Hindsight, NoTime_FallsBackToTheFluidPrices) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  std::vector<Arrival> tasks;
  for (int t = 0; t < 300; ++t) {
    tasks.push_back(arrival(t * 100, 30));
  }

  const auto bound = hindsight_energy(group_processors(supply), std::vector<Demand>{demand(1.0)},
                                      tasks, {.seconds_max = 0.0});

  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(bound->status, BoundStatus::TimeLimit);
  EXPECT_GE(bound->energy_uj, bound->fluid_uj);
  EXPECT_GE(bound->fluid_uj, 300 * 14'990);
}

TEST(Hindsight, BadInput_IsRefused) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto groups = group_processors(supply);
  const std::vector<Demand> demands{demand(1.0)};
  const auto refused = [&](const std::vector<Arrival>& tasks) {
    return !hindsight_energy(groups, demands, tasks).has_value();
  };

  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({arrival(0, 30, 1)}));
  EXPECT_TRUE(refused({arrival(1, 30), arrival(0, 30)}));
  EXPECT_TRUE(refused({arrival(0, 0)}));
}

TEST(Pricing_MakeFeasible, PricesTooHigh_AreLoweredUntilNoBatchIsWorthMore) {
  const DeviceFacts device = fast();
  const std::vector<SupplyDevice> supply{{&device, {}, 1}};
  const auto groups = group_processors(supply);
  const std::vector<Demand> demands{demand(1.0)};
  std::vector<Arrival> tasks;
  Rng rng(5);
  for (int t = 0; t < 60; ++t) {
    tasks.push_back(arrival(static_cast<std::int64_t>(rng.below(600)), 40));
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
  const bounds::Timeline timeline = bounds::make_timeline(groups, demands, tasks, {});
  bounds::Prices prices = bounds::no_prices(timeline);
  for (double& price : prices.task) {
    price = static_cast<double>(rng.below(100'000));
  }

  bounds::make_feasible(timeline, prices);

  int checked = 0;
  bounds::price_batches(timeline, prices, {0, timeline.slots, 0, timeline.sets.size()},
                        [&](const bounds::PricedBatch& batch, const bounds::Waiting&) {
                          EXPECT_LE(batch.value, batch.cost * (1.0 + 1e-9));
                          ++checked;
                        });
  EXPECT_GT(checked, 100);
}

}  // namespace
}  // namespace juggler
