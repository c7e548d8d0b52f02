#include "apps/bench_run.h"

#include <algorithm>

namespace juggler {
namespace {

using sim::RunResult;

std::optional<double> share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? std::nullopt
                    : std::optional(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::optional<double> time_ms(const RunResult& result, Micros time) {
  return result.latency.count == 0 ? std::nullopt
                                   : std::optional(static_cast<double>(time.count) / 1000.0);
}

std::optional<double> energy_mj(const RunResult& result) {
  const std::uint64_t known = result.completed - result.energy_unknown;
  return known == 0 ? std::nullopt
                    : std::optional(static_cast<double>(result.energy_completed.count) / 1000.0 /
                                    static_cast<double>(known));
}

std::optional<double> count(std::uint64_t number) { return static_cast<double>(number); }

}  // namespace

bool BenchReport::well() const {
  return runs.size() == asked && std::all_of(runs.begin(), runs.end(), [](const BenchRun& run) {
           return run.live.well() && (!run.simulated || run.simulated->broken.empty());
         });
}

const std::vector<BenchMeasure>& bench_measures() {
  static const std::vector<BenchMeasure> kMeasures{
      {"offered", "tasks offered", 0, false, [](const RunResult& r) { return count(r.offered); }},
      {"completed", "completed", 0, false, [](const RunResult& r) { return count(r.completed); }},
      {"rejected", "rejected", 0, false, [](const RunResult& r) { return count(r.rejected); }},
      {"expired", "expired", 0, false, [](const RunResult& r) { return count(r.expired); }},
      {"failed", "failed", 0, false,
       [](const RunResult& r) { return count(r.failed + r.turned_away); }},
      {"throughput_hz", "throughput, tasks/s", 2, true,
       [](const RunResult& r) { return std::optional(r.throughput_hz); }},
      {"on_time_share", "on time, %", 2, true,
       [](const RunResult& r) { return share(r.on_time, r.offered); }},
      {"latency_p50", "latency p50, ms", 2, true,
       [](const RunResult& r) { return time_ms(r, r.latency.p50); }},
      {"latency_p90", "latency p90, ms", 2, true,
       [](const RunResult& r) { return time_ms(r, r.latency.p90); }},
      {"latency_p99", "latency p99, ms", 2, true,
       [](const RunResult& r) { return time_ms(r, r.latency.p99); }},
      {"energy", "energy, mJ/task", 2, true, energy_mj},
      {"accuracy", "mean top-1, %", 2, true,
       [](const RunResult& r) {
         return r.completed == 0 ? std::nullopt : std::optional(r.accuracy_percent_mean);
       }},
  };
  return kMeasures;
}

std::optional<double> error_percent(const BenchMeasure& measure, const BenchRun& run) {
  if (!run.comparable()) {
    return std::nullopt;
  }
  const std::optional<double> live = measure.of(run.live.result);
  const std::optional<double> simulated = measure.of(run.simulated->result);
  if (!live || !simulated || *live == 0.0) {
    return std::nullopt;
  }
  return 100.0 * (*simulated - *live) / *live;
}

evaluation::Estimate estimate_of(const BenchMeasure& measure, std::span<const BenchRun* const> runs,
                                 bool live) {
  std::vector<double> values;
  for (const BenchRun* run : runs) {
    if (const auto value = measure.of(live ? run->live.result : run->simulated->result)) {
      values.push_back(*value);
    }
  }
  return evaluation::estimate(values);
}

std::optional<double> mean_error_percent(const BenchMeasure& measure,
                                         std::span<const BenchRun* const> runs) {
  const evaluation::Estimate live = estimate_of(measure, runs, true);
  const evaluation::Estimate simulated = estimate_of(measure, runs, false);
  if (live.count == 0 || simulated.count == 0 || live.mean == 0.0) {
    return std::nullopt;
  }
  return 100.0 * (simulated.mean - live.mean) / live.mean;
}

}  // namespace juggler
