// Every policy: what it prefers, how it breaks ties, when it waits and when it gives up.

#include "core/planner.h"

#include <gtest/gtest.h>

#include <map>

#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::submission;
using test::variant;

constexpr Time kNow{1'000'000};

// A policy before a fleet; each decide() is for a new task.
class Scene {
 public:
  Scene(const std::string& policy, std::vector<DeviceFacts> devices)
      : fleet(fleet_of(std::move(devices))), planner_(std::move(*make_policy(policy))) {}

  Decision decide() {
    const TaskView view{.number = ++tasks_,
                        .requirements = &task.requirements,
                        .model = "imagenet",
                        .payload = task.payload.kind,
                        .priority = task.requirements.priority,
                        .deadline = kNow + remaining};
    return planner_.plan(fleet, view, kNow, rng_);
  }
  // "device/variant" of the placement, or how it was decided otherwise.
  std::string place() {
    const Decision decision = decide();
    if (const auto* placed = std::get_if<Place>(&decision)) {
      const bool busy = placed->candidate.verdict == Verdict::WindowFull;
      return (busy ? "wait for " : "") + name(placed->candidate);
    }
    return std::holds_alternative<Wait>(decision) ? "wait" : "infeasible";
  }
  std::string reason() {
    const Decision decision = decide();
    const auto* wait = std::get_if<Wait>(&decision);
    return wait != nullptr ? wait->reason : std::get<Infeasible>(decision).reason;
  }
  void fill(const std::string& id, std::size_t tasks, Micros expected = milliseconds(20)) {
    Lane& lane = fleet.find(id)->lanes[0];
    lane.head_since = kNow;
    for (std::size_t i = 0; i < tasks; ++i) {
      lane.in_flight.push_back(
          {.batch = static_cast<std::int64_t>(i) + 1, .open = 1, .mean = expected});
    }
  }

  Fleet fleet;
  Submission task = submission("t");
  Micros remaining = seconds(1);

 private:
  std::string name(const Candidate& candidate) const {
    return fleet.devices[candidate.device].facts->id + "/" + profile_of(fleet, candidate).variant;
  }

  Planner planner_;
  Rng rng_{1};
  std::uint64_t tasks_ = 0;
};

// Fast and hungry, slow and frugal, and one whose energy nobody knows.
std::vector<DeviceFacts> three() {
  return {device("fast").serves(variant("big-fp32", 80), milliseconds(20), energy_mj(300)),
          device("frugal").serves(variant("small-fp32", 70), milliseconds(100), energy_mj(50)),
          device("unknown").serves(variant("small-fp32", 70), milliseconds(10))};
}

TEST(Policies, EachIsMadeByItsName) {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : policies()) {
    names.push_back(entry.name);
    EXPECT_FALSE(entry.about.empty());
    ASSERT_TRUE(make_policy(entry.name).has_value());
    EXPECT_EQ((*make_policy(entry.name))->name(), entry.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"juggler", "fastest-finish", "least-loaded",
                                             "most-accurate", "random", "round-robin",
                                             "juggler-no-energy", "juggler-no-variants",
                                             "juggler-no-batching", "juggler-no-prices"}));
}

TEST(Policies, UnknownName_IsRefusedWithTheKnownOnes) {
  const auto made = make_policy("fifo");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::NotFound);
  EXPECT_NE(made.error().message.find("round-robin"), std::string::npos);
}

TEST(Policies, EveryPolicy_KeepsTheRequirements) {
  for (const PolicyEntry& entry : policies()) {
    Scene scene(std::string(entry.name), three());
    scene.task = submission("t").min_accuracy(75).max_energy_mj(400);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(scene.place(), "fast/big-fp32") << entry.name;
    }
  }
}

TEST(Policies, EveryPolicy_WaitsForTheWindowOfTheOnlyDeviceThatWillDo) {
  for (const PolicyEntry& entry : policies()) {
    Scene scene(std::string(entry.name), three());
    scene.task = submission("t").min_accuracy(75);
    scene.fill("fast", 2);
    EXPECT_EQ(scene.place(), "wait for fast/big-fp32") << entry.name;
  }
}

TEST(Policies, EveryPolicy_GivesUpWhereNothingCanEverDo) {
  for (const PolicyEntry& entry : policies()) {
    Scene scene(std::string(entry.name), three());
    scene.task = submission("t").min_accuracy(90);
    EXPECT_EQ(scene.place(), "infeasible") << entry.name;
    EXPECT_NE(scene.reason().find("accuracy is below"), std::string::npos) << entry.name;
  }
}

TEST(Policies, NoDeviceServesTheModel_SaysSo) {
  Scene scene("juggler", {});
  EXPECT_NE(scene.reason().find("no device serves model 'imagenet'"), std::string::npos);
}

TEST(Policies, OnlyALostDeviceWouldDo_Waits) {
  Scene scene("juggler", three());
  scene.task = submission("t").min_accuracy(75);
  scene.fleet.find("fast")->liveness = Liveness::Lost;
  EXPECT_EQ(scene.place(), "wait");
  EXPECT_EQ(scene.reason(), "the device is lost");
}

TEST(Policies, Infeasible_NamesTheMostFrequentReasonFirst) {
  Scene scene("juggler", three());
  scene.task = submission("t").min_accuracy(75).max_energy_mj(1);
  const std::string reason = scene.reason();
  EXPECT_LT(reason.find("2 of 3 candidates: accuracy"), reason.find("1 of 3 candidates: may take"));
}

