#include "evaluation/expectations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace juggler::evaluation {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double milliseconds_of(Micros time) { return static_cast<double>(time.count) / 1000.0; }

// On-time share of the tasks that were scheduled in these seconds.
std::optional<double> on_time_share(const std::vector<sim::SecondResult>& seconds, std::size_t from,
                                    std::size_t until) {
  std::uint64_t offered = 0;
  std::uint64_t on_time = 0;
  for (std::size_t s = from; s < std::min(until, seconds.size()); ++s) {
    offered += seconds[s].offered;
    on_time += seconds[s].on_time;
  }
  return offered == 0 ? std::nullopt : std::optional(share(on_time, offered));
}

// A fault after which the same outcome may come again: it was on its way when something died.
bool may_repeat_outcomes(const Scenario& scenario) {
  return scenario.random_faults > 0 ||
         std::any_of(scenario.faults.begin(), scenario.faults.end(), [](const Fault& fault) {
           return fault.kind == FaultKind::ControllerCrash ||
                  fault.kind == FaultKind::BrokerRestart || fault.device.empty();
         });
}

}  // namespace

std::optional<double> recovery_ms(const Scenario& scenario, const sim::RunResult& result) {
  if (scenario.faults.empty()) {
    return std::nullopt;
  }
  std::int64_t first_us = scenario.duration.count;
  std::int64_t last_us = 0;
  for (const Fault& fault : scenario.faults) {
    first_us = std::min(first_us, fault.at.count);
    last_us = std::max(last_us, (fault.at + fault.lasts).count);
  }
  const auto first = static_cast<std::size_t>(first_us / 1'000'000);
  const auto last = static_cast<std::size_t>((last_us + 999'999) / 1'000'000);
  const auto warm = static_cast<std::size_t>(scenario.warm_up.count / 1'000'000);
  const std::optional<double> before = on_time_share(result.seconds, warm, first);
  if (!before) {
    return std::nullopt;
  }
  for (std::size_t s = last; s < result.seconds.size(); ++s) {
    const std::optional<double> now = on_time_share(result.seconds, s, s + 1);
    if (now && *now >= 0.95 * *before) {
      return (static_cast<double>(s) * 1e6 - static_cast<double>(last_us)) / 1e3;
    }
  }
  return std::nullopt;
}

std::optional<double> measure(Measure what, const Scenario& scenario, const sim::RunResult& result,
                              const std::optional<RunBound>& bound) {
  switch (what) {
    case Measure::Unanswered:
      return static_cast<double>(result.lost);
    case Measure::OnTimeRatio:
      return share(result.on_time, result.offered);
    case Measure::MissRatio:
      return 1.0 - share(result.on_time, result.offered);
    case Measure::RejectedRatio:
      return share(result.rejected, result.offered);
    case Measure::FailedRatio:
      return share(result.failed, result.offered);
    case Measure::Throughput:
      return result.throughput_hz;
    case Measure::OnTimeRate:
      return result.on_time_hz;
    case Measure::LatencyP50:
      return milliseconds_of(result.latency.p50);
    case Measure::LatencyP99:
      return milliseconds_of(result.latency.p99);
    case Measure::AccuracyMean:
      return result.accuracy_percent_mean;
    case Measure::EnergyMean:
      return result.completed == 0
                 ? std::nullopt
                 : std::optional(static_cast<double>(result.energy_completed.count) / 1000.0 /
                                 static_cast<double>(result.completed));
    case Measure::EnergyOverBound:
      return bound && applies(*bound, result) ? std::optional(ratio_to(*bound, result))
                                              : std::nullopt;
    case Measure::PowerPeak:
      return static_cast<double>(result.power_peak.count) / 1000.0;
    case Measure::MemoryRefused:
      return static_cast<double>(result.memory_refused);
    case Measure::Recovery:
      return recovery_ms(scenario, result);
  }
  return std::nullopt;
}

std::vector<std::string> unmet(const Scenario& scenario, const sim::RunResult& result,
                               const std::optional<RunBound>& bound) {
  std::vector<std::string> sentences;
  for (const Expectation& wanted : scenario.expectations) {
    const std::optional<double> value = measure(wanted.measure, scenario, result, bound);
    const std::string key = expectation_key(wanted.measure, wanted.at_most);
    if (!value) {
      sentences.push_back(fmt::format("{} = {}: the run has no such figure", key, wanted.value));
    } else if (wanted.at_most ? *value > wanted.value : *value < wanted.value) {
      sentences.push_back(fmt::format("{} = {}: it was {:.4g}", key, wanted.value, *value));
    }
  }
  return sentences;
}

std::vector<std::string> broken_promises(const Scenario& scenario, const sim::RunResult& result) {
  std::vector<std::string> sentences;
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count > 0) {
      sentences.push_back(fmt::format("{} {}", count, what));
    }
  };
  add(result.lost, "accepted tasks without an outcome");
  add(result.contradicted, "tasks with two outcomes that differ");
  add(result.below_accuracy_floor, "tasks served below their accuracy floor");
  if (!may_repeat_outcomes(scenario)) {
    add(result.duplicated, "outcomes that came twice");
  }
  for (const std::string& complaint : result.complaints) {
    sentences.push_back("checker: " + complaint);
  }
  return sentences;
}

}  // namespace juggler::evaluation
