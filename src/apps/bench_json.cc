// The report of `juggler bench` as JSON: docs/cli.md#juggler-bench.

#include <nlohmann/json.hpp>
#include <thread>

#include "apps/bench_run.h"
#include "apps/version.h"
#include "evaluation/run_json.h"

namespace juggler {
namespace {

using nlohmann::json;

// What a live run cannot know is null or left out; a broken one keeps its counts alone.
json live_json(const BenchRun& run) {
  json document = evaluation::run_json(run.live);
  for (const char* key : {"digest", "events", "bound", "bound_problem", "recovery_ms", "drawn"}) {
    document.erase(key);
  }
  for (json& device : document["devices"]) {
    device.erase("processors");
  }
  document["decision_ns"] = nullptr;
  document["finished"] = run.live.finished;
  if (run.whole()) {
    document["energy_uj"]["marginal"] = nullptr;
    document["energy_uj"]["total"] = nullptr;
    return document;
  }
  for (const char* key : {"latency_us", "latency_parts_us", "throughput_hz", "on_time_hz",
                          "energy_uj", "accuracy_percent_mean"}) {
    document[key] = nullptr;
  }
  document.erase("classes");
  return document;
}

json sender_json(const SenderReport& sender) {
  return {{"sent", sender.sent},
          {"sent_again", sender.sent_again},
          {"late_us",
           {{"p50", sender.late_p50.count},
            {"p99", sender.late_p99.count},
            {"max", sender.late_max.count}}},
          {"late", sender.late},
          {"late_us_limit", kSenderLateMax.count},
          {"kept_up", sender.kept_up()}};
}

json errors_json(const BenchRun& run) {
  if (!run.comparable()) {
    return nullptr;
  }
  json errors = json::object();
  for (const BenchMeasure& measure : bench_measures()) {
    if (measure.judged) {
      const auto error = error_percent(measure, run);
      errors[measure.key] = error ? json(*error) : json(nullptr);
    }
  }
  return errors;
}

// Of the means over the seeds.
json mean_errors_json(const BenchReport& report) {
  std::vector<const BenchRun*> runs;
  for (const BenchRun& run : report.runs) {
    if (run.comparable()) {
      runs.push_back(&run);
    }
  }
  if (runs.empty()) {
    return nullptr;
  }
  json errors = json::object();
  for (const BenchMeasure& measure : bench_measures()) {
    if (measure.judged) {
      const std::optional<double> error = mean_error_percent(measure, runs);
      errors[measure.key] = error ? json(*error) : json(nullptr);
    }
  }
  return errors;
}

}  // namespace

json bench_json(const BenchReport& report) {
  json runs = json::array();
  for (const BenchRun& run : report.runs) {
    json entry{{"seed", run.live.scenario->seed},  {"policy", run.live.policy},
               {"live", live_json(run)},           {"sender", sender_json(run.sender)},
               {"load_average", run.load_average}, {"error_percent", errors_json(run)}};
    entry["simulated"] = run.simulated ? evaluation::run_json(*run.simulated) : json(nullptr);
    runs.push_back(std::move(entry));
  }
  return {{"scenario", report.scenario},
          {"juggler", version_short()},
          {"fleet", report.fleet},
          {"energy", report.energy},
          {"notes", report.notes},
          {"processors", std::thread::hardware_concurrency()},
          {"complete", report.runs.size() == report.asked},
          {"error_percent", mean_errors_json(report)},
          {"runs", std::move(runs)}};
}

}  // namespace juggler
