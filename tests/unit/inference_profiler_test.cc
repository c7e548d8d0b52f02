// Profiling: what is said of runs, when a point is known well enough, the file that is written and
// what others read of it, and figures that look wrong.

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "files/board_profile.h"
#include "inference/machine_profile.h"
#include "inference/machine_profiler.h"
#include "inference/profiler.h"
#include "inference/twin_engine.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

// Returns these times in turn, the last for ever.
std::function<Result<Micros>()> times(std::vector<std::int64_t> us) {
  return [us, at = std::size_t{0}]() mutable -> Result<Micros> {
    return Micros{us[std::min(at++, us.size() - 1)]};
  };
}

TEST(DescribeRuns, EqualRuns_HaveNoWidth) {
  const MeasuredPoint point = describe_runs(std::vector<std::int64_t>(40, 500));
  EXPECT_EQ(point.mean, Micros{500});
  EXPECT_EQ(point.low, Micros{500});
  EXPECT_EQ(point.high, Micros{500});
  EXPECT_EQ(point.samples, 40);
}

TEST(DescribeRuns, Percentiles_AreNearestRanks) {
  std::vector<std::int64_t> us;
  for (std::int64_t i = 1; i <= 100; ++i) {
    us.push_back(i);
  }
  const MeasuredPoint point = describe_runs(us);
  EXPECT_EQ(point.min, Micros{1});
  EXPECT_EQ(point.p50, Micros{50});
  EXPECT_EQ(point.p90, Micros{90});
  EXPECT_EQ(point.p95, Micros{95});
  EXPECT_EQ(point.p99, Micros{99});
}

TEST(DescribeRuns, SlowStretch_WidensTheIntervalMoreThanScatterDoes) {
  // The same times, once mixed and once with the slow half in one piece: only the second says that
  // the mean of another day may be another.
  std::vector<std::int64_t> mixed;
  std::vector<std::int64_t> stretch;
  for (int i = 0; i < 100; ++i) {
    mixed.push_back(i % 2 == 0 ? 100 : 200);
    stretch.push_back(i < 50 ? 100 : 200);
  }
  const MeasuredPoint a = describe_runs(mixed);
  const MeasuredPoint b = describe_runs(stretch);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.high, a.mean);
  EXPECT_GT((b.high - b.mean).count, 30);
}

TEST(DescribeRuns, Interval_HoldsTheTruthInMostDraws) {
  Rng rng(7);
  int held = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<std::int64_t> us;
    for (int i = 0; i < 60; ++i) {
      us.push_back(10'000 + static_cast<std::int64_t>(rng.below(4'001)));
    }
    const MeasuredPoint point = describe_runs(us);
    held += point.low <= Micros{12'000} && Micros{12'000} <= point.high ? 1 : 0;
  }
  EXPECT_GE(held, 400 * 92 / 100);
  EXPECT_LE(held, 400 * 99 / 100) << "an interval that always holds says nothing";
}

TEST(MeasurePoint, WarmUp_IsThrownAway) {
  std::vector<std::int64_t> us{9000, 7000, 5000, 3000, 2000, 1500, 1200, 1100,
                               1050, 1000, 1000, 1000, 1000, 1000, 1000};
  const auto point = measure_point(times(us), {}, {});
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->mean, Micros{1000});
  EXPECT_EQ(point->samples, 30);
}

