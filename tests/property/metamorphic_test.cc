// How a changed world changes what comes out.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/planner.h"
#include "sim/world.h"
#include "support/builders.h"

namespace juggler {
namespace {

// When each task was completed, by its number, on so many equal devices with equal tasks and no
// faults. The network takes no time, so that nothing but the plan differs.
std::map<std::uint64_t, Time> finished(std::uint64_t seed, int devices) {
  Scenario scenario;
  for (int d = 0; d < devices; ++d) {
    ScenarioDevice device;
    device.announced = test::device("d" + std::to_string(d))
                           .window(1)
                           .serves(test::variant("n-fp32"), milliseconds(40), test::energy_mj(100));
    device.truth = device.announced;
    device.noise = 0;
    scenario.devices.push_back(device);
  }
  DemandClass demand;
  demand.name = "all";
  demand.requirements.deadline = seconds(60);
  demand.payload = {10};
  scenario.classes.push_back(demand);
  scenario.duration = seconds(3);

  sim::WorldOptions options;
  options.policy = "fastest-finish";
  options.seed = seed;
  options.controller_link = {};
  options.client_link = {};
  std::vector<Time> times;
  Rng rng(seed);
  for (int i = 0; i < 60; ++i) {
    times.push_back({static_cast<std::int64_t>(rng.below(3'000'000))});
  }
  std::sort(times.begin(), times.end());
  options.arrivals = [times, next = std::size_t{0}]() mutable {
    using Next = std::optional<std::pair<Time, std::size_t>>;
    return next < times.size() ? Next(std::pair(times[next++], std::size_t{0})) : Next();
  };
  sim::World world(scenario, options);
  std::map<std::uint64_t, Time> times_of;
  world.on_outcome([&](std::uint64_t task, const Outcome& outcome) {
    if (outcome.kind == OutcomeKind::Completed) {
      times_of.emplace(task, world.agenda().now());
    }
  });
  EXPECT_EQ(world.run().complaints, std::vector<std::string>());
  return times_of;
}

TEST(Metamorphic, OneMoreEqualIdleDevice_MakesNoTaskFinishMuchLater) {
  // The broker confirms at drawn times, and a task may come later by a few of them.
  constexpr Micros kBrokerSlack = milliseconds(10);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::map<std::uint64_t, Time> before = finished(seed, 2);
    const std::map<std::uint64_t, Time> after = finished(seed, 3);
    ASSERT_EQ(before.size(), 60U);
    ASSERT_EQ(after.size(), 60U);
    for (const auto& [task, time] : after) {
      EXPECT_LE(time, before.at(task) + kBrokerSlack) << task << ", seed " << seed;
    }
  }
}

// A fleet of idle devices with unlike costs, and one task.
struct Fleetful {
  std::vector<DeviceFacts> devices;
  Submission task = test::submission("t");
};

std::string plan_for(const std::string& policy, const Fleetful& scene) {
  const Fleet fleet = test::fleet_of(scene.devices);
  Planner made(std::move(*make_policy(policy)));
  Rng rng(1);
  const TaskView view{.number = 1,
                      .requirements = &scene.task.requirements,
                      .model = "imagenet",
                      .payload = PayloadKind::Jpeg,
                      .deadline = Time{seconds(1).count}};
  const Decision decision = made.plan(fleet, view, Time{0}, rng);
  const auto* place = std::get_if<Place>(&decision);
  if (place == nullptr) {
    return std::holds_alternative<Wait>(decision) ? "wait" : "infeasible";
  }
  // By the board, which is the device's own mark and not its id.
  return fleet.devices()[place->candidate.device].facts->board;
}

RC_GTEST_PROP(Metamorphic, OtherIdsForTheSameDevices_GiveTheSamePlan, ()) {
  const int count = *rc::gen::inRange(1, 7);
  std::vector<int> order;
  Fleetful scene;
  for (int i = 0; i < count; ++i) {
    order.push_back(i);
    // Costs that cannot tie: each has its own remainder.
    const Micros latency{*rc::gen::inRange<std::int64_t>(1, 900) * 1000 + i};
    const double energy = *rc::gen::inRange(1, 900) + i / 16.0;
    const double accuracy = *rc::gen::inRange(50, 90) + i / 16.0;
    DeviceFacts facts =
        test::device("d" + std::to_string(i))
            .serves(test::variant("n-fp32", accuracy), latency, test::energy_mj(energy));
    facts.board = "board-" + std::to_string(i);
    scene.devices.push_back(std::move(facts));
  }
  const std::string policy =
      *rc::gen::element<std::string>("juggler", "fastest-finish", "most-accurate");
  const std::string before = plan_for(policy, scene);
  const std::uint64_t shuffle = *rc::gen::inRange<std::uint64_t>(0, 1000);
  Rng rng(shuffle);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[rng.below(i)]);
  }
  for (std::size_t i = 0; i < scene.devices.size(); ++i) {
    scene.devices[i].id = "x" + std::to_string(order[i]);
  }
  RC_ASSERT(plan_for(policy, scene) == before);
}

}  // namespace
}  // namespace juggler
