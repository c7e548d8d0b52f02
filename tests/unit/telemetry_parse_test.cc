// The readers of the kernel's and the boards' texts, one by one.

#include <gtest/gtest.h>

#include "telemetry/parse_board.h"
#include "telemetry/parse_numbers.h"
#include "telemetry/parse_proc.h"

namespace juggler {
namespace {

TEST(ParseNumbers, Integers_TolerateAUnitAndNothingElse) {
  EXPECT_EQ(parse_integer("32760 ma"), 32760);
  EXPECT_EQ(parse_integer("  -12\n"), -12);
  EXPECT_EQ(parse_integer("3199000000"), 3'199'000'000);
  EXPECT_EQ(parse_integer(""), std::nullopt);
  EXPECT_EQ(parse_integer("mA"), std::nullopt);
  EXPECT_EQ(parse_integer("99999999999999999999"), std::nullopt);
}

TEST(ParseNumbers, Decimals_AreCountedInTheirUnit) {
  EXPECT_EQ(parse_decimal("0.94657990A", 6), 946'579);
  EXPECT_EQ(parse_decimal("5", 3), 5000);
  EXPECT_EQ(parse_decimal("-1.5", 1), -15);
  EXPECT_EQ(parse_decimal(".5", 1), std::nullopt);
  EXPECT_EQ(parse_decimal("99999999999999999999.1", 6), std::nullopt);
  EXPECT_EQ(parse_decimal("9000000000000", 9), std::nullopt);
}

TEST(ParseNumbers, CoreLists_AreSpelledOut) {
  EXPECT_EQ(parse_core_list("0-3,5"), (std::vector<int>{0, 1, 2, 3, 5}));
  EXPECT_EQ(parse_core_list("0"), std::vector<int>{0});
  EXPECT_EQ(parse_core_list(""), std::nullopt);
  EXPECT_EQ(parse_core_list("3-1"), std::nullopt);
  EXPECT_EQ(parse_core_list("0-999999999"), std::nullopt);
  EXPECT_EQ(parse_core_list("0 1"), std::nullopt);
}

TEST(ParseProc, CpuTimes_LeaveGuestsOut) {
  const auto stat = parse_cpu_stat("cpu  10 1 5 100 20 1 2 3 9 9\ncpu2 10 1 5 100 20 1 2 3 9 9\n");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->all.total, 142);
  EXPECT_EQ(stat->all.busy, 22);
  EXPECT_EQ(stat->all.user, 16);
  ASSERT_EQ(stat->cores.size(), 1U);
  EXPECT_EQ(stat->cores.front().first, 2);
  EXPECT_EQ(parse_cpu_stat("cpu  1 2\n"), std::nullopt);
  EXPECT_EQ(parse_cpu_stat("cpu  -1 2 3 4 5 6 7 8\n"), std::nullopt);
}

TEST(ParseProc, Pressure_IsTheLineSome) {
  const auto pressure = parse_pressure(
      "some avg10=12.34 avg60=5.00 avg300=1.00 total=123456\nfull avg10=99.00 total=1\n");
  ASSERT_TRUE(pressure.has_value());
  EXPECT_EQ(pressure->avg10_permille, 123);
  EXPECT_EQ(pressure->total, Micros{123'456});
  EXPECT_FALSE(parse_pressure("some avg10=101.00 total=1").has_value());
  EXPECT_FALSE(parse_pressure("some avg10=1.00").has_value());
}

TEST(ParseProc, NetworkBytes_LeaveTheLoopbackOut) {
  const auto interfaces = parse_net_dev(
      "Inter-| Receive | Transmit\n face |bytes packets|bytes\n"
      "    lo: 1 2 3 4 5 6 7 8 1\n wlan0:1000 2 0 0 0 0 0 0 555 6 0 0 0 0 0 0\n  bad: x\n");
  ASSERT_EQ(interfaces.size(), 1U);
  EXPECT_EQ(interfaces.front().name, "wlan0");
  EXPECT_EQ(interfaces.front().received, 1000);
  EXPECT_EQ(interfaces.front().sent, 555);
}

TEST(ParseProc, GroupPaths_AreFoundByController) {
  const std::string_view hybrid = "12:memory:/a/b\n3:cpu,cpuacct:/c\n0::/d\n";
  EXPECT_EQ(parse_own_group(hybrid, "memory"), "/a/b");
  EXPECT_EQ(parse_own_group(hybrid, "cpu"), "/c");
  EXPECT_EQ(parse_own_group(hybrid, ""), "/d");
  EXPECT_EQ(parse_own_group(hybrid, "pids"), std::nullopt);
}

TEST(ParseBoard, Releases_AreNumbersAndAJetPack) {
  const auto release = parse_l4t("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\nmore\n");
  ASSERT_TRUE(release.has_value());
  EXPECT_EQ(release->text(), "36.4.3");
  EXPECT_EQ(jetpack_of(*release), "6.1 or later");
  EXPECT_EQ(jetpack_of({36, 3, 0}), "6.0");
  EXPECT_EQ(jetpack_of({99, 1, 0}), "");
  EXPECT_FALSE(parse_l4t("# R36 (release)").has_value());
  EXPECT_FALSE(parse_l4t("# R-1, REVISION: 4.3").has_value());
}

TEST(ParseBoard, PowerModes_LeaveCommentsOut) {
  const auto modes = parse_power_modes(
      "# < POWER_MODEL ID=9 NAME=NOT >\n< POWER_MODEL ID=0 NAME=15W >\nCPU MAX 3199000000\n"
      "< POWER_MODEL ID=2 NAME=MAXN_SUPER>\n");
  ASSERT_EQ(modes.size(), 2U);
  EXPECT_EQ(modes[1].id, 2);
  EXPECT_EQ(modes[1].name, "MAXN_SUPER");
  EXPECT_EQ(parse_power_mode("pmode:0002 fmode:quiet"), 2);
  EXPECT_EQ(parse_power_mode("fmode:quiet"), std::nullopt);
}

TEST(ParseBoard, ThrottleWord_TellsNowFromSinceBoot) {
  const PiThrottle now = pi_throttle(*parse_throttled("5"));
  EXPECT_TRUE(now.under_voltage && now.throttled);
  EXPECT_FALSE(now.under_voltage_since_boot);
  const PiThrottle latched = pi_throttle(*parse_throttled("throttled=0x50000"));
  EXPECT_FALSE(latched.under_voltage || latched.throttled);
  EXPECT_TRUE(latched.under_voltage_since_boot && latched.throttled_since_boot);
  EXPECT_EQ(parse_throttled("VCHI initialization failed"), std::nullopt);
}

TEST(ParseBoard, PmicRails_NeedVoltsAndAmps) {
  const auto rails = parse_pmic(
      " VDD_CORE_A current(7)=0.50000000A\n 3V3_SYS_A current(1)=0.1A\n"
      " VDD_CORE_V volt(15)=0.80000000V\n EXT5V_V volt(24)=5.1V\n garbage\n HDMI_A =-1A\n");
  ASSERT_TRUE(rails.has_value());
  ASSERT_EQ(rails->size(), 1U);
  EXPECT_EQ(rails->front().name, "VDD_CORE");
  EXPECT_EQ(rails->front().microamps, 500'000);
  EXPECT_EQ(rails->front().microvolts, 800'000);
  EXPECT_FALSE(parse_pmic("error=1 error_msg=\"Command not registered\"").has_value());
}

}  // namespace
}  // namespace juggler
