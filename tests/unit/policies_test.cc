// Every policy: what it prefers, how it breaks ties, when it waits and when it gives up.

#include "core/planner.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support/builders.h"

namespace juggler {
namespace {

using test::device;
using test::energy_mj;
using test::fleet_of;
using test::submission;
using test::synthetic;
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
    Lane& lane = fleet.find_to_change(id)->lanes[0];
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
  std::string name(const Candidate& candidate) const { return test::name_of(fleet, candidate); }

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

// Every policy by a name that makes it; those that take a variant get the one of "fast".
std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : policies()) {
    names.push_back(entry.name);
  }
  for (const PolicyEntry& entry : policies_with_parameter()) {
    names.push_back(entry.name.substr(0, entry.name.find(':')) + ":big-fp32");
  }
  return names;
}

TEST(Policies, EachIsMadeByItsName) {
  const std::vector<std::string> names = all_names();
  for (const std::string& name : names) {
    ASSERT_TRUE(make_policy(name).has_value()) << name;
    EXPECT_EQ((*make_policy(name))->name(), name);
    EXPECT_FALSE((*make_policy(name))->about().empty());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "juggler", "ecore", "fastest-finish", "infaas", "least-energy", "least-loaded",
                "loudva", "most-accurate", "power-of-two", "random", "round-robin",
                "speed-weighted-round-robin", "juggler-no-energy", "juggler-no-variants",
                "juggler-no-batching", "juggler-no-prices", "single-variant:big-fp32"}));
}

TEST(Policies, Ablations_SayWhatTheyLeaveOut) {
  std::set<std::string> abouts;
  for (const PolicyEntry& entry : policies()) {
    EXPECT_TRUE(abouts.insert(entry.about).second) << entry.name;
  }
}

TEST(Policies, UnknownName_IsRefusedWithTheKnownOnes) {
  const auto made = make_policy("fifo");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::NotFound);
  EXPECT_NE(made.error().message.find("round-robin"), std::string::npos);
  EXPECT_NE(made.error().message.find("single-variant:VARIANT"), std::string::npos);
}

TEST(Policies, ParameterMissing_IsRefused) {
  EXPECT_FALSE(make_policy("single-variant").has_value());
  EXPECT_FALSE(make_policy("single-variant:").has_value());
  EXPECT_FALSE(make_policy("random:3").has_value());
}

TEST(Policies, EveryPolicy_KeepsTheRequirements) {
  for (const std::string& name : all_names()) {
    Scene scene(name, three());
    scene.task = submission("t").min_accuracy(75).max_energy_mj(400);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(scene.place(), "fast/big-fp32") << name;
    }
  }
}

TEST(Policies, EveryPolicy_WaitsForTheWindowOfTheOnlyDeviceThatWillDo) {
  for (const std::string& name : all_names()) {
    Scene scene(name, three());
    scene.task = submission("t").min_accuracy(75);
    scene.fill("fast", 2);
    EXPECT_EQ(scene.place(), "wait for fast/big-fp32") << name;
  }
}

TEST(Policies, EveryPolicy_GivesUpWhereNothingCanEverDo) {
  for (const std::string& name : all_names()) {
    Scene scene(name, three());
    scene.task = submission("t").min_accuracy(90);
    EXPECT_EQ(scene.place(), "infeasible") << name;
    EXPECT_NE(scene.reason().find("accuracy is below"), std::string::npos) << name;
  }
}

TEST(Policies, NoDeviceServesTheModel_SaysSo) {
  Scene scene("juggler", {});
  EXPECT_NE(scene.reason().find("no device serves model 'imagenet'"), std::string::npos);
}

TEST(Policies, OnlyALostDeviceWouldDo_Waits) {
  Scene scene("juggler", three());
  scene.task = submission("t").min_accuracy(75);
  scene.fleet.find_to_change("fast")->liveness = Liveness::Lost;
  EXPECT_EQ(scene.place(), "wait");
  EXPECT_EQ(scene.reason(), "the device is lost");
}

