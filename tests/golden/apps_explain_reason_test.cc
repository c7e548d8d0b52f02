// Why a candidate lost, by what each policy compares.

#include "apps/explain_reason.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace juggler {
namespace {

using nlohmann::json;

// 50 mJ, 100 ms, 75 %, at no goal but energy.
json candidate() {
  return {{"variant", "resnet50-fp32"}, {"accuracy_percent", 75.0},
          {"finish_us", 100'000},       {"energy_uj_board_input", 50'000},
          {"cost_uj", 50'000},          {"waiting_uj", 0},
          {"accuracy_uj", 0},           {"price_uj", 0},
          {"tasks_before", 1}};
}

json with(json changes) {
  json changed = candidate();
  changed.update(changes);
  return changed;
}

std::string why(const json& changes, const std::string& policy) {
  return reason_against(with(changes), candidate(), policy);
}

TEST(ExplainReason, Juggler_NamesTheLargestPartOfTheCost) {
  const json more{{"energy_uj_board_input", 150'000}, {"cost_uj", 150'000}};
  EXPECT_EQ(why(more, "juggler"), "3.0x energy");
  const json little_more{{"energy_uj_board_input", 51'000}, {"cost_uj", 51'000}};
  EXPECT_EQ(why(little_more, "juggler"), "1 mJ more energy");
  const json later{{"energy_uj_board_input", 30'000},
                   {"cost_uj", 120'000},
                   {"waiting_uj", 90'000},
                   {"finish_us", 1'000'000}};
  EXPECT_EQ(why(later, "juggler"), "less energy, but 900 ms later at 100 mW");
  const json dear{{"energy_uj_board_input", 30'000}, {"cost_uj", 30'000}, {"price_uj", 35'000}};
  EXPECT_EQ(why(dear, "juggler-no-batching"),
            "less energy, but its time is worth 35 mJ more to others");
  const json coarse{{"cost_uj", 56'200}, {"accuracy_uj", 6'200}, {"accuracy_percent", 71.9}};
  EXPECT_EQ(why(coarse, "juggler"), "3.1 points less accurate, worth 6.2 mJ");
}

TEST(ExplainReason, JugglerAtEqualCost_NamesWhatDecidedThen) {
  EXPECT_EQ(why({{"finish_us", 150'000}}, "juggler"), "costs the same, 50 ms later");
  EXPECT_EQ(why({{"accuracy_percent", 70.0}}, "juggler"), "costs the same, less accurate");
  EXPECT_EQ(why(json::object(), "juggler"), "equal; the first by name was taken");
}

TEST(ExplainReason, Ablations_NameNothingThatTheyLeaveOut) {
  json free = with({{"cost_uj", 0}});
  json hungry = with({{"cost_uj", 0}, {"energy_uj_board_input", 500'000}, {"price_uj", 1'000}});
  EXPECT_EQ(reason_against(hungry, free, "juggler-no-energy"),
            "its time is worth 1 mJ more to others");
  const json frugal{
      {"accuracy_percent", 70.0}, {"energy_uj_board_input", 9'000}, {"cost_uj", 9'000}};
  EXPECT_EQ(why(frugal, "juggler-no-variants"), "less accurate");
}

TEST(ExplainReason, Baselines_NameTheirOwnCriterion) {
  const json other{{"finish_us", 150'000},
                   {"accuracy_percent", 70.0},
                   {"energy_uj_board_input", 100'000},
                   {"tasks_before", 4}};
  EXPECT_EQ(why(other, "least-energy"), "2.0x energy");
  EXPECT_EQ(why(other, "fastest-finish"), "50 ms later");
  EXPECT_EQ(why(other, "most-accurate"), "less accurate");
  EXPECT_EQ(why(other, "least-loaded"), "4 before it, not 1");
  EXPECT_EQ(why(other, "single-variant:resnet50"), "50 ms later");
  EXPECT_EQ(why(other, "single-variant:resnet18"), "another variant");
  for (const char* policy :
       {"round-robin", "random", "power-of-two", "ecore", "infaas", "loudva"}) {
    EXPECT_EQ(why(other, policy), "the rule chose another") << policy;
  }
}

TEST(ExplainReason, BaselinesWhereTheirCriterionIsEqual_NameWhatDecidedThen) {
  for (const char* policy : {"least-energy", "most-accurate", "least-loaded"}) {
    EXPECT_EQ(why({{"finish_us", 150'000}}, policy), "50 ms later") << policy;
    EXPECT_EQ(why(json::object(), policy), "equal; the first by name was taken") << policy;
  }
}

TEST(ExplainReason, UnknownEnergy_IsSaid) {
  json unknown = candidate();
  unknown.erase("energy_uj_board_input");
  for (const char* policy : {"juggler", "least-energy"}) {
    EXPECT_EQ(reason_against(unknown, candidate(), policy), "energy unknown");
  }
}

}  // namespace
}  // namespace juggler
