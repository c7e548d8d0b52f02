#include "evaluation/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "evaluation/expectations.h"
#include "evaluation/run_json.h"
#include "evaluation/statistics.h"

namespace juggler::evaluation {
namespace {

using nlohmann::json;

struct Figure {
  const char* name;  // with its unit; a column of the CSV
  std::optional<double> (*of)(const Run& run);
};

std::optional<double> share_percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? std::nullopt
                    : std::optional(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::optional<double> energy_mj(const Run& run) {
  const sim::RunResult& result = run.result;
  return result.completed == 0 || !run.broken.empty()
             ? std::nullopt
             : std::optional(static_cast<double>(result.energy_completed.count) / 1000.0 /
                             static_cast<double>(result.completed));
}

// With what the boards take at rest: the run's mean power, for as long as the tasks that count
// came. The run itself is longer: warm-up, and the last answers.
std::optional<double> total_mj(const Run& run) {
  const sim::RunResult& result = run.result;
  if (result.completed == 0 || !run.broken.empty() || !result.idle_energy ||
      result.ran <= Micros{0}) {
    return std::nullopt;
  }
  const double whole = static_cast<double>((*result.idle_energy + result.energy_total).count);
  const double share =
      static_cast<double>(result.duration.count) / static_cast<double>(result.ran.count);
  return whole * share / 1000.0 / static_cast<double>(result.completed);
}

std::optional<double> over_bound(const Run& run) {
  return run.bound && run.broken.empty() && applies(*run.bound, run.result)
             ? std::optional(ratio_to(*run.bound, run.result))
             : std::nullopt;
}

std::optional<double> over_fluid(const Run& run) {
  return run.bound && run.broken.empty() && run.bound->fluid_uj > 0 &&
                 applies(*run.bound, run.result)
             ? std::optional(static_cast<double>(run.result.energy_completed.count) /
                             static_cast<double>(run.bound->fluid_uj))
             : std::nullopt;
}

std::optional<double> milliseconds(Micros time) { return static_cast<double>(time.count) / 1000.0; }

constexpr std::array<Figure, 20> kFigures{{
    {"offered", [](const Run& r) { return std::optional(static_cast<double>(r.result.offered)); }},
    {"completed",
     [](const Run& r) { return std::optional(static_cast<double>(r.result.completed)); }},
    {"on_time_percent",
     [](const Run& r) { return share_percent(r.result.on_time, r.result.offered); }},
    {"missed",
     [](const Run& r) {
       return std::optional(static_cast<double>(r.result.offered - r.result.on_time));
     }},
    {"rejected_percent",
     [](const Run& r) { return share_percent(r.result.rejected, r.result.offered); }},
    {"failed_percent",
     [](const Run& r) { return share_percent(r.result.failed, r.result.offered); }},
    {"throughput_hz", [](const Run& r) { return std::optional(r.result.throughput_hz); }},
    {"on_time_hz", [](const Run& r) { return std::optional(r.result.on_time_hz); }},
    {"latency_ms_p50", [](const Run& r) { return milliseconds(r.result.latency.p50); }},
    {"latency_ms_p90", [](const Run& r) { return milliseconds(r.result.latency.p90); }},
    {"latency_ms_p95", [](const Run& r) { return milliseconds(r.result.latency.p95); }},
    {"latency_ms_p99", [](const Run& r) { return milliseconds(r.result.latency.p99); }},
    {"energy_mj_per_task", energy_mj},
    {"energy_total_mj_per_task", total_mj},
    {"energy_over_bound", over_bound},
    {"energy_over_fluid_bound", over_fluid},
    {"accuracy_percent",
     [](const Run& r) { return std::optional(r.result.accuracy_percent_mean); }},
    {"recovery_ms", [](const Run& r) { return recovery_ms(*r.scenario, r.result); }},
    {"decision_us_p50",
     [](const Run& r) {
       return std::optional(static_cast<double>(r.result.decision_ns_p50) / 1e3);
     }},
    {"decision_us_p99",
     [](const Run& r) {
       return std::optional(static_cast<double>(r.result.decision_ns_p99) / 1e3);
     }},
}};

json estimate_json(const Estimate& estimate) {
  if (estimate.count == 0) {
    return nullptr;
  }
  return {{"mean", estimate.mean},
          {"half_width", estimate.half_width ? json(*estimate.half_width) : json(nullptr)},
          {"count", estimate.count}};
}

// The runs of one scenario, load and contender in the order of their seeds.
using Line = std::vector<const ResultRun*>;

Estimate mean_of(const Line& line, const Figure& figure) {
  std::vector<double> values;
  for (const ResultRun* one : line) {
    if (const std::optional<double> value = figure.of(one->run)) {
      values.push_back(*value);
    }
  }
  return estimate(values);
}

// Of the seeds that both have.
Estimate difference_of(const Line& line, const Line& reference, const Figure& figure,
                       bool relative) {
  std::vector<double> ours;
  std::vector<double> theirs;
  for (const ResultRun* one : line) {
    for (const ResultRun* other : reference) {
      if (one->run.scenario->seed != other->run.scenario->seed) {
        continue;
      }
      const std::optional<double> a = figure.of(one->run);
      const std::optional<double> b = figure.of(other->run);
      if (a && b && (!relative || *b != 0.0)) {
        ours.push_back(relative ? 100.0 * (*a - *b) / *b : *a);
        theirs.push_back(relative ? 0.0 : *b);
      }
    }
  }
  return paired_difference(ours, theirs);
}

json row_json(const std::string& contender, const Line& line, const Line& reference) {
  json means = json::object();
  json differences = json::object();
  json relative = json::object();
  for (const Figure& figure : kFigures) {
    means[figure.name] = estimate_json(mean_of(line, figure));
    differences[figure.name] = estimate_json(difference_of(line, reference, figure, false));
    relative[figure.name] = estimate_json(difference_of(line, reference, figure, true));
  }
  json problems = json::array();
  for (const ResultRun* one : line) {
    for (const auto& list : {one->run.broken, one->run.unmet}) {
      for (const std::string& what : list) {
        problems.push_back(fmt::format("seed {}: {}", one->run.scenario->seed, what));
      }
    }
  }
  return {{"policy", contender},
          {"mean", std::move(means)},
          {"difference", std::move(differences)},
          {"difference_percent", std::move(relative)},
          {"broken", std::any_of(line.begin(), line.end(),
                                 [](const ResultRun* one) { return !one->run.broken.empty(); })},
          {"problems", std::move(problems)}};
}

json group_json(const EvaluationCase& wanted, const Line& runs, const std::string& scenario,
                std::optional<double> load) {
  const auto line_of = [&](const std::string& contender) {
    Line line;
    for (const ResultRun* one : runs) {
      if (one->contender == contender && one->scenario == scenario && one->load == load) {
        line.push_back(one);
      }
    }
    return line;
  };
  const Line reference = line_of(wanted.reference);
  json rows = json::array();
  json timelines = json::object();
  for (const std::string& contender : wanted.contenders) {
    const Line line = line_of(contender);
    if (line.empty()) {
      continue;
    }
    rows.push_back(row_json(contender, line, reference));
    if (wanted.timeline) {
      timelines[contender] = seconds_json(line.front()->run.result);
    }
  }
  json group{{"scenario", scenario}, {"load", load ? json(*load) : json(nullptr)}};
  if (!runs.empty()) {
    json faults = json::array();
    for (const Fault& fault : runs.front()->run.scenario->faults) {
      faults.push_back({{"kind", to_string(fault.kind)},
                        {"at_s", static_cast<double>(fault.at.count) / 1e6},
                        {"lasts_s", static_cast<double>(fault.lasts.count) / 1e6}});
    }
    group["faults"] = std::move(faults);
  }
  group["rows"] = std::move(rows);
  if (!timelines.empty()) {
    group["timelines"] = std::move(timelines);
  }
  return group;
}

json case_json(const EvaluationCase& wanted, const std::vector<ResultRun>& runs,
               std::size_t index) {
  json groups = json::array();
  for (const std::string& scenario : wanted.scenarios) {
    std::vector<std::optional<double>> loads(wanted.loads.begin(), wanted.loads.end());
    if (loads.empty()) {
      loads.emplace_back();
    }
    for (const std::optional<double>& load : loads) {
      Line ours;
      for (const ResultRun& one : runs) {
        if (one.of_case == index && one.scenario == scenario && one.load == load) {
          ours.push_back(&one);
        }
      }
      if (!ours.empty()) {
        groups.push_back(group_json(wanted, ours, scenario, load));
      }
    }
  }
  return {{"name", wanted.name},
          {"about", wanted.about},
          {"reference", wanted.reference},
          {"bound", to_string(wanted.bound)},
          {"groups", std::move(groups)}};
}

}  // namespace

std::string results_csv(const Evaluation& evaluation, const std::vector<ResultRun>& runs) {
  std::string text = "case,scenario,load,policy,seed";
  for (const Figure& figure : kFigures) {
    text += fmt::format(",{}", figure.name);
  }
  text += ",lost,broken,unmet,digest\n";
  for (const ResultRun& one : runs) {
    text += fmt::format("\"{}\",{},{},{},{}", evaluation.cases[one.of_case].name, one.scenario,
                        one.load ? fmt::format("{}", *one.load) : "", one.contender,
                        one.run.scenario->seed);
    for (const Figure& figure : kFigures) {
      const std::optional<double> value = figure.of(one.run);
      text += value ? fmt::format(",{:.6g}", *value) : ",";
    }
    text += fmt::format(",{},{},{},{:016x}\n", one.run.result.lost, one.run.broken.size(),
                        one.run.unmet.size(), one.run.result.digest);
  }
  return text;
}

json results_json(const Evaluation& evaluation, const std::vector<ResultRun>& runs) {
  json cases = json::array();
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    cases.push_back(case_json(evaluation.cases[i], runs, i));
  }
  json list = json::array();
  for (const ResultRun& one : runs) {
    json entry = run_json(one.run);
    entry["case"] = evaluation.cases[one.of_case].name;
    entry["load"] = one.load ? json(*one.load) : json(nullptr);
    entry["policy"] = one.contender;
    list.push_back(std::move(entry));
  }
  return {{"evaluation", evaluation.name},
          {"about", evaluation.about},
          {"simulated", true},
          {"cases", std::move(cases)},
          {"runs", std::move(list)}};
}

}  // namespace juggler::evaluation
