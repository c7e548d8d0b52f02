// Tests of simulated devices: the boards' figures as twins announce them, and draws from intervals.

#include "sim/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "files/variant_table.h"
#include "sim/network_table.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

ScenarioDevice device(const std::string& board, const BoardChoice& choice = {}) {
  const Result<BoardProfile> profile = find_board_profile(board, "");
  const Result<VariantTable> variants = VariantTable::installed("");
  EXPECT_TRUE(profile.has_value() && variants.has_value());
  Result<ScenarioDevice> made = device_of(*profile, *variants, choice);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  made->announced.id = "d";
  return *made;
}

const ProfilePoint& point(const DeviceFacts& facts, std::size_t processor, std::size_t profile,
                          std::size_t index) {
  return facts.processors[processor].profiles[profile].points[index];
}

TEST(Fleet, EveryBoard_HasAllItsVariantsDescribed) {
  for (const std::string& board : list_boards("")) {
    const Result<BoardProfile> profile = find_board_profile(board, "");
    const ScenarioDevice made = device(board);
    ASSERT_EQ(made.announced.processors.size(), profile->processors.size()) << board;
    for (std::size_t p = 0; p < profile->processors.size(); ++p) {
      EXPECT_EQ(made.announced.processors[p].profiles, profile->processors[p].profiles) << board;
    }
    const Result<void> valid = validate(made.announced);
    EXPECT_TRUE(valid.has_value()) << board << ": " << valid.error().message;
    for (const Variant& variant : made.announced.variants) {
      EXPECT_EQ(variant.weights, Weights::Pretrained);
    }
  }
}