TEST(MeasurePoint, Scatter_IsMeasuredUntilItIsKnown) {
  Rng rng(3);
  const auto noisy = [&rng]() -> Result<Micros> {
    return Micros{500 + static_cast<std::int64_t>(rng.below(1'001))};
  };
  MeasuringGoal goal;
  goal.precision_permille = 20;
  const auto point = measure_point(noisy, goal, {});
  ASSERT_TRUE(point.has_value());
  EXPECT_GT(point->samples, 100);
  EXPECT_TRUE(point->precise(goal));
  EXPECT_NEAR(static_cast<double>(point->mean.count), 1000.0, 50.0);
}

TEST(MeasurePoint, TimeIsUp_EndsWithWhatThereIs) {
  MeasuringGoal goal;
  goal.time_max = seconds(2);
  const auto point = measure_point(times({500'000}), goal, {});
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->samples, 10) << "an interval needs ten, however long they take";
}

TEST(MeasurePoint, StopAndFailure_EndIt) {
  EXPECT_FALSE(measure_point(times({1}), {}, [] { return true; }).has_value());
  const auto failing = []() -> Result<Micros> { return fail(ErrorCode::Unavailable, "no"); };
  EXPECT_EQ(measure_point(failing, {}, {}).error().message, "no");
}

MeasuredPoint point(int threads, int batch, std::int64_t mean) {
  MeasuredPoint made = describe_runs(std::vector<std::int64_t>(30, mean));
  made.threads = threads;
  made.batch = batch;
  return made;
}

MachineProfile machine_profile() {
  MachineProfile profile;
  profile.name = "this-machine";
  profile.title = "A machine \"of\" tests";
  profile.machine = "a processor";
  profile.date = "2026-11-26";
  profile.program = "juggler 0.1.0";
  profile.note = "quiet";
  profile.energy_absent = "no meter";
  profile.memory = mebibytes(1000);
  profile.before = {12, 41'000};
  ProfiledLane& lane = profile.lanes["cpu0"];
  lane.id = "cpu0";
  lane.runtime = "ONNX Runtime 1.2.3, CPU";
  ProfiledVariant& variant = lane.variants["net-fp32"];
  variant.model_sha256 = std::string(64, 'a');
  variant.memory = mebibytes(50);
  variant.load = milliseconds(70);
  variant.points = {point(1, 1, 1000), point(1, 2, 1900), point(2, 1, 600), point(2, 2, 1100)};
  return profile;
}

TEST(ProfileFile, WhatIsWritten_ComesBack) {
  const test::TempFolder folder;
  const MachineProfile profile = machine_profile();
  const auto file = folder.path() / "profiles/this-machine.toml";
  ASSERT_TRUE(save_profile(profile, file).has_value());
  const auto read = load_profile(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(profile_text(*read), profile_text(profile));
  EXPECT_EQ(read->lanes.at("cpu0").variants.at("net-fp32").points,
            profile.lanes.at("cpu0").variants.at("net-fp32").points);
}

TEST(ProfileFile, TwinsAndControllers_ReadTheRowsOfTheBestThreads) {
  const auto board = parse_board_profile(profile_text(machine_profile()), "this-machine.toml");
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->board, "this-machine");
  ASSERT_EQ(board->processors.size(), 1U);
  EXPECT_NE(board->processors[0].runtime.find("2 threads"), std::string::npos);
  ASSERT_EQ(board->processors[0].profiles.size(), 1U);
  const Profile& profile = board->processors[0].profiles[0];
  ASSERT_EQ(profile.points.size(), 2U);
  EXPECT_EQ(profile.points[0].latency_mean, Micros{600});
  EXPECT_EQ(profile.points[1].batch, 2);
  EXPECT_EQ(profile.evidence, Evidence::Measured);
  EXPECT_FALSE(profile.points[0].energy.has_value());
  EXPECT_EQ(profile.memory, mebibytes(50));
}

TEST(ProfileFile, Device_AnnouncesWhatWasProfiled) {
  const test::TempFolder folder;
  const MachineProfile profile = machine_profile();
  const auto file = calibration_file(folder.path(), "here");
  ASSERT_TRUE(
      save_calibration(calibration_of(profile, profile.lanes.at("cpu0")), file).has_value());
  const auto read = load_calibration(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->on.threads, 2);
  EXPECT_EQ(read->on.runtime_version, "ONNX Runtime 1.2.3, CPU");
  EXPECT_EQ(read->on.variants.at("net-fp32").model_sha256, std::string(64, 'a'));
  ASSERT_EQ(read->find("net-fp32")->points.size(), 2U);
  EXPECT_EQ(read->find("net-fp32")->points[1].latency_mean, Micros{1100});
}

// As measured with a meter on the module's rail.
MachineProfile metered_profile() {
  MachineProfile profile = machine_profile();
  profile.energy_absent.clear();
  profile.meter = ProfileMeter{.name = "ina3221 VDD_IN",
                               .scope = PowerScope::ModuleRail,
                               .evidence = Evidence::Measured,
                               .at_rest = RestPower{{2100}, {2050}, {2150}},
                               .to_board_input = ScopeConversion{1230, PowerScope::ModuleRail},
                               .conversion_source = "of tests"};
  for (MeasuredPoint& point : profile.lanes.at("cpu0").variants.at("net-fp32").points) {
    point.energy = EnergyFigure{{5000}, {4500}, {5600}, Evidence::Measured, PowerScope::ModuleRail};
    point.power = Milliwatts{7200};
    point.temperature = 51'000;
  }
  return profile;
}

TEST(ProfileFile, Energies_ComeBackWithTheirMeterAndScope) {
  const test::TempFolder folder;
  const MachineProfile profile = metered_profile();
  const auto file = folder.path() / "metered.toml";
  ASSERT_TRUE(save_profile(profile, file).has_value());
  const auto read = load_profile(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(profile_text(*read), profile_text(profile));
  EXPECT_EQ(read->lanes.at("cpu0").variants.at("net-fp32").points,
            profile.lanes.at("cpu0").variants.at("net-fp32").points);
  EXPECT_EQ(read->meter->name, "ina3221 VDD_IN");
  EXPECT_EQ(read->meter->at_rest, profile.meter->at_rest);
}

TEST(ProfileFile, Twins_TakeEnergyPowerAtRestAndConversionFromIt) {
  const auto board = parse_board_profile(profile_text(metered_profile()), "metered.toml");
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->idle, Milliwatts{2100});
  EXPECT_EQ(board->to_board_input, (ScopeConversion{1230, PowerScope::ModuleRail}));
  const std::optional<EnergyFigure> energy = board->processors[0].profiles[0].points[0].energy;
  ASSERT_TRUE(energy.has_value());
  EXPECT_EQ(energy->value, Microjoules{5000});
  EXPECT_EQ(energy->scope, PowerScope::ModuleRail);
  EXPECT_EQ(energy->evidence, Evidence::Measured);
}

TEST(ProfileFile, Device_AnnouncesMeasuredEnergies) {
  const test::TempFolder folder;
  const MachineProfile profile = metered_profile();
  const auto file = calibration_file(folder.path(), "here");
  ASSERT_TRUE(
      save_calibration(calibration_of(profile, profile.lanes.at("cpu0")), file).has_value());
  const auto read = load_calibration(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->find("net-fp32")->points[0].energy,
            profile.lanes.at("cpu0").variants.at("net-fp32").points[0].energy);
}

TEST(ProfileFile, FileOfAnotherOrigin_IsRefusedWithTheReason) {
  const test::TempFolder folder;
  EXPECT_EQ(load_profile(folder.path() / "none.toml").error().code, ErrorCode::NotFound);
}

TEST(BestThreads, FurtherThread_HasToGainATenth) {
  ProfiledLane lane;
  lane.variants["a"].points = {point(1, 1, 1000), point(2, 1, 950)};
  EXPECT_EQ(lane.best_threads(), 1);
  lane.variants["a"].points = {point(1, 1, 1000), point(2, 1, 850)};
  EXPECT_EQ(lane.best_threads(), 2);
  // Half of the variants on four threads only says nothing about four threads.
  lane.variants["b"].points = {point(1, 1, 1000), point(2, 1, 700)};
  lane.variants["a"].points.push_back(point(4, 1, 10));
  EXPECT_EQ(lane.best_threads(), 2);
}

// A lane that answers as a twin of one processor, at once.
LaneUnderTest twin_lane(const Processor& processor) {
  LaneUnderTest lane;
  lane.id = processor.id;
  lane.runtime = "twin";
  lane.batch_max = processor.batch_max;
  for (const Profile& profile : processor.profiles) {
    lane.variants.push_back(profile.variant);
  }
  lane.make_engine = [processor](int) -> Result<std::unique_ptr<InferenceEngine>> {
    TwinEngineOptions options;
    options.processor = processor;
    options.sleep_until = [](std::chrono::steady_clock::time_point) {};
    return make_twin_engine(std::move(options));
  };
  lane.memory = [] { return Bytes{0}; };
  return lane;
}

Processor processor() {
  Processor made;
  made.id = "cpu0";
  made.batch_max = 2;
  Profile profile;
  profile.variant = "net-fp32";
  profile.points = {{1, Micros{10'000}, Micros{13'000}, std::nullopt},
                    {2, Micros{16'000}, Micros{20'000}, std::nullopt}};
  made.profiles.push_back(profile);
  return made;
}

TEST(ProfileLane, Twin_GivesBackItsProfile) {
  MachineProfile profile;
  std::vector<std::string> left;
  int kept = 0;
  ProfilingOptions options;
  options.batches = {1, 2, 4};
  options.keep = [&kept](const MachineProfile&) {
    kept += 1;
    return Result<void>();
  };
  ASSERT_TRUE(profile_lane(twin_lane(processor()), {}, options, profile, left).has_value());
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(kept, 1);
  const ProfiledVariant& measured = profile.lanes.at("cpu0").variants.at("net-fp32");
  ASSERT_EQ(measured.points.size(), 2U) << "4 is more than the lane takes";
  EXPECT_NEAR(static_cast<double>(measured.points[0].mean.count), 10'000.0, 400.0);
  EXPECT_NEAR(static_cast<double>(measured.points[0].p95.count), 13'000.0, 900.0);
  EXPECT_NEAR(static_cast<double>(measured.points[1].mean.count), 16'000.0, 600.0);
}

TEST(ProfileLane, SecondRun_MeasuresOnlyWhatIsMissing) {
  MachineProfile profile;
  std::vector<std::string> left;
  std::vector<std::string> did;
  ProfilingOptions options;
  options.batches = {1};
  options.progress = [&did](std::size_t, std::size_t, const std::string& doing) {
    did.push_back(doing);
  };
  ASSERT_TRUE(profile_lane(twin_lane(processor()), {}, options, profile, left).has_value());
  ASSERT_EQ(did.size(), 1U);
  const MeasuredPoint first = profile.lanes.at("cpu0").variants.at("net-fp32").points.front();
  options.batches = {1, 2};
  ASSERT_TRUE(profile_lane(twin_lane(processor()), {}, options, profile, left).has_value());
  EXPECT_EQ(did.size(), 2U);
  EXPECT_EQ(profile.lanes.at("cpu0").variants.at("net-fp32").points.front(), first);
}

TEST(ProfileLane, StoppedRun_KeepsWhatIsWhole) {
  MachineProfile profile;
  std::vector<std::string> left;
  ProfilingOptions options;
  int asked = 0;
  options.stop = [&asked] { return ++asked > 60; };
  EXPECT_FALSE(profile_lane(twin_lane(processor()), {}, options, profile, left).has_value());
  EXPECT_LE(profile.lanes.at("cpu0").variants["net-fp32"].points.size(), 1U);
}

TEST(Doubts, EnergyFarFromWhatIsPublished_IsSaidForTheSameScopeAlone) {
  Processor known = processor();
  known.profiles[0].points[0].latency_mean = Micros{600};
  known.profiles[0].points.pop_back();
  EnergyFigure& published = known.profiles[0].points[0].energy.emplace();
  published = {{50'000}, {40'000}, {60'000}, Evidence::Published, PowerScope::ModuleRail};
  const auto found = doubts(metered_profile(), {}, {known});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("mJ above idle"), std::string::npos) << found[0];
  published.scope = PowerScope::Wall;
  EXPECT_TRUE(doubts(metered_profile(), {}, {known}).empty());
}

TEST(Doubts, FiguresThatLookWrong_AreNamed) {
  MachineProfile profile = machine_profile();
  EXPECT_TRUE(doubts(profile, {}, {}).empty());
  std::vector<MeasuredPoint>& points = profile.lanes.at("cpu0").variants.at("net-fp32").points;
  points[3] = point(2, 2, 500);  // two pictures faster than one
  points[1].p95 = Micros{5'000};
  const auto found = doubts(profile, {}, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NE(found[0].find("something else computed"), std::string::npos) << found[0];
  EXPECT_NE(found[1].find("less than one picture"), std::string::npos) << found[1];
}

TEST(Doubts, FarFromTheBoardsProfile_IsSaid) {
  Processor known = processor();
  known.profiles[0].points[0].latency_mean = Micros{6'000};  // ten times what was measured
  const auto found = doubts(machine_profile(), {}, {known});
  ASSERT_GE(found.size(), 1U);
  EXPECT_NE(found[0].find("another power mode or engine"), std::string::npos) << found[0];
}

}  // namespace
}  // namespace juggler