TEST(Policies, Infeasible_NamesWhatWasNotAskedForLast) {
  Scene scene("juggler", {device("a")
                              .serves(synthetic("s1-fp32"), milliseconds(50))
                              .serves(synthetic("s2-fp32"), milliseconds(50))
                              .serves(variant("v-fp32", 70), milliseconds(50))});
  scene.task = submission("t").min_accuracy(90);
  const std::string reason = scene.reason();
  EXPECT_LT(reason.find("1 of 3 candidates: accuracy is below"), reason.find("2 of 3"));
  EXPECT_NE(reason.find("2 of 3 candidates: synthetic"), std::string::npos) << reason;
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

TEST(LeastEnergyPolicy, TakesTheLeastEnergyWhateverElse_UnknownLast) {
  Scene scene("least-energy", three());
  EXPECT_EQ(scene.place(), "frugal/small-fp32");
  scene.remaining = milliseconds(60);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
  scene.remaining = milliseconds(15);
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
}

TEST(EcorePolicy, TakesTheLeastEnergyAmongTheNearlyMostAccurate) {
  const auto placed = [](double second_accuracy) {
    return Scene("ecore",
                 {device("a").serves(variant("best-fp32", 80), milliseconds(20), energy_mj(300)),
                  device("b").serves(variant("near-fp32", second_accuracy), milliseconds(20),
                                     energy_mj(100)),
                  device("c").serves(variant("far-fp32", 60), milliseconds(20), energy_mj(10))})
        .place();
  };
  EXPECT_EQ(placed(78), "b/near-fp32");
  EXPECT_EQ(placed(77.9), "a/best-fp32");
}

TEST(LoudvaPolicy, TakesTheLeastEnergyThatKeepsTheDeadlineWithItsMargin) {
  // The frugal device finishes after 103 ms: in time by 129 ms less a fifth, not by 128 ms.
  Scene scene("loudva", three());
  scene.remaining = milliseconds(129);
  EXPECT_EQ(scene.place(), "frugal/small-fp32");
  scene.remaining = milliseconds(128);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(LoudvaPolicy, NothingKeepsTheMargin_TakesTheEarliest) {
  Scene scene("loudva",
              {device("frugal").serves(variant("n-fp32"), milliseconds(100), energy_mj(1)),
               device("quick").serves(variant("n-fp32"), milliseconds(95), energy_mj(9))});
  scene.remaining = milliseconds(110);
  EXPECT_EQ(scene.place(), "quick/n-fp32");
}

TEST(InfaasPolicy, TakesTheCheapestVariantOnItsLeastLoadedProcessor) {
  Scene scene("infaas", {device("a").serves(variant("n-fp32"), milliseconds(20), energy_mj(50)),
                         device("b").serves(variant("n-fp32"), milliseconds(20), energy_mj(50)),
                         device("c").serves(variant("n-fp32"), milliseconds(10), energy_mj(60))});
  EXPECT_EQ(scene.place(), "a/n-fp32");
  scene.fill("a", 1);
  EXPECT_EQ(scene.place(), "b/n-fp32");
}

TEST(InfaasPolicy, CheapestIsOverloaded_TakesTheNextCheapest) {
  Scene scene("infaas", three());
  scene.fill("frugal", 2);
  EXPECT_EQ(scene.place(), "fast/big-fp32");
}

TEST(SingleVariantPolicy, TakesOnlyItsVariantWhereverItFinishesFirst) {
  Scene scene("single-variant:small-fp32", three());
  EXPECT_EQ(scene.place(), "unknown/small-fp32");
  scene.fill("unknown", 2, milliseconds(200));
  EXPECT_EQ(scene.place(), "frugal/small-fp32");
}

TEST(SingleVariantPolicy, FloorAboveItsVariant_IsInfeasible) {
  Scene scene("single-variant:small-fp32", three());
  scene.task = submission("t").min_accuracy(75);
  EXPECT_EQ(scene.place(), "infeasible");
  EXPECT_NE(scene.reason().find("2 of 2 candidates: accuracy"), std::string::npos);
}

TEST(SingleVariantPolicy, NobodyHoldsIt_SaysSo) {
  Scene scene("single-variant:other-fp32", three());
  EXPECT_EQ(scene.reason(), "no device serves variant 'other-fp32'");
}

TEST(PowerOfTwoPolicy, TakesTheLessLoadedOfTwoByLot) {
  Scene scene("power-of-two", three());
  scene.fill("fast", 1);
  std::map<std::string, int> counts;
  for (int i = 0; i < 3000; ++i) {
    counts[scene.place()] += 1;
  }
  // Two of three: the loaded one never wins, the other two share evenly.
  EXPECT_EQ(counts.count("fast/big-fp32"), 0U);
  EXPECT_NEAR(counts["frugal/small-fp32"], 1500, 150);
  EXPECT_NEAR(counts["unknown/small-fp32"], 1500, 150);
}

TEST(PowerOfTwoPolicy, RoomNow_GoesBeforeAFullWindow) {
  Scene scene("power-of-two", three());
  scene.fill("fast", 2);
  scene.fill("frugal", 2);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(scene.place(), "unknown/small-fp32");
  }
}

TEST(SpeedWeightedRoundRobinPolicy, TakesEachAsOftenAsItIsFast) {
  // 20, 100 and 10 ms: 50, 10 and 100 tasks per second.
  Scene scene("speed-weighted-round-robin", three());
  std::map<std::string, int> counts;
  for (int i = 0; i < 1600; ++i) {
    counts[scene.place()] += 1;
  }
  EXPECT_NEAR(counts["fast/big-fp32"], 500, 2);
  EXPECT_NEAR(counts["frugal/small-fp32"], 100, 2);
  EXPECT_NEAR(counts["unknown/small-fp32"], 1000, 2);
}

TEST(SpeedWeightedRoundRobinPolicy, FullProcessor_LosesItsTurn) {
  Scene scene("speed-weighted-round-robin", three());
  scene.fill("unknown", 2);
  for (int i = 0; i < 12; ++i) {
    EXPECT_NE(scene.place(), "unknown/small-fp32");
  }
}

}  // namespace
}  // namespace juggler
