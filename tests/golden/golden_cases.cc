#include "golden_cases.h"

#include <nlohmann/json.hpp>

#include "apps/outcome_table.h"
#include "apps/quantities.h"
#include "apps/query_tables.h"

namespace juggler {
namespace {

using nlohmann::json;

ClientAnswer completed(const std::string& label, double score, bool twin) {
  ClientAnswer answer;
  answer.end = ClientEnd::Answered;
  Outcome& outcome = answer.outcome;
  outcome.key.id = "task-1";
  outcome.kind = OutcomeKind::Completed;
  outcome.labels = {{282, label, score}};
  outcome.device = twin ? "jetson-orin-nano" : "this-machine";
  outcome.processor = twin ? "gpu0" : "cpu0";
  outcome.variant = twin ? "efficientnet_lite0-fp16" : "efficientnet_lite2-int8";
  outcome.twin = twin;
  outcome.weights = Weights::Pretrained;
  outcome.accuracy = {twin ? 75'100 : 77'000};
  outcome.total = {twin ? 8'140 : 123'400};
  outcome.energy =
      twin ? EnergyFigure{{35'200}, {15'600}, {73'000}, Evidence::Assumed, PowerScope::ModuleRail}
           : EnergyFigure{
                 {1'230'000}, {1'200'000}, {1'260'000}, Evidence::Measured, PowerScope::BoardInput};
  return answer;
}

ClientAnswer refused() {
  ClientAnswer answer;
  answer.end = ClientEnd::Answered;
  answer.outcome.kind = OutcomeKind::Rejected;
  answer.outcome.reason =
      "no device can meet the requirements: 33 of 40 candidates: accuracy is below the task's "
      "floor; 7 of 40 candidates: misses the deadline even when idle";
  return answer;
}

// Every kind of row.
std::string outcomes(const Screen& screen) {
  OutcomeTable table(screen);
  const ClientAnswer right = completed("tiger cat", 0.612, true);
  const ClientAnswer wrong =
      completed("a label that is much too long for its column", 0.999, false);
  const ClientAnswer no = refused();
  ClientAnswer unread;
  unread.end = ClientEnd::Unreadable;
  unread.problem = "the file is empty";
  ClientAnswer synthetic = completed("tench", 0.1, true);
  synthetic.outcome.weights = Weights::Synthetic;
  ClientAnswer unlabelled = completed("", 0, true);
  unlabelled.outcome.labels.clear();
  unlabelled.outcome.energy.reset();
  table.section("First");
  table.add({"cat.jpg", &right, {"tabby", "tiger cat"}});
  table.add({"a-picture-with-a-long-name.png", &wrong, {"tabby"}});
  table.add({"cat.jpg", &right, {}});
  table.section("");
  table.section("Second");
  table.add({"cat.jpg", &no, {}});
  table.add({"empty.jpg", &unread, {}});
  table.add({"fish.jpg", &synthetic, {}});
  table.add({"twin.jpg", &unlabelled, {}});
  table.section("Grouped");
  table.add_grouped({right, wrong, right, no});
  return table.text();
}

// Nobody served anything: no energy, and nothing to say about one.
std::string refusals(const Screen& screen) {
  OutcomeTable table(screen);
  const ClientAnswer no = refused();
  table.add({"cat.jpg", &no, {}});
  return table.text();
}

json candidate(const std::string& device, const std::string& verdict, std::int64_t energy_uj) {
  json entry{
      {"device", device},       {"processor", "gpu0"},        {"variant", "resnet50-fp16"},
      {"twin", device != "pi"}, {"accuracy_percent", 80.858}, {"latency_us", 5'430},
      {"finish_us", 8'430},     {"verdict", verdict},         {"why", "said by the controller"},
      {"chosen", false}};
  if (energy_uj > 0) {
    entry.update({{"energy_uj", energy_uj},
                  {"energy_uj_low", energy_uj / 2},
                  {"energy_uj_high", energy_uj * 2},
                  {"energy_evidence", "derived"},
                  {"energy_scope", "board-input"},
                  {"energy_uj_board_input", energy_uj * 5 / 4},
                  {"cost_uj", energy_uj * 5 / 4}});
  }
  return entry;
}

json explanation() {
  json chosen = candidate("jetson-orin-nano", "meets", 35'200);
  chosen["chosen"] = true;
  json late = candidate("jetson-xavier", "window-full", 20'000);
  late.update({{"finish_us", 908'430}, {"cost_uj", 115'000}, {"waiting_uj", 90'000}});
  json synthetic = candidate("jetson-nano", "synthetic-weights", 70'000);
  synthetic["weights"] = "synthetic";
  return {{"task", "task-1"},
          {"policy", "juggler"},
          {"decision", "place"},
          {"reason", ""},
          {"requirements",
           {{"model", "imagenet"},
            {"priority", 3},
            {"min_accuracy_percent", 76.5},
            {"deadline_us", 200'000},
            {"energy_uj_max", 500'000}}},
          {"age_us", 1'250},
          {"remaining_us", 198'750},
          {"candidates",
           {chosen, candidate("jetson-nano", "meets", 102'000), candidate("pi", "meets", 0), late,
            candidate("raspberry-pi-4", "too-slow", 510'000),
            candidate("raspberry-pi-5", "below-accuracy", 73'500),
            candidate("jetson-nano", "below-accuracy", 70'000), synthetic,
            candidate("jetson-nano", "other-model", 70'000)}}};
}

json devices() {
  return {{"devices",
           {{{"id", "this-machine"},
             {"board", "x86-64"},
             {"twin", false},
             {"state", "live"},
             {"network_us", 2'345},
             {"memory_bytes_free", 21'474'836'480},
             {"host",
              {{"cpu_load_permille", 123},
               {"gpu_load_permille", 308},
               {"dla_active", 1},
               {"temperature_millicelsius", 51'230},
               {"power_mw", 5124},
               {"power_scope", "module-rail"},
               {"power_evidence", "measured"},
               {"power_mode", "15W"},
               {"memory_pressure_permille", 42},
               {"throttled", true},
               {"under_voltage", false},
               {"age_us", 312'000}}},
             {"processors",
              {{{"id", "cpu0"},
                {"runtime", "ONNX Runtime 1.32.0, CPU, 2 threads"},
                {"variants", 25},
                {"in_flight", 1},
                {"completed", 120}}}}},
            {{"id", "jetson-orin-nano"},
             {"board", "jetson-orin-nano"},
             {"twin", true},
             {"state", "suspect"},
             {"processors",
              {{{"id", "cpu0"}, {"runtime", "ncnn"}, {"variants", 10}},
               {{"id", "gpu0"}, {"runtime", "TensorRT FP16 (JetPack 6.0)"}}}}}}}};
}

json models() {
  return {{"auto_model", "imagenet"},
          {"models",
           {{{"id", "resnet50-fp16"},
             {"model", "imagenet"},
             {"accuracy_percent", 80.858},
             {"accuracy_evidence", "published"},
             {"weights", "pretrained"},
             {"placements",
              {{{"device", "pi"}, {"processor", "cpu0"}, {"latency_us_mean", 90'000}},
               {{"device", "jetson-nano"},
                {"processor", "gpu0"},
                {"twin", true},
                {"latency_us_mean", 30'000},
                {"energy_uj", 200'000},
                {"energy_uj_low", 100'000},
                {"energy_uj_high", 400'000}}}}},
            {{"id", "resnet18-int8"},
             {"model", "imagenet"},
             {"accuracy_percent", 69.758},
             {"weights", "synthetic"},
             {"placements", json::array()}},
            {{"id", "noop-fp32"}, {"model", "noop"}, {"placements", json::array()}}}}};
}

json tasks() {
  return {{"live", 1},
          {"tasks",
           {{{"id", "task-1"},
             {"state", "waiting"},
             {"age_us", 12'000},
             {"attempts", 0},
             {"waiting_for", "its window is full; it would be in time after that"}},
            {{"id", "task-0"},
             {"state", "completed"},
             {"labels", {{{"label", "tabby"}, {"score", 0.5}}}},
             {"device", "pi"},
             {"variant", "resnet50-fp32"},
             {"latency_us", {{"total", 45'600}}},
             {"attempts", {{{"device", "pi"}}}}},
            {{"id", "task-2"},
             {"state", "completed"},
             {"labels", {{{"label", "tench"}, {"score", 0.1}}}},
             {"device", "jetson-nano"},
             {"twin", true},
             {"variant", "resnet18-int8"},
             {"weights", "synthetic"},
             {"latency_us", {{"total", 12'300}}},
             {"attempts", {{{"device", "jetson-nano"}}}}}}}};
}

std::string quantities() {
  std::string text;
  for (const std::int64_t us : {0, 7, 999, 1'000, 8'140, 99'960, 123'456, 1'000'000, 61'500'000}) {
    text += show(Micros{us}) + "\n";
  }
  for (const std::int64_t uj : {0, 12, 950, 1'000, 8'140, 99'960, 1'234'567}) {
    text += show(Microjoules{uj}) + "\n";
  }
  for (const std::int64_t bytes : {0, 1'023, 1'536, 9'437'184}) {
    text += show(Bytes{bytes}) + "\n";
  }
  for (const char* written :
       {"200ms", "2s", "1.5 s", "200", "ms", "-3s", "0ms", "5parsec", "1e99s", "0.1us"}) {
    const Result<Micros> parsed = parse_duration(written);
    text +=
        std::string(written) + " -> " + (parsed ? show(*parsed) : parsed.error().message) + "\n";
  }
  for (const char* written : {"500mJ", "1.5J", "500", "3W", "0J", "1e30mJ"}) {
    const Result<Microjoules> parsed = parse_energy(written);
    text +=
        std::string(written) + " -> " + (parsed ? show(*parsed) : parsed.error().message) + "\n";
  }
  for (const char* written : {"75", "75.1%", "101", "high"}) {
    const Result<MilliPercent> parsed = parse_percent(written);
    text +=
        std::string(written) + " -> " + (parsed ? show(*parsed) : parsed.error().message) + "\n";
  }
  return text;
}

}  // namespace

std::vector<GoldenCase> golden_cases() {
  const Screen usual{.terminal = false, .width = 120, .utf8 = true};
  const Screen narrow{.terminal = true, .width = 80, .utf8 = false};
  const Screen wide{.terminal = true, .width = 180, .utf8 = true};
  return {{"outcomes-120", outcomes(usual)},
          {"outcomes-80-ascii", outcomes(narrow)},
          {"outcomes-180", outcomes(wide)},
          {"outcomes-refused", refusals(usual)},
          {"explain-120", explain_text(explanation(), usual, {})},
          {"explain-80-ascii", explain_text(explanation(), narrow, {})},
          {"explain-all", explain_text(explanation(), usual, {.all = true})},
          {"explain-short", explain_text(explanation(), usual, {.all = false, .rows_max = 1})},
          {"explain-nonsense", explain_text(json{{"candidates", 5}}, usual, {})},
          {"devices-120", devices_text(devices(), usual)},
          {"devices-80-ascii", devices_text(devices(), narrow)},
          {"devices-none", devices_text(json::object(), usual)},
          {"models-120", models_text(models(), usual)},
          {"models-80-ascii", models_text(models(), narrow)},
          {"tasks-120", tasks_text(tasks(), usual)},
          {"tasks-80-ascii", tasks_text(tasks(), narrow)},
          {"quantities", quantities()}};
}

}  // namespace juggler
