#include "evaluation/run_json.h"

#include <fmt/format.h>

#include "evaluation/expectations.h"

namespace juggler::evaluation {
namespace {

using nlohmann::json;

json latency_json(const sim::LatencySummary& latency) {
  return {{"count", latency.count},   {"mean", latency.mean.count}, {"p50", latency.p50.count},
          {"p90", latency.p90.count}, {"p95", latency.p95.count},   {"p99", latency.p99.count},
          {"max", latency.max.count}};
}

json parts_json(const sim::LatencyParts& parts) {
  return {{"outside", parts.outside.count},
          {"waiting", parts.waiting.count},
          {"network", parts.network.count},
          {"queued", parts.queued.count},
          {"compute", parts.compute.count}};
}

json classes_json(const sim::RunResult& result) {
  json list = json::array();
  for (const sim::ClassResult& demand : result.classes) {
    list.push_back({{"name", demand.name},
                    {"offered", demand.offered},
                    {"completed", demand.completed},
                    {"on_time", demand.on_time},
                    {"rejected", demand.rejected},
                    {"expired", demand.expired},
                    {"failed", demand.failed},
                    {"latency_us", latency_json(demand.latency)},
                    {"energy_uj", demand.energy.count},
                    {"accuracy_percent_mean", demand.accuracy_percent_mean}});
  }
  return list;
}

json devices_json(const sim::RunResult& result) {
  json list = json::array();
  for (const sim::DeviceResult& device : result.devices) {
    json processors = json::array();
    for (const sim::ProcessorResult& processor : device.processors) {
      processors.push_back({{"id", processor.id},
                            {"batches", processor.batches},
                            {"tasks", processor.tasks},
                            {"utilisation", processor.utilisation},
                            {"energy_uj", processor.energy.count}});
    }
    list.push_back({{"id", device.id},
                    {"board", device.board},
                    {"completed", device.completed},
                    {"dropped", device.dropped},
                    {"processors", std::move(processors)}});
  }
  return list;
}

// A run that broke a promise has no energy.
json energy_json(const Run& run) {
  const sim::RunResult& result = run.result;
  if (!run.broken.empty()) {
    return nullptr;
  }
  json energy{{"completed", result.energy_completed.count},
              {"marginal", result.energy_total.count},
              {"unknown_tasks", result.energy_unknown}};
  energy["total"] = result.idle_energy ? json(result.idle_energy->count + result.energy_total.count)
                                       : json(nullptr);
  energy["per_completed_task"] =
      result.completed == 0
          ? json(nullptr)
          : json(result.energy_completed.count / static_cast<std::int64_t>(result.completed));
  return energy;
}

json bound_json(const Run& run) {
  if (!run.bound || !run.broken.empty()) {
    return nullptr;
  }
  return {{"kind", to_string(run.bound->kind)},
          {"energy_uj", run.bound->energy_uj},
          {"fluid_uj", run.bound->fluid_uj},
          {"drop_share", run.bound->drop_share},
          {"converged", run.bound->converged},
          {"ratio", applies(*run.bound, run.result) ? json(ratio_to(*run.bound, run.result))
                                                    : json(nullptr)}};
}

}  // namespace

json run_json(const Run& run) {
  const sim::RunResult& result = run.result;
  json document{{"scenario", run.scenario->name},
                {"policy", run.policy},
                {"seed", run.scenario->seed},
                {"drawn", run.scenario->drawn},
                {"duration_us", result.duration.count},
                {"offered", result.offered},
                {"completed", result.completed},
                {"on_time", result.on_time},
                {"rejected", result.rejected},
                {"expired", result.expired},
                {"failed", result.failed},
                {"turned_away", result.turned_away},
                {"lost", result.lost},
                {"duplicated", result.duplicated},
                {"contradicted", result.contradicted},
                {"below_accuracy_floor", result.below_accuracy_floor},
                {"rejected_by_reason", result.rejected_by_reason},
                {"throughput_hz", result.throughput_hz},
                {"on_time_hz", result.on_time_hz},
                {"latency_us", latency_json(result.latency)},
                {"latency_parts_us", parts_json(result.latency_parts)},
                {"energy_uj", energy_json(run)},
                {"power_mw_peak", result.power_peak.count},
                {"power_over_us", result.power_over.count},
                {"memory_refused", result.memory_refused},
                {"bound", bound_json(run)},
                {"accuracy_percent_mean", result.accuracy_percent_mean},
                {"decision_ns", {{"p50", result.decision_ns_p50}, {"p99", result.decision_ns_p99}}},
                {"digest", fmt::format("{:016x}", result.digest)},
                {"events", result.events},
                {"broken", run.broken},
                {"unmet", run.unmet}};
  const std::optional<double> recovery = recovery_ms(*run.scenario, result);
  document["recovery_ms"] = recovery ? json(*recovery) : json(nullptr);
  if (!run.bound_problem.empty()) {
    document["bound_problem"] = run.bound_problem;
  }
  document["classes"] = classes_json(result);
  document["devices"] = devices_json(result);
  return document;
}

json seconds_json(const sim::RunResult& result) {
  json list = json::array();
  for (const sim::SecondResult& second : result.seconds) {
    list.push_back({{"offered", second.offered},
                    {"on_time", second.on_time},
                    {"missed", second.missed},
                    {"completed", second.completed},
                    {"energy_uj", second.energy_uj},
                    {"accuracy_millipercent_sum", second.accuracy_millipercent_sum},
                    {"tasks_in_controller", second.tasks_in_controller}});
  }
  return list;
}

}  // namespace juggler::evaluation