TEST(Fleet, Intervals_AreThoseOfTheFile) {
  const ScenarioDevice orin = device("jetson-orin-nano");
  // profiles/jetson-orin-nano.toml: cpu0 sorts before gpu0; efficientnet_lite0-fp16, batch 1.
  EXPECT_EQ(point(orin.announced, 1, 0, 0).latency_mean, Micros{5020});
  EXPECT_EQ(orin.intervals.latency[1][0][0], (MicrosInterval{Micros{2780}, Micros{8910}}));
  EXPECT_EQ(orin.intervals.latency[1][0][1], (MicrosInterval{Micros{4140}, Micros{13'600}}));
  EXPECT_EQ(orin.intervals.idle_low, Milliwatts{2200});
  EXPECT_EQ(orin.intervals.to_board_input_high_permille, 1400);
}

TEST(Fleet, Draws_StayInTheirIntervalsAndFillThem) {
  for (const std::string& board : list_boards("")) {
    const ScenarioDevice made = device(board);
    double lowest = 1e9;
    double highest = 0.0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      const DeviceFacts drawn = draw_facts(made.announced, made.intervals, seed);
      for (std::size_t p = 0; p < drawn.processors.size(); ++p) {
        for (std::size_t i = 0; i < drawn.processors[p].profiles.size(); ++i) {
          for (std::size_t k = 0; k < drawn.processors[p].profiles[i].points.size(); ++k) {
            const ProfilePoint& now = point(drawn, p, i, k);
            const ProfilePoint& said = point(made.announced, p, i, k);
            const MicrosInterval& interval = made.intervals.latency[p][i][k];
            ASSERT_GE(now.latency_mean, interval.low);
            ASSERT_LE(now.latency_mean, interval.high);
            ASSERT_GE(now.latency_p95, now.latency_mean);
            ASSERT_GE(now.energy->value, said.energy->low);
            ASSERT_LE(now.energy->value, said.energy->high);
          }
        }
      }
      const auto ratio = static_cast<double>(point(drawn, 0, 0, 0).latency_mean.count) /
                         static_cast<double>(point(made.announced, 0, 0, 0).latency_mean.count);
      lowest = std::min(lowest, ratio);
      highest = std::max(highest, ratio);
    }
    EXPECT_LT(lowest, 0.75) << board;
    EXPECT_GT(highest, 1.33) << board;
  }
}

// A draw that made batch 8 faster than batch 4, or left single pictures cheaper than batches that
// the profile says are not, would reward or punish batching by accident.
TEST(Fleet, BatchSizes_AreWrongTogether) {
  const ScenarioDevice orin = device("jetson-orin-nano");
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const DeviceFacts drawn = draw_facts(orin.announced, orin.intervals, seed);
    for (const Processor& processor : drawn.processors) {
      for (const Profile& profile : processor.profiles) {
        for (std::size_t k = 1; k < profile.points.size(); ++k) {
          EXPECT_GT(profile.points[k].latency_mean, profile.points[k - 1].latency_mean);
        }
      }
    }
  }
}

TEST(Fleet, BoardsOfOneKind_ShareTheirDraw_VariantsDoNot) {
  const ScenarioDevice orin = device("jetson-orin-nano");
  ScenarioDevice other = orin;
  other.announced.id = "e";
  const DeviceFacts first = draw_facts(orin.announced, orin.intervals, 5);
  const DeviceFacts second = draw_facts(other.announced, other.intervals, 5);
  EXPECT_EQ(first.processors, second.processors);
  std::set<std::int64_t> ratios;
  for (const Profile& profile : first.processors[1].profiles) {
    const auto at = static_cast<std::size_t>(&profile - first.processors[1].profiles.data());
    ratios.insert(profile.points[0].latency_mean.count * 1000 /
                  point(orin.announced, 1, at, 0).latency_mean.count);
  }
  EXPECT_EQ(ratios.size(), first.processors[1].profiles.size());
}

// Fewer variants must not change what the others draw.
TEST(Fleet, ChoiceOfVariants_LeavesTheirDrawsAlone) {
  const ScenarioDevice all = device("jetson-orin-nano");
  const ScenarioDevice some = device("jetson-orin-nano", {{"resnet50-int8"}, {"gpu0"}});
  const DeviceFacts a = draw_facts(all.announced, all.intervals, 9);
  const DeviceFacts b = draw_facts(some.announced, some.intervals, 9);
  const auto& profiles = a.processors[1].profiles;
  const auto at = std::find_if(profiles.begin(), profiles.end(),
                               [](const Profile& p) { return p.variant == "resnet50-int8"; });
  ASSERT_NE(at, profiles.end());
  EXPECT_EQ(*at, b.processors[0].profiles[0]);
}

// energy = power x time, and one power per processor: what is left of the energies after their
// times is one factor, up to the ends of the intervals.
TEST(Fleet, PowerOfAProcessor_IsWrongByOneFactor) {
  const ScenarioDevice orin = device("jetson-orin-nano");
  int alike = 0;
  int all = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const DeviceFacts drawn = draw_facts(orin.announced, orin.intervals, seed);
    const std::vector<Profile>& profiles = drawn.processors[1].profiles;
    double first = 0.0;
    for (std::size_t i = 0; i < profiles.size(); ++i) {
      const ProfilePoint& said = point(orin.announced, 1, i, 0);
      const ProfilePoint& now = profiles[i].points[0];
      const double power = static_cast<double>(now.energy->value.count * said.latency_mean.count) /
                           static_cast<double>(said.energy->value.count * now.latency_mean.count);
      first = i == 0 ? power : first;
      all += 1;
      alike += std::fabs(power / first - 1.0) < 0.03 ? 1 : 0;
    }
  }
  EXPECT_GE(alike, all * 9 / 10) << alike << " of " << all;
}

TEST(Fleet, MeasuredProfiles_AreNotDrawn) {
  ScenarioDevice orin = device("jetson-orin-nano");
  orin.announced.processors[0].profiles[0].evidence = Evidence::Measured;
  const DeviceFacts drawn = draw_facts(orin.announced, orin.intervals, 3);
  EXPECT_EQ(drawn.processors[0].profiles[0], orin.announced.processors[0].profiles[0]);
  EXPECT_NE(drawn.processors[0].profiles[1], orin.announced.processors[0].profiles[1]);
}

TEST(Fleet, Truth_FollowsSeedAndMisstatement) {
  Result<Scenario> scenario = find_scenario("home/steady-60", "");
  ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
  EXPECT_EQ(scenario->devices[0].truth, scenario->devices[0].announced);
  scenario->drawn = true;
  settle_truth(*scenario);
  const DeviceFacts first = scenario->devices[0].truth;
  EXPECT_NE(first, scenario->devices[0].announced);
  scenario->seed += 1;
  settle_truth(*scenario);
  EXPECT_NE(first, scenario->devices[0].truth);
  scenario->drawn = false;
  scenario->devices[0].slower = 2.0;
  settle_truth(*scenario);
  EXPECT_EQ(point(scenario->devices[0].truth, 0, 0, 0).latency_mean,
            point(scenario->devices[0].announced, 0, 0, 0).latency_mean * 2);
}

TEST(NetworkTable, TheCheckoutsOwn_HasItsSources) {
  const Result<NetworkTable> table = find_network_table("");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_GE(table->size(), 12U);
  EXPECT_EQ(table->at("5g_static").rtt, milliseconds(69));
  EXPECT_EQ(table->at("5g_static").bandwidth_kbits, 31'800);
  EXPECT_EQ(table->at("wifi").loss_ppm, 1000);
  for (const auto& [name, network] : *table) {
    EXPECT_NE(network.source.find(": "), std::string::npos) << name;
    EXPECT_GT(network.source.size(), 20U) << name;
  }
}

TEST(NetworkTable, WrongFigures_AreRefused) {
  const std::string good = "format = 1\n[[network]]\nname = \"x\"\nrtt_ms = 5\n";
  EXPECT_TRUE(parse_network_table(good, "n").has_value());
  for (const char* more :
       {"rtt = 5\n", "jitter_ms = -1\n", "loss_percent = 60\n", "bandwidth_kbits = 0\n",
        "kind = \"felt\"\n", "[[network]]\nname = \"x\"\nrtt_ms = 1\n"}) {
    const Result<NetworkTable> table = parse_network_table(good + more, "n");
    ASSERT_FALSE(table.has_value()) << more;
    EXPECT_EQ(table.error().message.substr(0, 2), "n:") << table.error().message;
  }
}

TEST(VariantTable, WrongRows_AreRefused) {
  const std::string good =
      "format = 1\n[[variant]]\nid = \"n-fp32\"\nmodel = \"m\"\nnetwork = \"n\"\n"
      "precision = \"fp32\"\ntop1_percent = 70.5\ntop1_kind = \"published\"\ntop1_source = \"s\"\n";
  const Result<VariantTable> table = VariantTable::parse(good, "v");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->find("n-fp32")->accuracy, MilliPercent{70'500});
  EXPECT_EQ(table->find("n-fp16"), nullptr);
  EXPECT_FALSE(VariantTable::parse(good + good.substr(11), "v").has_value());
  std::string wrong = good;
  wrong.replace(wrong.find("n-fp32"), 6, "n-fp16");
  EXPECT_FALSE(VariantTable::parse(wrong, "v").has_value());
}

}  // namespace
}  // namespace juggler
