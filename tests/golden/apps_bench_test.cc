// What of a scenario can be live, and what is made of the figures of both sides.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/bench_run.h"
#include "apps/given_fleet.h"
#include "apps/live_checks.h"
#include "apps/live_links.h"
#include "sim/scenario_file.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr const char* kScenario = R"(
rate_hz = 50
duration_s = 2
[[device]]
board = "raspberry-pi-5"
id = "pi"
count = COUNT
network = "NETWORK"
[[class]]
name = "any"
deadline_ms = 500
PAYLOAD
)";

Scenario scenario(const std::string& more = "", const std::string& network = "local",
                  const std::string& count = "2", const std::string& payload = "") {
  std::string text = kScenario;
  const auto put = [&](const std::string& word, const std::string& value) {
    text.replace(text.find(word), word.size(), value);
  };
  put("COUNT", count);
  put("NETWORK", network);
  put("PAYLOAD", payload);
  Result<Scenario> read = parse_scenario(text + more, "test.toml", "");
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return *read;
}

std::string refusal(const Scenario& scenario, LiveFleetKind fleet = LiveFleetKind::OwnTwins) {
  const Result<void> checked = check_live(scenario, fleet);
  return checked ? "" : checked.error().message;
}

TEST(LiveChecks, TwinsOnTheLoopback_CanBeLive) { EXPECT_EQ(refusal(scenario()), ""); }

TEST(LiveChecks, Faults_AreRefusedByKindAndDevice) {
  const Scenario faulty =
      scenario("[[fault]]\nkind = \"throttle\"\ndevice = \"pi-1\"\nat_s = 1\nfactor = 2\n");
  EXPECT_NE(refusal(faulty).find("throttle of pi-1"), std::string::npos);
  EXPECT_NE(refusal(faulty, LiveFleetKind::Given).find("throttle"), std::string::npos);
}

TEST(LiveLinks, TwinsNotOnTheLoopback_EachNeedALink) {
  Scenario wireless = scenario("", "wifi");
  EXPECT_EQ(refusal(wireless), "");
  EXPECT_EQ(refusal(wireless, LiveFleetKind::Given), "");
  EXPECT_EQ(LiveLinks::needed(wireless), wireless.devices.size());
  ASSERT_TRUE(put_on_loopback(wireless, "").has_value());
  EXPECT_EQ(LiveLinks::needed(wireless), 0U);
}

TEST(LiveLinks, Address_IsTheLinksWhereThereIsOne) {
  LiveLinks links;
  Scenario mixed = scenario("", "wifi");
  mixed.devices.resize(1);
  ASSERT_TRUE(links.open(mixed, 5672).has_value());
  const std::string url = "amqp://u:p@127.0.0.1:5672/v";
  const Result<std::string> through = links.through(mixed.devices[0].announced.id, url);
  ASSERT_TRUE(through.has_value());
  EXPECT_NE(*through, url);
  EXPECT_EQ(*links.through("another", url), url);
}

TEST(LiveChecks, FleetBeyondThisMachine_IsRefusedWithTheLimit) {
  const Scenario many = scenario("", "local", "33");
  EXPECT_NE(refusal(many).find("at most 32 twins"), std::string::npos);
  EXPECT_EQ(refusal(many, LiveFleetKind::Given), "");
}

TEST(LiveChecks, ControllerKeysWithoutAFlag_AreRefused) {
  EXPECT_EQ(refusal(scenario("[controller]\nattempts_max = 2\ndeadline_ms = 700\n")), "");
  EXPECT_NE(refusal(scenario("[controller]\nlearns = false\n")).find("learns"), std::string::npos);
  EXPECT_NE(refusal(scenario("[controller]\ndeadline_ms = 700\n"), LiveFleetKind::Given)
                .find("deadline_ms"),
            std::string::npos);
}

TEST(LiveChecks, PayloadBelowAPicture_IsRefused) {
  EXPECT_NE(refusal(scenario("", "local", "2", "payload_bytes = 100")).find("payload_bytes"),
            std::string::npos);
}

