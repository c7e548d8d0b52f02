// Each verdict alone, their order, and what is predicted.

#include "core/candidates.h"

#include <gtest/gtest.h>

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

// One task before one fleet.
struct Scene {
  Fleet fleet;
  Submission task = submission("t").model("imagenet");
  Micros remaining = seconds(1);
  std::vector<std::string> failed;
  bool allow_synthetic = false;
  bool deadline_stated = true;
  bool over_lower_priorities = false;
  Objective objective;
  std::optional<Pace> pace;  // of every link

  Candidate only() const {
    const std::vector<Candidate> candidates = all();
    EXPECT_EQ(candidates.size(), 1U);
    return candidates.empty() ? Candidate{} : candidates.front();
  }
  std::vector<Candidate> all(bool with_other_models = false) const {
    const TaskView view{.number = 100,
                        .requirements = &task.requirements,
                        .model = task.requirements.model,
                        .allow_synthetic = allow_synthetic,
                        .payload = task.payload.kind,
                        .bytes = task.payload.size.count,
                        .priority = task.requirements.priority,
                        .deadline = kNow + remaining,
                        .deadline_stated = deadline_stated,
                        .devices_failed = &failed};
    Outlook outlook;
    std::vector<Candidate> candidates;
    LaneTable lanes;
    lanes.follow(fleet);
    look(lanes.lanes(), view, kNow, outlook);
    for (LaneOutlook& lane : outlook.lanes) {
      lane.pace = pace.value_or(lane.pace);
    }
    outlook.arrival_gap_us = fleet.arrivals.gap_us(kNow.us);
    outlook.over_lower_priorities = over_lower_priorities;
    Judge().judge({outlook, view, objective, kNow},
                  with_other_models ? Judge::Detail::Everything : Judge::Detail::Enough,
                  candidates);
    return candidates;
  }
};

Scene scene_of(DeviceFacts facts) {
  Scene scene;
  scene.fleet = fleet_of({std::move(facts)});
  return scene;
}
Scene simple() {
  return scene_of(device("d").serves(variant("net-fp32", 75), milliseconds(50), energy_mj(100)));
}
Lane& lane_of(Scene& scene) { return scene.fleet.change(0).lanes[0]; }

void add_in_flight(Scene& scene, Micros expected) {
  Lane& lane = lane_of(scene);
  lane.head_since = kNow;
  lane.in_flight.push_back({.batch = 1, .open = 1, .mean = expected});
}

