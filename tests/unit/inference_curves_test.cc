// Warm-up and heat of a board's profile: read, written, refused, and followed by twins.

#include <gtest/gtest.h>

#include <fstream>

#include "files/board_profile.h"
#include "inference/given_twin.h"
#include "inference/machine_profile.h"
#include "inference/twin_engine.h"
#include "support/builders.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

BoardCurves curves() {
  BoardCurves made;
  made.heat = Heating{41'500, 4'200, seconds(90), 80'000, 50, 2500};
  made.warm_up["a"] = {1600, milliseconds(120), seconds(30)};
  return made;
}

MachineProfile profile() {
  MachineProfile made;
  made.name = "one";
  made.title = "one lane";
  made.machine = "a processor";
  made.date = "2026-11-27";
  made.memory = mebibytes(1000);
  ProfiledLane& lane = made.lanes["a"];
  lane.id = "a";
  lane.runtime = "twin";
  lane.variants["net-fp32"].points = {describe_runs(std::vector<std::int64_t>(30, 1'000))};
  made.curves = curves();
  return made;
}

TEST(ProfileCurves, WhatIsWritten_ComesBack_AndTwinsReadIt) {
  const test::TempFolder folder;
  const auto file = folder.path() / "one.toml";
  ASSERT_TRUE(save_profile(profile(), file).has_value());
  const auto read = load_profile(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->curves, curves());
  const auto board = load_board_profile(file);
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->curves, curves());
}

TEST(ProfileCurves, FileWithoutThem_HasNone) {
  MachineProfile plain = profile();
  plain.curves = {};
  const auto board = parse_board_profile(profile_text(plain), "plain.toml");
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_TRUE(board->curves.flat());
}

TEST(ProfileCurves, ThoseThatAreNotSane_AreRefused) {
  const std::string good = profile_text(profile());
  const auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return parse_board_profile(text, "one.toml");
  };
  EXPECT_TRUE(with("time_constant_s = 90.000", "time_constant_s = 9.0").has_value());
  EXPECT_FALSE(with("time_constant_s = 90.000", "time_constant_s = 0").has_value());
  EXPECT_FALSE(with("throttle_celsius = 80.000", "throttle_celsius = 41.0").has_value())
      << "it would throttle at rest";
  EXPECT_FALSE(with("slowdown_max = 2.500", "slowdown_max = 0.5").has_value());
  EXPECT_FALSE(with("celsius_per_watt = 4.200", "").has_value());
  EXPECT_FALSE(with("work_ms = 120.000", "work_ms = -1").has_value());
  EXPECT_FALSE(with("slowdown = 1.600", "slowdown = 0.9").has_value());
}

GivenTwin twin() {
  GivenTwin made;
  made.announced = test::device("d")
                       .processor("a")
                       .serves(test::variant("n-fp32"), milliseconds(10), test::energy_mj(50))
                       .twin();
  made.announced.memory = mebibytes(512);
  made.truth = made.announced;
  made.noise = 0.0;
  made.curves.warm_up["a"] = {3000, milliseconds(10), seconds(60)};
  made.curves.heat = Heating{40'000, 10'000, milliseconds(50), 60'000, 1000, 1800};
  return made;
}

TEST(GivenTwin, Curves_GoWithIt) {
  const test::TempFolder folder;
  const auto file = folder.path() / "twin.json";
  std::ofstream(file) << given_twin_text(twin());
  const auto read = read_given_twin(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->curves, twin().curves);
  std::string text = given_twin_text(twin());
  text.replace(text.find("[heat]"), 6, "[hot]]");
  std::ofstream(file, std::ios::trunc) << text;
  EXPECT_FALSE(read_given_twin(file).has_value());
}

TEST(Twin, FirstRunAndHeat_TakeLonger_AndItSaysHowWarmItIs) {
  Result<LocalDevice> device = open_given_twin(twin(), {"d", 1}, 1);
  ASSERT_TRUE(device.has_value()) << device.error().message;
  ASSERT_NE(device->board, nullptr);
  EXPECT_EQ(warmth_of(*device->board).millicelsius, 40'000);
  EXPECT_FALSE(warmth_of(*device->board).throttled);
  EngineInput input;
  input.payload.kind = PayloadKind::RawRgb;
  input.payload.width = 1;
  input.payload.height = 1;
  input.payload.size = {3};
  input.bytes = wire::make_body("rgb");
  const std::vector<EngineInput> inputs{input};
  InferenceEngine& engine = *device->engines.at("a");
  ASSERT_TRUE(engine.load("n-fp32").has_value());
  // Cold: 2 x (1 - 1/e) of its own time on top.
  EXPECT_NEAR(static_cast<double>(engine.run("n-fp32", inputs).compute.count), 22'640, 300);
  Micros last;
  for (int run = 0; run < 20; ++run) {
    last = engine.run("n-fp32", inputs).compute;
  }
  // Warm, and as hot as 5 W make it: 90 C were it not slowed, which 1.8 times is the most of.
  EXPECT_GT(last, milliseconds(15));
  EXPECT_LE(last, milliseconds(18) + Micros{200});
  EXPECT_GT(*warmth_of(*device->board).millicelsius, 60'000);
  EXPECT_TRUE(warmth_of(*device->board).throttled);
}

}  // namespace
}  // namespace juggler
