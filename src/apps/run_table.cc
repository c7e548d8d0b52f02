#include "apps/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/quantities.h"
#include "evaluation/statistics.h"

namespace juggler {
namespace {

using evaluation::Estimate;
using evaluation::Run;

// Of all runs of a policy, a figure where the run has it.
template <class Figure>
Estimate over(const std::vector<const Run*>& runs, Figure figure) {
  std::vector<double> values;
  for (const Run* run : runs) {
    if (const std::optional<double> value = figure(*run)) {
      values.push_back(*value);
    }
  }
  return evaluation::estimate(values);
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string with_interval(const Estimate& estimate, int digits, bool utf8) {
  if (estimate.count == 0) {
    return utf8 ? "–" : "-";
  }
  const std::string mean = fmt::format("{:.{}f}", estimate.mean, digits);
  return estimate.half_width
             ? fmt::format("{} {} {:.{}f}", mean, utf8 ? "±" : "+-", *estimate.half_width, digits)
             : mean;
}

std::string time_text(const Estimate& micros) {
  return show(Micros{static_cast<std::int64_t>(micros.mean)});
}

std::vector<std::string> row_of(const std::string& policy, const std::vector<const Run*>& runs,
                                bool utf8) {
  const auto result = [](const Run& run) -> const sim::RunResult& { return run.result; };
  const Estimate offered = over(runs, [&](const Run& run) {
    return std::optional(static_cast<double>(result(run).offered));
  });
  const Estimate on_time = over(runs, [&](const Run& run) {
    return std::optional(share(result(run).on_time, result(run).offered));
  });
  const Estimate rejected = over(runs, [&](const Run& run) {
    return std::optional(share(result(run).rejected, result(run).offered));
  });
  const Estimate p50 = over(runs, [&](const Run& run) {
    return std::optional(static_cast<double>(result(run).latency.p50.count));
  });
  const Estimate p99 = over(runs, [&](const Run& run) {
    return std::optional(static_cast<double>(result(run).latency.p99.count));
  });
  const Estimate energy = over(runs, [&](const Run& run) -> std::optional<double> {
    const sim::RunResult& r = result(run);
    return r.completed == 0 ? std::nullopt
                            : std::optional(static_cast<double>(r.energy_completed.count) / 1000.0 /
                                            static_cast<double>(r.completed));
  });
  const Estimate ratio = over(runs, [&](const Run& run) -> std::optional<double> {
    return run.bound && applies(*run.bound, run.result)
               ? std::optional(ratio_to(*run.bound, run.result))
               : std::nullopt;
  });
  const Estimate accuracy =
      over(runs, [&](const Run& run) { return std::optional(result(run).accuracy_percent_mean); });
  const Estimate decision50 = over(runs, [&](const Run& run) {
    return std::optional(static_cast<double>(result(run).decision_ns_p50) / 1000.0);
  });
  const Estimate decision99 = over(runs, [&](const Run& run) {
    return std::optional(static_cast<double>(result(run).decision_ns_p99) / 1000.0);
  });
  return {policy,
          fmt::format("{:.0f}", offered.mean),
          with_interval(on_time, 2, utf8),
          with_interval(rejected, 2, utf8),
          time_text(p50),
          time_text(p99),
          with_interval(energy, 1, utf8),
          with_interval(ratio, 3, utf8),
          fmt::format("{:.2f}", accuracy.mean),
          fmt::format("{:.1f}/{:.1f}", decision50.mean, decision99.mean)};
}

std::vector<std::string> problems_of(const std::vector<const Run*>& runs, bool broken) {
  std::vector<std::string> lines;
  for (const Run* run : runs) {
    for (const std::string& what : broken ? run->broken : run->unmet) {
      lines.push_back(fmt::format("seed {}: {}", run->scenario->seed, what));
    }
  }
  return lines;
}

}  // namespace

std::string runs_text(const std::vector<Run>& runs, const Screen& screen) {
  Table table(
      {{.title = "policy", .fit = Column::Fit::Cut},
       {.title = "tasks", .right = true},
       {.title = "on time %", .right = true},
       {.title = "rejected %", .right = true, .leave_out = 1},
       {.title = "p50", .right = true, .leave_out = 2},
       {.title = "p99", .right = true},
       {.title = "mJ/task", .right = true},
       {.title = "x bound", .right = true},
       {.title = "top-1 %", .right = true},
       {.title = screen.utf8 ? "decision µs" : "decision us", .right = true, .leave_out = 3}});
  std::vector<std::string> order;
  for (const Run& run : runs) {
    if (std::find(order.begin(), order.end(), run.policy) == order.end()) {
      order.push_back(run.policy);
    }
  }
  for (const std::string& policy : order) {
    std::vector<const Run*> ours;
    for (const Run& run : runs) {
      if (run.policy == policy) {
        ours.push_back(&run);
      }
    }
    const std::vector<std::string> broken = problems_of(ours, true);
    if (!broken.empty()) {
      table.row({policy, "", "", "", "", "", "", "", "", ""});
      table.note("no figures, because promises were broken:");
    } else {
      table.row(row_of(policy, ours, screen.utf8));
    }
    for (const std::string& line : broken) {
      table.note(line);
    }
    for (const std::string& line : problems_of(ours, false)) {
      table.note("not as expected: " + line);
    }
  }
  return table.text(screen);
}

}  // namespace juggler