TEST(Candidates, IdleDeviceInTime_Meets) {
  const Candidate candidate = simple().only();
  EXPECT_EQ(candidate.verdict, Verdict::Meets);
  EXPECT_EQ(candidate.latency, milliseconds(50));
  EXPECT_EQ(candidate.finish, kNow + milliseconds(50) + kNetworkDefault);
  EXPECT_EQ(candidate.energy, Microjoules{100'000});
  EXPECT_EQ(candidate.accuracy, MilliPercent{75'000});
}

TEST(Candidates, Latency_IsTheTailNotTheMean) {
  DeviceFacts facts = device("d").serves(variant("net-fp32"), milliseconds(50));
  facts.processors[0].profiles[0].points[0].latency_p95 = milliseconds(80);
  EXPECT_EQ(scene_of(facts).only().latency, milliseconds(80));
}

TEST(Candidates, Latency_IsCorrectedByWhatWasMeasured) {
  Scene scene = simple();
  LaneLearned learned(1);
  learned.factor_permille = 2500;
  lane_of(scene).learned = std::make_shared<const LaneLearned>(learned);
  EXPECT_EQ(scene.only().latency, milliseconds(125));
}

TEST(Candidates, Finish_CountsWhatIsInFlight) {
  Scene scene = simple();
  add_in_flight(scene, milliseconds(30));
  // The way there passes meanwhile.
  const Micros way_back = kNetworkDefault - kNetworkDefault / 2;
  EXPECT_EQ(scene.only().finish, kNow + milliseconds(80) + way_back);
  EXPECT_EQ(scene.only().queued, 1U);
}

// Lets a batch of one task stand in the line of the scene's processor.
void add_in_line(Scene& scene, std::uint64_t batch, Time due, int priority = 0) {
  const Line& line = *lane_of(scene).line;
  const auto before = std::find_if(line.begin(), line.end(), [&](const OpenBatch& other) {
    return priority != other.priority ? priority > other.priority : due < other.due;
  });
  lane_of(scene).join(0, {.id = batch, .profile = 0},
                      {.task = batch, .priority = priority, .due = due, .patient = true},
                      static_cast<std::size_t>(before - line.begin()));
}

TEST(Candidates, Finish_CountsBatchesThatAreDueBeforeOnly) {
  Scene scene = simple();
  add_in_line(scene, 1, kNow + milliseconds(500));
  add_in_line(scene, 2, kNow + seconds(9));
  EXPECT_EQ(scene.only().finish, kNow + milliseconds(100) + kNetworkDefault);
  EXPECT_EQ(scene.only().queued, 2U);
}

TEST(Candidates, Latecomer_MayNotMakeAnybodyMiss) {
  Scene scene = simple();
  scene.remaining = milliseconds(60);  // it would go first
  add_in_line(scene, 1, kNow + milliseconds(70));
  EXPECT_EQ(scene.only().verdict, Verdict::QueueTooLong);
}

TEST(Candidates, LessUrgentWork_IsNoObstacleToWhoIsMoreUrgent) {
  Scene scene = simple();
  scene.task.requirements.priority = 5;
  scene.remaining = milliseconds(60);
  add_in_line(scene, 1, kNow + milliseconds(70), 4);
  EXPECT_EQ(scene.only().verdict, Verdict::QueueTooLong);
  scene.over_lower_priorities = true;
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

// What a task pays there, with so many batches of 50 ms in line and 15,000 bytes to be sent.
std::int64_t price_behind(int batches, Pace pace) {
  Scene scene = simple();
  scene.remaining = seconds(5);
  scene.task.payload.size = Bytes{15'000};
  scene.pace = pace;
  scene.objective.prices = true;
  lane_of(scene).price.ask(milliseconds(100), kNow);
  for (int i = 0; i < batches; ++i) {
    add_in_line(scene, static_cast<std::uint64_t>(i + 1), kNow + seconds(4));
  }
  return scene.only().price_uj;
}

TEST(Candidates, LineBeforeANarrowLink_MakesItDearer) {
  constexpr Pace kNarrow{.ns_per_byte = 4'000};  // 60 ms a picture: longer than computing takes
  const std::int64_t alone = price_behind(0, kNarrow);
  EXPECT_GT(alone, 0);
  EXPECT_NEAR(static_cast<double>(price_behind(15, kNarrow)), 1.5 * static_cast<double>(alone),
              0.05 * static_cast<double>(alone));
  EXPECT_EQ(price_behind(40, kNarrow), 2 * alone);
  constexpr Pace kWide{.ns_per_byte = 8};
  EXPECT_EQ(price_behind(15, kWide), price_behind(0, kWide));
}

// A processor whose batches of 2 and 4 take little longer than one task.
Scene batching() {
  return scene_of(device("d")
                      .batch_max(4)
                      .serves(variant("net-fp32", 75), milliseconds(50))
                      .point(4, milliseconds(80)));
}

TEST(Candidates, OpenBatchWithRoom_IsJoined) {
  Scene scene = batching();
  add_in_line(scene, 7, kNow + milliseconds(500));
  const Candidate candidate = scene.only();
  EXPECT_EQ(candidate.batch, 7U);
  EXPECT_EQ(candidate.tasks, 2);
  EXPECT_EQ(candidate.latency, milliseconds(60));
  EXPECT_EQ(candidate.occupies, milliseconds(10));
  EXPECT_EQ(candidate.finish, kNow + milliseconds(60) + kNetworkDefault);
}

TEST(Candidates, OpenBatchThatWouldBeLateForIt_IsNotJoined) {
  Scene scene = batching();
  add_in_line(scene, 7, kNow + milliseconds(56));
  EXPECT_EQ(scene.only().batch, 0U);
}

TEST(Candidates, OpenBatchInWhichItsShareIsTooDear_IsPassedOver) {
  DeviceFacts facts = device("d")
                          .batch_max(4)
                          .serves(variant("net-fp32", 75), milliseconds(50), energy_mj(100))
                          .point(4, milliseconds(80));
  facts.processors[0].profiles[0].points[1].energy = energy_mj(160);  // 40 mJ each
  Scene scene = scene_of(facts);
  scene.task = submission("t").model("imagenet").max_energy_mj(50);
  add_in_line(scene, 7, kNow + milliseconds(500));  // with it two: 60 mJ each
  EXPECT_EQ(scene.only().verdict, Verdict::EnergyOver);
  for (std::uint64_t task = 21; task <= 23; ++task) {
    lane_of(scene).join(task == 21 ? 0 : 9, {.id = 9, .profile = 0},
                        {.task = task, .due = kNow + milliseconds(600), .patient = true}, 1);
  }
  EXPECT_EQ(scene.only().batch, 9U);  // with it four: 40 mJ each
}

TEST(Candidates, NeverBatching_JoinsNobody) {
  Scene scene = batching();
  scene.objective.batching = Batching::Never;
  add_in_line(scene, 7, kNow + milliseconds(500));
  EXPECT_EQ(scene.only().batch, 0U);
}

TEST(Candidates, CompanyExpected_SharesTheBatchesTime) {
  Scene scene = batching();
  scene.objective.batching = Batching::Planned;
  for (int i = 0; i < 200; ++i) {
    scene.fleet.arrivals.arrived(kNow.us - 2'000'000 + i * 10'000);
  }
  scene.fleet.arrivals.arrived(kNow.us);
  const Candidate candidate = scene.only();
  EXPECT_EQ(candidate.hoped, 4);
  EXPECT_EQ(candidate.occupies, milliseconds(20));
}

TEST(Candidates, TaskWithoutADeadlineOfItsOwn_CountsOnNobody) {
  Scene scene = batching();
  scene.objective.batching = Batching::Planned;
  scene.deadline_stated = false;
  for (int i = 0; i <= 200; ++i) {
    scene.fleet.arrivals.arrived(kNow.us - 2'000'000 + i * 10'000);
  }
  EXPECT_EQ(scene.only().hoped, 1);
}

TEST(Candidates, Energy_IsComparedAtTheBoardsInput) {
  const Scene scene = scene_of(device("d").to_board_input(1250).serves(
      variant("net-fp32"), milliseconds(50), energy_mj(100)));
  EXPECT_EQ(scene.only().energy, Microjoules{125'000});
}

TEST(Candidates, EnergyLimit_IsComparedAtTheBoardsInput) {
  Scene scene = scene_of(device("d").to_board_input(1250).serves(variant("net-fp32"),
                                                                 milliseconds(50), energy_mj(100)));
  scene.task = submission("t").model("imagenet").max_energy_mj(124);
  EXPECT_EQ(scene.only().verdict, Verdict::EnergyOver);
  scene.task = submission("t").model("imagenet").max_energy_mj(125);
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

TEST(Candidates, WindowFull_WouldBeInTimeAfterwards) {
  Scene scene = simple();
  add_in_flight(scene, milliseconds(30));
  add_in_flight(scene, milliseconds(30));
  EXPECT_EQ(scene.only().verdict, Verdict::WindowFull);
}

TEST(Candidates, WindowFullOfWhatWillBeDoneBeforeItIsThere_Meets) {
  Scene scene = simple();
  add_in_flight(scene, milliseconds(1));
  add_in_flight(scene, Micros{100});
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

// Two pictures of 1 MB, sent together, came 100 and 200 ms later: nobody else has the link until
// then.
TEST(Candidates, NarrowLink_IsOccupiedForAsLongAsThePictureTakes) {
  Scene scene = simple();
  scene.task = submission("t").model("imagenet").payload(PayloadKind::Jpeg, mebibytes(1));
  EXPECT_EQ(scene.only().occupies, milliseconds(50));
  LinkLearning& link = scene.fleet.change(0).link;
  for (int i = 0; i < 10; ++i) {
    const Time sent = Time{} + milliseconds(400) * i;
    const LinkDelays first = link.send(mebibytes(1), sent);
    const LinkDelays second = link.send(mebibytes(1), sent);
    link.add(milliseconds(102), first, sent + milliseconds(102));
    link.add(milliseconds(202), second, sent + milliseconds(202));
  }
  EXPECT_NEAR(static_cast<double>(scene.only().occupies.count), 100'000, 10'000);
}

TEST(Candidates, QueueTooLong_WhenWhatIsBeforeItTakesTooLong) {
  Scene scene = simple();
  add_in_flight(scene, milliseconds(960));
  EXPECT_EQ(scene.only().verdict, Verdict::QueueTooLong);
}

TEST(Candidates, OtherModel_IsLeftOutUnlessAskedFor) {
  Scene scene = simple();
  scene.task.requirements.model = "yolo";
  EXPECT_TRUE(scene.all().empty());
  ASSERT_EQ(scene.all(true).size(), 1U);
  EXPECT_EQ(scene.all(true)[0].verdict, Verdict::OtherModel);
}

TEST(Candidates, AnotherDeviceIsNamed_NeverMeets) {
  Scene scene = simple();
  scene.task.requirements.device = "another";
  ASSERT_EQ(scene.all().size(), 1U);
  EXPECT_EQ(scene.all()[0].verdict, Verdict::OtherDevice);
}

TEST(Candidates, ModelMayBeNamedByNetworkOrVariant) {
  Scene scene = simple();
  for (const char* name : {"imagenet", "net", "net-fp32"}) {
    scene.task.requirements.model = name;
    EXPECT_EQ(scene.only().verdict, Verdict::Meets) << name;
  }
}

TEST(Candidates, SyntheticWeights_ServeOnlyWhenAllowedOrNamed) {
  Scene scene = scene_of(device("d").serves(synthetic("net-fp32"), milliseconds(50)));
  EXPECT_EQ(scene.only().verdict, Verdict::SyntheticOnly);
  scene.allow_synthetic = true;
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  scene.allow_synthetic = false;
  scene.task.requirements.model = "net";
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

TEST(Candidates, PreprocessedTensor_NeedsItsVariantsName) {
  Scene scene = simple();
  for (const PayloadKind kind : {PayloadKind::FloatTensor, PayloadKind::Opaque}) {
    scene.task.payload.kind = kind;
    scene.task.requirements.model = "imagenet";
    EXPECT_EQ(scene.only().verdict, Verdict::PayloadUnfit);
    scene.task.requirements.model = "net-fp32";
    EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  }
}

TEST(Candidates, BelowAccuracy_OnTheFloorMeets) {
  Scene scene = simple();
  scene.task.requirements.min_accuracy = MilliPercent{75'000};
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  scene.task.requirements.min_accuracy = MilliPercent{75'001};
  EXPECT_EQ(scene.only().verdict, Verdict::BelowAccuracy);
}

TEST(Candidates, EnergyLimit_CountsTheUpperEndOfTheInterval) {
  Scene scene =
      scene_of(device("d").serves(variant("net-fp32"), milliseconds(50), energy_mj(100, 0.2)));
  scene.task.requirements.max_energy = Microjoules{120'000};
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  scene.task.requirements.max_energy = Microjoules{119'999};
  EXPECT_EQ(scene.only().verdict, Verdict::EnergyOver);
}

TEST(Candidates, EnergyUnknown_ServesOnlyTasksWithoutALimit) {
  Scene scene = scene_of(device("d").serves(variant("net-fp32"), milliseconds(50)));
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  EXPECT_FALSE(scene.only().energy.has_value());
  scene.task.requirements.max_energy = Microjoules{1'000'000'000};
  EXPECT_EQ(scene.only().verdict, Verdict::EnergyUnknown);
}

TEST(Candidates, TooSlow_EvenWhenIdle) {
  Scene scene = simple();
  scene.remaining = milliseconds(50) + kNetworkDefault;
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  scene.remaining = milliseconds(50) + kNetworkDefault - Micros{1};
  EXPECT_EQ(scene.only().verdict, Verdict::TooSlow);
}

TEST(Candidates, MemoryShort_WhenTheModelDoesNotFit) {
  Scene scene = scene_of(
      device("d").serves(variant("net-fp32"), milliseconds(50), std::nullopt, mebibytes(100)));
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);  // nobody has said how much is free
  scene.fleet.change(0).memory_free = mebibytes(100);
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
  scene.fleet.change(0).memory_free = mebibytes(99);
  EXPECT_EQ(scene.only().verdict, Verdict::MemoryShort);
}

TEST(Candidates, MemoryShort_CountsTheBoardsMemoryToo) {
  DeviceFacts facts =
      device("d").serves(variant("net-fp32"), milliseconds(50), std::nullopt, mebibytes(100));
  facts.memory = mebibytes(99);
  Scene scene = scene_of(std::move(facts));
  EXPECT_EQ(scene.only().verdict, Verdict::MemoryShort);  // it has not said how much is free
  scene.fleet.change(0).memory_free = mebibytes(20'000);
  EXPECT_EQ(scene.only().verdict, Verdict::MemoryShort);
}

TEST(Candidates, LoadedVariant_NeedsNoFurtherMemory) {
  Scene scene = scene_of(
      device("d").serves(variant("net-fp32"), milliseconds(50), std::nullopt, mebibytes(100)));
  scene.fleet.change(0).memory_free = mebibytes(1);
  LaneLearned learned(1);
  learned.profiles[0].loaded = true;
  scene.fleet.change(0).lanes[0].learned = std::make_shared<const LaneLearned>(learned);
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

TEST(Candidates, AlreadyTried_WhereAnAttemptFailed) {
  Scene scene = simple();
  scene.failed = {"d"};
  EXPECT_EQ(scene.only().verdict, Verdict::AlreadyTried);
  scene.failed = {"e"};
  EXPECT_EQ(scene.only().verdict, Verdict::Meets);
}

TEST(Candidates, DeviceNotLive_TakesNothing) {
  Scene scene = simple();
  scene.fleet.change(0).liveness = Liveness::Suspect;
  EXPECT_EQ(scene.only().verdict, Verdict::DeviceSuspect);
  scene.fleet.change(0).liveness = Liveness::Lost;
  EXPECT_EQ(scene.only().verdict, Verdict::DeviceLost);
  scene.fleet.change(0).liveness = Liveness::Draining;
  EXPECT_EQ(scene.only().verdict, Verdict::DeviceDraining);
}

TEST(Candidates, NeverGoesBeforeNotNow) {
  Scene scene = simple();
  scene.fleet.change(0).liveness = Liveness::Lost;
  scene.task.requirements.min_accuracy = MilliPercent{99'000};
  EXPECT_EQ(scene.only().verdict, Verdict::BelowAccuracy);
}

TEST(Candidates, Order_IsDeviceProcessorVariant) {
  Scene scene;
  scene.fleet = fleet_of({device("b").serves(variant("x-fp32"), milliseconds(1)),
                          device("a")
                              .processor("gpu0", ProcessorKind::Gpu)
                              .serves(variant("y-fp32"), milliseconds(1))
                              .serves(variant("x-fp32"), milliseconds(1))
                              .processor("cpu0")
                              .serves(variant("x-fp32"), milliseconds(1))});
  const std::vector<Candidate> candidates = scene.all();
  ASSERT_EQ(candidates.size(), 4U);
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) {
    const DeviceFacts& facts = *scene.fleet.devices()[candidate.device].facts;
    const Processor& processor = facts.processors[candidate.lane];
    names.push_back(facts.id + "/" + processor.id + "/" +
                    processor.profiles[candidate.profile].variant);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a/cpu0/x-fp32", "a/gpu0/x-fp32", "a/gpu0/y-fp32",
                                             "b/cpu0/x-fp32"}));
}

TEST(Verdicts, EachHasANameATextAndAKind) {
  for (int i = 0; i <= static_cast<int>(Verdict::DeviceDraining); ++i) {
    const auto verdict = static_cast<Verdict>(i);
    EXPECT_FALSE(to_string(verdict).empty());
    EXPECT_FALSE(describe(verdict).empty());
  }
  for (const Verdict temporary :
       {Verdict::Meets, Verdict::WindowFull, Verdict::QueueTooLong, Verdict::MemoryShort,
        Verdict::DeviceSuspect, Verdict::DeviceLost}) {
    EXPECT_TRUE(is_temporary(temporary)) << to_string(temporary);
  }
  for (const Verdict never :
       {Verdict::OtherDevice, Verdict::OtherModel, Verdict::SyntheticOnly, Verdict::PayloadUnfit,
        Verdict::BelowAccuracy, Verdict::EnergyOver, Verdict::EnergyUnknown, Verdict::TooSlow,
        Verdict::AlreadyTried, Verdict::DeviceDraining}) {
    EXPECT_FALSE(is_temporary(never)) << to_string(never);
  }
}

}  // namespace
}  // namespace juggler
