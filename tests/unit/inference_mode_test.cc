// The power mode of a measurement: recorded, compared, and what another one means.

#include <gtest/gtest.h>

#include "files/board_profile.h"
#include "files/measured_mode.h"
#include "inference/calibration_file.h"
#include "inference/machine_profile.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

MeasuredMode mode(const std::string& name, std::int64_t id) {
  return {.power_mode = name,
          .power_mode_id = id,
          .clocks_locked = false,
          .cpu_khz_max = 1'510'400,
          .gpu_hz_max = 624'750'000};
}

MachineProfile profile() {
  MachineProfile made;
  made.name = "one";
  made.title = "one lane";
  made.machine = "a processor";
  made.date = "2026-11-27";
  made.memory = {1};
  made.mode = mode("MODE_15W", 2);
  ProfiledLane& lane = made.lanes["cpu0"];
  lane.id = "cpu0";
  lane.runtime = "engine";
  lane.variants["net-fp32"].points = {describe_runs(std::vector<std::int64_t>(30, 1'000))};
  return made;
}

TEST(MeasuredMode, IsInTheFile_AndInTheDevicesOwn) {
  const test::TempFolder folder;
  const auto file = folder.path() / "one.toml";
  ASSERT_TRUE(save_profile(profile(), file).has_value());
  const auto read = load_profile(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->mode, profile().mode);
  const auto board = load_board_profile(file);
  ASSERT_TRUE(board.has_value()) << board.error().message;
  EXPECT_EQ(board->measured_on->mode, profile().mode);
  const auto own = calibration_file(folder.path(), "here");
  ASSERT_TRUE(
      save_calibration(calibration_of(profile(), profile().lanes.at("cpu0")), own).has_value());
  const auto calibration = load_calibration(own);
  ASSERT_TRUE(calibration.has_value()) << calibration.error().message;
  EXPECT_EQ(calibration->on.mode, profile().mode);
}

TEST(MeasuredMode, NothingKnown_IsNothingInTheFile) {
  MachineProfile plain = profile();
  plain.mode = {};
  const std::string text = profile_text(plain);
  EXPECT_EQ(text.find("power_mode"), std::string::npos);
  EXPECT_EQ(text.find("clocks"), std::string::npos);
  EXPECT_EQ(mode_words({}), "");
}

TEST(MeasuredMode, Other_IsOnlyWhatBothNameDifferently) {
  EXPECT_TRUE(other_power_mode(mode("MAXN", 0), mode("MODE_15W", 2)));
  EXPECT_FALSE(other_power_mode(mode("MAXN", 0), mode("MAXN", 0)));
  EXPECT_FALSE(other_power_mode(mode("MAXN", 0), {}));
  EXPECT_FALSE(other_power_mode({}, mode("MAXN", 0)));
  EXPECT_TRUE(other_power_mode(mode("", 1), mode("", 2))) << "by number, where there is no name";
  MeasuredMode slower = mode("MAXN", 0);
  slower.gpu_hz_max = 306'000'000;
  EXPECT_FALSE(other_power_mode(mode("MAXN", 0), slower));
}

TEST(MeasuredMode, Differences_SayWhatInWords) {
  MeasuredMode other = mode("MAXN", 0);
  other.gpu_hz_max = 306'000'000;
  other.clocks_locked = true;
  EXPECT_EQ(mode_differences(mode("MODE_15W", 2), other),
            (std::vector<std::string>{"power mode MODE_15W (2) and MAXN (0)",
                                      "GPU up to 625 MHz and 306 MHz", "clocks free and locked"}));
  EXPECT_TRUE(mode_differences(mode("MAXN", 0), mode("MAXN", 0)).empty());
  EXPECT_TRUE(mode_differences(mode("MAXN", 0), {}).empty());
  EXPECT_EQ(mode_words(other),
            "power mode MAXN (0), cores up to 1510 MHz, GPU up to 306 MHz, clocks locked");
}

}  // namespace
}  // namespace juggler
