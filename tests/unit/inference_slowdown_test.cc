// Lanes beside each other: how much slower one gets is measured, written, announced, and taken by
// twins.

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "files/beside_rows.h"
#include "files/board_profile.h"
#include "inference/calibration_file.h"
#include "inference/given_twin.h"
#include "inference/slowdown_profiler.h"
#include "inference/twin_engine.h"
#include "support/builders.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

TEST(MeasureSlowdown, KnownFactorUnderDrift_IsInTheInterval) {
  // The machine becomes slower by 1 % with each block; beside the other a run takes 1.5 times, with
  // a scatter of 2 % either way.
  bool busy = false;
  int begun = 0;
  int run_count = 0;
  const auto run = [&]() -> Result<Micros> {
    run_count += 1;
    const double drift = 1.0 + 0.01 * begun;
    const double scatter = run_count % 2 == 0 ? 1.02 : 0.98;
    return Micros{std::llround(10'000 * drift * scatter * (busy ? 1.5 : 1.0))};
  };
  const OtherLane other{[&] { busy = true, begun += 1; },
                        [&] { return busy = false, Result<void>(); }};
  const auto measured = measure_slowdown(run, other, {}, {});
  ASSERT_TRUE(measured.has_value());
  EXPECT_NEAR(static_cast<double>(measured->permille), 1510, 15) << "the drift of half a block";
  EXPECT_LE(measured->low, measured->permille);
  EXPECT_GE(measured->high, measured->permille);
  EXPECT_LT(measured->high - measured->low, 30);
  EXPECT_EQ(begun, 10);
  EXPECT_FALSE(busy);
  EXPECT_GT(measured->samples, 10 * 12) << "0.2 s of runs of 15 ms in each block";
}

TEST(MeasureSlowdown, FailureOfEither_IsTheError_AndTheOtherIsStopped) {
  const auto good = []() -> Result<Micros> { return milliseconds(50); };
  const auto bad = []() -> Result<Micros> { return fail(ErrorCode::Unavailable, "no"); };
  int ended = 0;
  const OtherLane fine{[] {}, [&] { return ended += 1, Result<void>(); }};
  EXPECT_EQ(measure_slowdown(bad, fine, {}, {}).error().message, "no");
  const OtherLane fails{[] {},
                        [] { return Result<void>(fail(ErrorCode::Unavailable, "the other")); }};
  EXPECT_EQ(measure_slowdown(good, fails, {}, {}).error().message, "the other");
  EXPECT_FALSE(measure_slowdown(good, fine, {}, [] { return true; }).has_value());
  int runs = 0;
  const auto later = [&runs]() -> Result<Micros> {
    return ++runs > 6 ? Result<Micros>(fail(ErrorCode::Unavailable, "late")) : milliseconds(50);
  };
  EXPECT_EQ(measure_slowdown(later, fine, {}, {}).error().message, "late");
  EXPECT_EQ(ended, 1) << "it failed while the other computed";
}

TEST(DescribeRatios, EqualOnes_HaveNoWidth) {
  const MeasuredSlowdown one = describe_ratios({1.25, 1.25, 1.25});
  EXPECT_EQ(one.permille, 1250);
  EXPECT_EQ(one.low, 1250);
  EXPECT_EQ(one.high, 1250);
  // Two: mean 1.2, deviation 0.1414, t 12.706.
  EXPECT_EQ(describe_ratios({1.1, 1.3}).high, 2471);
}

ProfiledLane lane(const std::string& id) {
  ProfiledLane made;
  made.id = id;
  made.runtime = "twin";
  for (const auto& [variant, mean] :
       {std::pair("fast", 1'000), std::pair("middle", 3'000), std::pair("slow", 9'000)}) {
    MeasuredPoint point = describe_runs(std::vector<std::int64_t>(30, mean));
    made.variants[variant].points = {point};
  }
  return made;
}

TEST(MiddleVariant, IsOfMiddleTime_AndNoneWhereNothingWasMeasured) {
  EXPECT_EQ(middle_variant(lane("a")), "middle");
  EXPECT_EQ(middle_variant(ProfiledLane{}), "");
}

// A lane whose engine takes 2 ms, and twice that while the other lane's run.
class Sharing final : public InferenceEngine {
 public:
  Sharing(std::atomic<int>& own, std::atomic<int>& other, std::int64_t factor)
      : own_(own), other_(other), factor_(factor) {}
  Result<void> load(const std::string& /*variant*/) override { return {}; }
  void unload(const std::string& /*variant*/) override {}
  BatchReport run(const std::string& /*variant*/, std::span<const EngineInput> inputs) override {
    own_ += 1;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    BatchReport report;
    report.compute = Micros{2'000 * (other_ > 0 ? factor_ : 1)};
    report.outputs.resize(inputs.size());
    report.outputs.front().status = AttemptStatus::Ok;
    own_ -= 1;
    return report;
  }

 private:
  std::atomic<int>& own_;
  std::atomic<int>& other_;
  std::int64_t factor_;
};

struct Pair {
  std::atomic<int> a = 0;
  std::atomic<int> b = 0;
  std::vector<LaneUnderTest> lanes() {
    std::vector<LaneUnderTest> made(2);
    made[0].id = "a";
    made[0].make_engine = [this](int) -> Result<std::unique_ptr<InferenceEngine>> {
      return std::make_unique<Sharing>(a, b, 3);
    };
    made[1].id = "b";
    made[1].make_engine = [this](int) -> Result<std::unique_ptr<InferenceEngine>> {
      return std::make_unique<Sharing>(b, a, 2);
    };
    return made;
  }
};

TEST(ProfileSlowdowns, BothOrders_AreMeasuredOnceWithTheOtherReallyAtWork) {
  Pair pair;
  MachineProfile profile;
  profile.lanes["a"] = lane("a");
  profile.lanes["b"] = lane("b");
  std::vector<std::string> left;
  int kept = 0;
  ProfilingOptions options;
  options.keep = [&kept](const MachineProfile&) { return kept += 1, Result<void>(); };
  SlowdownGoal goal;
  goal.block_min = milliseconds(20);
  ASSERT_TRUE(profile_slowdowns(pair.lanes(), options, goal, profile, left).has_value());
  EXPECT_TRUE(left.empty());
  const MeasuredSlowdown& a = profile.lanes["a"].slowdowns.at("b");
  // Between two of its runs the other lane is not at work for a moment.
  EXPECT_GT(a.permille, 2'000);
  EXPECT_LE(a.permille, 3'000);
  EXPECT_EQ(a.variant, "middle");
  EXPECT_EQ(a.beside_variant, "middle");
  const MeasuredSlowdown& b = profile.lanes["b"].slowdowns.at("a");
  EXPECT_GT(b.permille, 1'500);
  EXPECT_LE(b.permille, 2'000);
  EXPECT_EQ(kept, 2);
  const MeasuredSlowdown first = a;
  ASSERT_TRUE(profile_slowdowns(pair.lanes(), options, goal, profile, left).has_value());
  EXPECT_EQ(profile.lanes["a"].slowdowns.at("b"), first) << "what is there is not measured again";
  EXPECT_EQ(kept, 2);
}

TEST(ProfileSlowdowns, TwinsGiveBackTheirFiles_AndComputeNothing) {
  std::vector<LaneUnderTest> lanes(2);
  lanes[0].id = "a";
  lanes[1].id = "b";
  for (LaneUnderTest& one : lanes) {
    one.announced = [](const std::string&) { return nullptr; };
    one.make_engine = [](int) -> Result<std::unique_ptr<InferenceEngine>> {
      return fail(ErrorCode::Internal, "a twin's engine has no time of its own");
    };
  }
  lanes[0].slowdowns = {{"b", 1700, 1600, 1800, "x", "y", 40}};
  MachineProfile profile;
  profile.lanes["a"] = lane("a");
  profile.lanes["b"] = lane("b");
  std::vector<std::string> left;
  ASSERT_TRUE(profile_slowdowns(lanes, {}, {}, profile, left).has_value());
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(profile.lanes["a"].slowdowns.at("b"), lanes[0].slowdowns[0]);
  EXPECT_TRUE(profile.lanes["b"].slowdowns.empty());
}

MachineProfile both() {
  MachineProfile profile;
  profile.name = "two";
  profile.title = "two lanes";
  profile.machine = "a processor";
  profile.date = "2026-11-27";
  profile.memory = mebibytes(1000);
  profile.lanes["a"] = lane("a");
  profile.lanes["b"] = lane("b");
  profile.lanes["a"].slowdowns["b"] = {"b", 1830, 1790, 1870, "middle", "fast", 123};
  profile.lanes["b"].slowdowns["a"] = {"a", 980, 950, 1010, "fast", "middle", 45};
  return profile;
}

TEST(ProfileFile, Slowdowns_AreWrittenReadAndAnnounced) {
  const test::TempFolder folder;
  const MachineProfile profile = both();
  ASSERT_TRUE(save_profile(profile, folder.path() / "two.toml").has_value());
  const auto read = load_profile(folder.path() / "two.toml");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->lanes.at("a").slowdowns, profile.lanes.at("a").slowdowns);
  EXPECT_EQ(read->lanes.at("b").slowdowns, profile.lanes.at("b").slowdowns);
  const auto board = load_board_profile(folder.path() / "two.toml");
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->processors[0].slowed_by, (std::vector<Slowdown>{{"b", 1830}}));
  EXPECT_EQ(board->processors[1].slowed_by, (std::vector<Slowdown>{{"a", 1000}}))
      << "nothing becomes faster by another's work";
  const auto file = calibration_file(folder.path(), "here", "a");
  ASSERT_TRUE(save_calibration(calibration_of(profile, profile.lanes.at("a")), file).has_value());
  const auto calibration = load_calibration(file);
  ASSERT_TRUE(calibration.has_value()) << calibration.error().message;
  EXPECT_EQ(calibration->slowdowns,
            (std::vector<MeasuredSlowdown>{profile.lanes.at("a").slowdowns.at("b")}));
}

TEST(ProfileFile, SlowdownsThatAreNotSane_AreRefused) {
  const std::string good = profile_text(both());
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return parse_board_profile(text, "two.toml");
  };
  EXPECT_TRUE(with("samples = 123", "samples = 7").has_value());
  EXPECT_FALSE(with("slowdown = 1.830", "slowdown = 0").has_value());
  EXPECT_FALSE(with("slowdown = 1.830", "slowdown = 3.0").has_value()) << "outside of its interval";
  EXPECT_FALSE(with("processor = \"b\"", "processor = \"B b\"").has_value());
  EXPECT_FALSE(with("slowdown = 1.830", "").has_value());
}

DeviceFacts two_processors() {
  DeviceFacts facts = test::device("d")
                          .processor("a")
                          .serves(test::variant("n-fp32"), milliseconds(40))
                          .processor("b")
                          .serves(test::variant("n-fp32"), milliseconds(60))
                          .twin();
  facts.memory = mebibytes(512);
  facts.processors[0].slowed_by = {{"b", 2000}};
  return facts;
}

TEST(Twin, BesideAnother_TakesItsTimeAndEndsWithTheOthersShare) {
  GivenTwin given;
  given.announced = two_processors();
  given.truth = given.announced;
  given.noise = 0.0;
  Result<LocalDevice> device = open_given_twin(given, {"d", 1}, 1);
  ASSERT_TRUE(device.has_value()) << device.error().message;
  EngineInput input;
  input.payload.kind = PayloadKind::RawRgb;
  input.payload.width = 1;
  input.payload.height = 1;
  input.payload.size = {3};
  input.bytes = wire::make_body("rgb");
  const std::vector<EngineInput> inputs{input};
  InferenceEngine& a = *device->engines.at("a");
  InferenceEngine& b = *device->engines.at("b");
  ASSERT_TRUE(a.load("n-fp32").has_value() && b.load("n-fp32").has_value());
  EXPECT_NEAR(static_cast<double>(a.run("n-fp32", inputs).compute.count), 40'000, 1'000);
  Micros beside;
  std::jthread other([&] { beside = b.run("n-fp32", inputs).compute; });
  // 60 ms beside b are 30 of its 40; the last 10 it has to itself: 70, and by how much later it
  // began.
  const auto start = std::chrono::steady_clock::now();
  const Micros took = a.run("n-fp32", inputs).compute;
  const auto really = std::chrono::steady_clock::now() - start;
  other.join();
  EXPECT_GT(took, milliseconds(60));
  EXPECT_LE(took, milliseconds(71));
  EXPECT_GE(std::chrono::duration_cast<std::chrono::microseconds>(really).count(), took.count);
  EXPECT_NEAR(static_cast<double>(beside.count), 60'000, 1'000) << "nothing slows b";
}

}  // namespace
}  // namespace juggler
