// Board profiles and what a device has measured of itself.

#include <gtest/gtest.h>

#include "files/board_profile.h"
#include "files/data_folders.h"
#include "inference/calibration_file.h"
#include "inference_tiny_model.h"

namespace juggler {
namespace {

constexpr const char* kBoard = R"(
format = 1
board = "some-board"
title = "Some board"
memory_bytes = 1000000000
[power]
idle_mw = 3500
scope = "module-rail"
kind = "assumed"
source = "here"
[power.to_board_input]
factor = 1.23
[[processor]]
id = "gpu0"
kind = "gpu"
runtime = "TensorRT"
window_batches = 2
batch_max = 4
[[processor.profile]]
variant = "net-fp16"
batch = 4
latency_us_mean = 3000
latency_us_p95 = 3300
kind = "assumed"
source = "rule"
energy_uj = 30
energy_uj_low = 20
energy_uj_high = 50
energy_kind = "assumed"
memory_bytes = 500
load_us = 7
[[processor.profile]]
variant = "net-fp16"
batch = 1
latency_us_mean = 1000
latency_us_p95 = 1100
kind = "published"
source = "paper"
memory_bytes = 400
load_us = 9
)";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  const Result<BoardProfile> profile = parse_board_profile(text, "b.toml");
  return profile ? "no error" : profile.error().message;
}

TEST(BoardProfile, RowsOfOneVariant_BecomeOneProfileAsGoodAsItsWorst) {
  const Result<BoardProfile> board = parse_board_profile(kBoard, "b.toml");
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->idle, Milliwatts{3500});
  EXPECT_EQ(board->to_board_input.factor_permille, 1230);
  ASSERT_EQ(board->processors.size(), 1U);
  ASSERT_EQ(board->processors[0].profiles.size(), 1U);
  const Profile& profile = board->processors[0].profiles[0];
  ASSERT_EQ(profile.points.size(), 2U);
  EXPECT_EQ(profile.points[0].batch, 1);
  EXPECT_FALSE(profile.points[0].energy.has_value());
  ASSERT_TRUE(profile.points[1].energy.has_value());
  EXPECT_EQ(profile.points[1].energy->scope, PowerScope::ModuleRail);
  EXPECT_EQ(profile.points[1].energy->high, Microjoules{50});
  EXPECT_EQ(profile.evidence, Evidence::Assumed);
  EXPECT_EQ(profile.memory, Bytes{500});
  EXPECT_EQ(profile.load, Micros{9});
}

TEST(BoardProfile, ImpossibleValues_NameFileAndLine) {
  const std::pair<const char*, const char*> changes[] = {
      {"latency_us_p95 = 3300", "latency_us_p95 = 2999"},
      {"latency_us_mean = 3000", "latency_us_mean = 0"},
      {"energy_uj_low = 20", "energy_uj_low = 31"},
      {"energy_kind = \"assumed\"", "energy_kind = \"felt\""},
      {"scope = \"module-rail\"", "scope = \"somewhere\""},
      {"factor = 1.23", "factor = 0"},
      {"batch = 1\n", "batch = 2\n"},
      {"batch = 4\n", "batch = 1\n"},
      {"id = \"gpu0\"", "id = \"GPU 0\""},
      {"kind = \"gpu\"", "kind = \"tpu\""},
      {"variant = \"net-fp16\"", ""},
      {"format = 1", "format = 9"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_EQ(error_of(with(kBoard, from, to)).substr(0, 7), "b.toml:") << to;
  }
}

TEST(BoardProfile, EnergyWithoutPowerScope_IsRefused) {
  std::string text = kBoard;
  const std::size_t from = text.find("[power]");
  text.erase(from, text.find("[[processor]]") - from);
  EXPECT_NE(error_of(text).find("needs a [power] with its scope"), std::string::npos);
}

TEST(BoardProfile, UnknownBoard_SaysWhichThereAre) {
  const test::TempFolder home;
  test::write_file(home.path() / "profiles/some-board.toml", kBoard);
  const Result<BoardProfile> found = find_board_profile("some-board", home.path());
  EXPECT_TRUE(found.has_value());
  const Result<BoardProfile> missing = find_board_profile("no-board", home.path());
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  const std::string& message = missing.error().message;
  EXPECT_NE(message.find("some-board"), std::string::npos);
  EXPECT_NE(message.find("in " + (home.path() / "profiles").string()), std::string::npos)
      << message;
  EXPECT_FALSE(find_board_profile("../some-board", home.path()).has_value());
}

TEST(BoardProfile, TheCheckoutsOwnFiles_AllLoad) {
  const auto folder = std::filesystem::path(__FILE__).parent_path() / "../../profiles";
  int loaded = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    if (name == kVariantTable || name == kNetworkTable) {
      continue;
    }
    const Result<BoardProfile> profile = load_board_profile(entry.path());
    EXPECT_TRUE(profile.has_value()) << profile.error().message;
    ++loaded;
  }
  EXPECT_GE(loaded, 5);
}

TEST(CalibrationFile, SavedAndLoaded_IsTheSame) {
  const test::TempFolder home;
  Calibration saved;
  saved.board = "x86-64";
  saved.title = "Some \"quoted\" machine";
  saved.on = {"2026-01-02", "Processor\\name", "1.30.0", 2, {}};
  Profile profile;
  profile.variant = "net-fp32";
  profile.points = {{1, Micros{1000}, Micros{1200}, std::nullopt},
                    {2, Micros{1900}, Micros{2100}, std::nullopt}};
  profile.memory = {12'345};
  profile.load = {77};
  profile.evidence = Evidence::Measured;
  profile.source = "here";
  saved.set(profile, {std::string(64, 'a'), 10});
  profile.variant = "another-fp32";
  saved.set(profile, {std::string(64, 'b'), 3});
  const std::filesystem::path file = calibration_file(home.path(), "dev-1");
  ASSERT_TRUE(save_calibration(saved, file).has_value());
  const Result<Calibration> loaded = load_calibration(file);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->on, saved.on);
  EXPECT_EQ(loaded->profiles, saved.profiles);
  EXPECT_EQ(loaded->title, saved.title);
  EXPECT_EQ(loaded->profiles.front().variant, "another-fp32");
}

}  // namespace
}  // namespace juggler