BenchRun run_of(std::int64_t live_ms, std::int64_t simulated_ms) {
  const auto one = [](std::int64_t ms) {
    evaluation::Run run;
    run.scenario = std::make_shared<Scenario>(scenario());
    run.finished = true;
    run.result.offered = 100;
    run.result.completed = 100;
    run.result.on_time = 90;
    run.result.latency = {100,
                          milliseconds(ms),
                          milliseconds(ms),
                          milliseconds(ms),
                          milliseconds(ms),
                          milliseconds(ms),
                          milliseconds(ms)};
    run.result.energy_completed = {1'000'000};
    run.result.throughput_hz = 50.0;
    return run;
  };
  BenchRun run;
  run.live = one(live_ms);
  run.simulated = one(simulated_ms);
  run.sender.sent = 100;
  return run;
}

TEST(BenchReport, Errors_AreOfTheSimulatorAgainstLive) {
  BenchReport report;
  report.asked = 2;
  report.runs = {run_of(100, 90), run_of(100, 94)};
  const json document = bench_json(report);
  EXPECT_DOUBLE_EQ(document["runs"][0]["error_percent"]["latency_p50"], -10.0);
  EXPECT_DOUBLE_EQ(document["error_percent"]["latency_p50"], -8.0);
  EXPECT_DOUBLE_EQ(document["error_percent"]["energy"], 0.0);
  EXPECT_TRUE(document["runs"][0]["live"]["decision_ns"].is_null());
  const std::string text = bench_text(report, {});
  EXPECT_NE(text.find("-8.0 % (-10.0 to -6.0)"), std::string::npos) << text;
  EXPECT_TRUE(report.well());
}

TEST(BenchReport, BrokenRun_HasNoFigures) {
  BenchReport report;
  report.runs = {run_of(100, 90)};
  report.runs[0].live.broken = {"1 accepted tasks without an outcome"};
  const json document = bench_json(report);
  EXPECT_TRUE(document["runs"][0]["live"]["latency_us"].is_null());
  EXPECT_TRUE(document["runs"][0]["error_percent"].is_null());
  EXPECT_TRUE(document["error_percent"].is_null());
  const std::string text = bench_text(report, {});
  EXPECT_NE(text.find("no figures"), std::string::npos);
  EXPECT_EQ(text.find("p50"), std::string::npos) << text;
  EXPECT_FALSE(report.well());
}

TEST(BenchReport, SenderThatDidNotKeepUp_IsSaid) {
  BenchReport report;
  report.runs = {run_of(100, 90)};
  report.runs[0].sender.late = 2;
  EXPECT_NE(bench_text(report, {}).find("DID NOT KEEP UP"), std::string::npos);
  EXPECT_FALSE(bench_json(report)["runs"][0]["sender"]["kept_up"].get<bool>());
}

TEST(GivenFleet, Answers_MakeTheFleetAndItsDifferences) {
  const auto placed = [](const char* device) {
    return json{{"device", device}, {"to_board_input_permille", 1250}};
  };
  const json devices{{"devices",
                      {{{"id", "pi-1"}, {"board", "raspberry-pi-5"}, {"state", "live"}},
                       {{"id", "other"}, {"board", "x86-64"}, {"state", "live"}},
                       {{"id", "pi-2"}, {"board", "raspberry-pi-5"}, {"state", "lost"}}}}};
  const json models{{"models",
                     {{{"id", "n-fp32"},
                       {"accuracy_percent", 75.1},
                       {"placements", {placed("pi-1"), placed("other"), placed("pi-1")}}}}}};
  const GivenFleet fleet =
      fleet_of_answers({{"policy", "round-robin"}}, devices, models, scenario());
  EXPECT_EQ(fleet.policy, "round-robin");
  ASSERT_EQ(fleet.devices.size(), 2U);
  EXPECT_EQ(fleet.devices[0].to_board_input.factor_permille, 1250);
  ASSERT_EQ(fleet.devices[0].variants.size(), 1U);
  EXPECT_EQ(fleet.devices[0].variants[0].accuracy.count, 75'100);
  ASSERT_EQ(fleet.differences.size(), 2U);
  EXPECT_EQ(fleet.differences[0], "pi-2 is not there");
  EXPECT_NE(fleet.differences[1].find("other"), std::string::npos);
}

}  // namespace
}  // namespace juggler
