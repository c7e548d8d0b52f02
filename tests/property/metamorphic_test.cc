// How a changed world changes what comes out.

#include <gtest/gtest.h>
// RapidCheck after GoogleTest, or it does not compile.
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "core/planner.h"
#include "support/builders.h"
#include "support/world.h"

namespace juggler {
namespace {

using test::World;
using test::WorldPlan;

// Equal devices, equal tasks, no faults, no refusals.
WorldPlan equal_devices(std::uint64_t seed, int devices) {
  WorldPlan plan;
  plan.seed = seed;
  plan.policy = "fastest-finish";
  plan.devices = devices;
  plan.tasks = 60;
  plan.load = seconds(3);
  plan.faults = 0;
  plan.same_devices = true;
  plan.config.deadline = seconds(60);
  plan.deadline_max = seconds(60);
  return plan;
}

TEST(Metamorphic, OneMoreEqualIdleDevice_MakesNoTaskFinishMuchLater) {
  // The network's delays are drawn anew, so a task may come later by the sum of a few of them.
  constexpr Micros kNetworkSlack = milliseconds(250);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World few(equal_devices(seed, 2));
    World more(equal_devices(seed, 3));
    few.run();
    more.run();
    ASSERT_EQ(few.complaints() + more.complaints(), "");
    const std::map<std::string, Time> before = few.finished();
    const std::map<std::string, Time> after = more.finished();
    ASSERT_EQ(before.size(), 60U);
    ASSERT_EQ(after.size(), 60U);
    for (const auto& [id, time] : after) {
      EXPECT_LE(time, before.at(id) + kNetworkSlack) << id << ", seed " << seed;
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
  return fleet.devices[place->candidate.device].facts->board;
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
