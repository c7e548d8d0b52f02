// `juggler devices` with labels, filters and orders; what doctor says of a fleet that outgrows its
// broker; what a fleet file changes.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/broker_ceiling.h"
#include "apps/consumer_flags.h"
#include "apps/device_list.h"
#include "apps/fleet_apply.h"
#include "apps/query_tables.h"

namespace juggler {
namespace {

using nlohmann::json;

json fleet() {
  return json::parse(R"({"devices": [
    {"id": "b", "state": "live", "board": "pi", "heard_us_ago": 5,
     "processors": [{"completed": 1}]},
    {"id": "a", "state": "suspect", "board": "nano", "heard_us_ago": 9,
     "processors": [{"completed": 7}, {"completed": 1, "in_flight": 3}]}]})");
}

json notes() {
  return json::parse(R"({"devices": [
    {"id": "a", "labels": {"site": "roof"}, "groups": ["cameras"]},
    {"id": "gone", "labels": {"site": "roof"}, "groups": []}]})");
}

std::vector<std::string> ids_of(const DeviceChoice& choice) {
  json answer = fleet();
  add_notes(answer, notes());
  choose_devices(answer, choice);
  std::vector<std::string> ids;
  for (const json& device : answer["devices"]) {
    ids.push_back(device["id"]);
  }
  return ids;
}

using Ids = std::vector<std::string>;

TEST(DeviceList, Filters_AreAllToHold) {
  EXPECT_EQ(ids_of({.labels = {"site=roof"}}), Ids{"a"});
  EXPECT_EQ(ids_of({.labels = {"site"}}), Ids{"a"});
  EXPECT_EQ(ids_of({.labels = {"site=cellar"}}), Ids{});
  EXPECT_EQ(ids_of({.groups = {"cameras"}}), Ids{"a"});
  EXPECT_EQ(ids_of({.labels = {"site=roof"}, .state = "live"}), Ids{});
  EXPECT_EQ(ids_of({.board = "pi"}), Ids{"b"});
}

TEST(DeviceList, Orders) {
  EXPECT_EQ(ids_of({}), (Ids{"a", "b"}));
  EXPECT_EQ(ids_of({.sort = "state"}), (Ids{"b", "a"}));
  EXPECT_EQ(ids_of({.sort = "heard"}), (Ids{"b", "a"}));
  EXPECT_EQ(ids_of({.sort = "done"}), (Ids{"a", "b"}));
  EXPECT_EQ(ids_of({.sort = "load"}), (Ids{"a", "b"}));
  EXPECT_FALSE(is_device_sort("colour"));
}

TEST(DeviceList, Notes_AreALine) {
  EXPECT_EQ(notes_line(notes()["devices"][0]), "site=roof; in cameras");
  EXPECT_EQ(notes_line(json::object()), "");
}

json serving(int devices, int latency_us) {
  json placements = json::array();
  for (int i = 0; i < devices; ++i) {
    placements.push_back(
        {{"device", std::to_string(i)}, {"processor", "cpu0"}, {"latency_us_mean", latency_us}});
  }
  return {{"models",
           {{{"id", "fast"}, {"placements", placements}}, {{"id", "none"}, {"placements", {}}}}}};
}

TEST(BrokerCeiling, SaidWhereTheDevicesCouldServeMore) {
  EXPECT_NEAR(fleet_rate_hz(serving(10, 10'000)), 1'000.0, 1e-6);
  EXPECT_FALSE(broker_ceiling(serving(6, 10'000)));
  const auto finding = broker_ceiling(serving(10, 10'000));
  ASSERT_TRUE(finding);
  EXPECT_NE(finding->found.find("1000 pictures/s"), std::string::npos) << finding->found;
}

TEST(FleetApply, Twice_ChangesNothingTheSecondTime) {
  const auto file = parse_fleet_file(
      "[[device]]\nid = \"a\"\nlabels = [\"site=roof\"]\n[[want]]\nmodels = [\"small\"]\n", "f");
  ASSERT_TRUE(file);
  FleetRecord record;
  record.note_for("other").groups = {"kept"};
  record.wants = {{*parse_selector("group:x"), {"old"}}};
  EXPECT_EQ(apply_to(record, *file).size(), 3U) << "labels, a new want, an old one";
  EXPECT_TRUE(apply_to(record, *file).empty());
  EXPECT_NE(record.note_of("other"), nullptr);
}

TEST(TwinCount, KindAndNumber) {
  EXPECT_EQ(parse_twin_count("pi:20")->count, 20);
  EXPECT_FALSE(parse_twin_count("pi")->many);
  EXPECT_FALSE(parse_twin_count("pi:0"));
  EXPECT_FALSE(parse_twin_count("pi:1001"));
  EXPECT_FALSE(parse_twin_count("pi:x"));
}

}  // namespace
}  // namespace juggler