TEST(JugglerPolicy, NoRequirement_TakesTheLeastEnergy) {
  EXPECT_EQ(Scene("juggler", three()).place(), "frugal/small-fp32");
}

TEST(JugglerPolicy, TightDeadline_PaysForSpeed) {
  Scene scene("juggler", three());
  scene.remaining = milliseconds(60);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(JugglerPolicy, UnknownEnergy_ComesAfterAllOthers) {
  Scene scene("juggler", three());
  scene.remaining = milliseconds(15);
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
}

TEST(JugglerPolicy, EnergiesAreComparedAtTheBoardsInput) {
  Scene scene("juggler",
              {device("rail").to_board_input(2000).serves(variant("n-fp32"), milliseconds(20),
                                                          energy_mj(100)),
               device("wall").serves(variant("n-fp32"), milliseconds(20), energy_mj(150))});
  EXPECT_EQ(scene.place(), "wall/n-fp32");
}

TEST(JugglerPolicy, EqualEnergy_TakesTheEarlierFinishThenTheHigherAccuracyThenTheLowerId) {
  const auto placed = [](Micros latency_b, double accuracy_b) {
    return Scene("juggler",
                 {device("a").serves(variant("n-fp32", 70), milliseconds(20), energy_mj(100)),
                  device("b").serves(variant("n-fp32", accuracy_b), latency_b, energy_mj(100))})
        .place();
  };
  EXPECT_EQ(placed(milliseconds(19), 70), "b/n-fp32");
  EXPECT_EQ(placed(milliseconds(20), 71), "b/n-fp32");
  EXPECT_EQ(placed(milliseconds(20), 70), "a/n-fp32");
}

TEST(JugglerPolicy, FrugalDeviceIsFull_WaitsForItWhileInTime) {
  Scene scene("juggler", three());
  scene.fill("frugal", 2, milliseconds(100));
  EXPECT_EQ(scene.place(), "wait for frugal/small-fp32");
  scene.remaining = milliseconds(250);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(FastestFinishPolicy, TakesTheEarliestFinishWhateverTheEnergy) {
  Scene scene("fastest-finish", three());
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
  scene.fill("unknown", 1, milliseconds(100));
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(MostAccuratePolicy, TakesTheHighestAccuracyThatIsInTime) {
  Scene scene("most-accurate", three());
  EXPECT_EQ(scene.place(), "fast/big-fp32");
  scene.remaining = milliseconds(15);
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
}

TEST(MostAccuratePolicy, EqualAccuracy_TakesTheEarlierFinish) {
  Scene scene("most-accurate", {device("a").serves(variant("n-fp32", 70), milliseconds(20)),
                                device("b").serves(variant("n-fp32", 70), milliseconds(10))});
  EXPECT_EQ(scene.place(), "b/n-fp32");
}

TEST(LeastLoadedPolicy, TakesTheShortestQueueNotTheFastest) {
  Scene scene("least-loaded", three());
  scene.fill("fast", 1);
  scene.fill("unknown", 1);
  EXPECT_EQ(scene.place(), "frugal/small-fp32");
}

TEST(RoundRobinPolicy, TakesProcessorsInTurn) {
  Scene scene("round-robin", three());
  std::vector<std::string> turn;
  for (int i = 0; i < 4; ++i) {
    turn.push_back(scene.place());
  }
  EXPECT_EQ(turn, (std::vector<std::string>{"fast/big-fp32", "frugal/small-fp32",
                                            "unknown/small-fp32", "fast/big-fp32"}));
}

TEST(RoundRobinPolicy, FullProcessor_LosesItsTurn) {
  Scene scene("round-robin", three());
  scene.fill("frugal", 2);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(RoundRobinPolicy, OnOneProcessor_TakesTheVariantThatFinishesFirst) {
  Scene scene("round-robin", {device("a")
                                  .serves(variant("a-fp32"), milliseconds(30))
                                  .serves(variant("b-fp32"), milliseconds(10))
                                  .serves(variant("c-fp32"), milliseconds(20))});
  EXPECT_EQ(scene.place(), "a/b-fp32");
}

TEST(RoundRobinPolicy, AllFull_WaitsForTheOneThatIsFreeFirst) {
  Scene scene("round-robin", three());
  scene.fill("fast", 2, milliseconds(100));
  scene.fill("frugal", 2, milliseconds(100));
  scene.fill("unknown", 2, milliseconds(100));
  EXPECT_EQ(scene.place(), "wait for unknown/small-fp32");
}

TEST(RandomPolicy, TakesEachCandidateAboutEquallyOften) {
  Scene scene("random", three());
  std::map<std::string, int> counts;
  for (int i = 0; i < 3000; ++i) {
    counts[scene.place()] += 1;
  }
  ASSERT_EQ(counts.size(), 3U);
  for (const auto& [place, count] : counts) {
    EXPECT_NEAR(count, 1000, 120) << place;
  }
}

TEST(RandomPolicy, RoomNow_GoesBeforeAFullWindow) {
  Scene scene("random", three());
  scene.fill("fast", 2);
  scene.fill("frugal", 2);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(scene.place(), "unknown/small-fp32");
  }
}

TEST(RandomPolicy, SameSeed_SameChoices) {
  Scene a("random", three());
  Scene b("random", three());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(a.place(), b.place());
  }
}

}  // namespace
}  // namespace juggler
