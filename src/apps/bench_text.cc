// The report of `juggler bench` for people.

#include <fmt/format.h>

#include <algorithm>

#include "apps/bench_run.h"
#include "apps/quantities.h"
#include "evaluation/statistics.h"

namespace juggler {
namespace {

using evaluation::Estimate;
using sim::RunResult;

std::string figure(const Estimate& estimate, int digits, bool utf8) {
  if (estimate.count == 0) {
    return "-";
  }
  std::string text = fmt::format("{:.{}f}", estimate.mean, digits);
  if (estimate.half_width) {
    text += fmt::format(" {} {:.{}f}", utf8 ? "±" : "+-", *estimate.half_width, digits);
  }
  return text;
}

// Of the means, and where there are several seeds the least and the greatest.
std::string error_text(const std::vector<const BenchRun*>& runs, const BenchMeasure& measure) {
  std::vector<double> errors;
  for (const BenchRun* run : runs) {
    if (const auto error = error_percent(measure, *run)) {
      errors.push_back(*error);
    }
  }
  const std::optional<double> mean = mean_error_percent(measure, runs);
  if (errors.empty() || !mean) {
    return "-";
  }
  std::string text = fmt::format("{:+.1f} %", *mean);
  if (errors.size() > 1) {
    text += fmt::format(" ({:+.1f} to {:+.1f})", *std::min_element(errors.begin(), errors.end()),
                        *std::max_element(errors.begin(), errors.end()));
  }
  return text;
}

std::string table_text(const BenchReport& report, const Screen& screen) {
  std::vector<const BenchRun*> whole;
  std::vector<const BenchRun*> both;
  for (const BenchRun& run : report.runs) {
    if (run.whole()) {
      whole.push_back(&run);
    }
    if (run.comparable()) {
      both.push_back(&run);
    }
  }
  if (whole.empty()) {
    return "";
  }
  const bool compared = both.size() == whole.size();
  std::vector<Column> columns{{.title = "measure"}, {.title = "live", .right = true}};
  if (compared) {
    columns.push_back({.title = "simulated", .right = true});
    columns.push_back({.title = "the simulator's error", .right = true});
  }
  Table table(std::move(columns));
  for (const BenchMeasure& measure : bench_measures()) {
    std::vector<std::string> cells{
        measure.title, figure(estimate_of(measure, whole, true), measure.digits, screen.utf8)};
    if (compared) {
      cells.push_back(figure(estimate_of(measure, both, false), measure.digits, screen.utf8));
      cells.push_back(measure.judged ? error_text(both, measure) : "");
    }
    table.row(std::move(cells));
  }
  return table.text(screen);
}

std::string reasons_text(const RunResult& result) {
  std::string text;
  for (const auto& [reason, tasks] : result.rejected_by_reason) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", tasks, reason);
  }
  return text;
}

// What is to be said of one seed beside its figures.
std::vector<std::string> seed_lines(const BenchRun& run) {
  const std::string seed = fmt::format("Seed {}: ", run.live.scenario->seed);
  std::vector<std::string> lines;
  const auto say = [&](const std::string& what) { lines.push_back(seed + what + "."); };
  for (const std::string& what : run.live.broken) {
    say("no figures, because promises were broken: " + what);
  }
  if (!run.whole()) {
    if (lines.empty()) {
      say("stopped, no figures");
    }
    return lines;
  }
  const SenderReport& sender = run.sender;
  say(fmt::format("sender late {} (median), {} (p99), {} (most); load average {:.1f}",
                  show(sender.late_p50), show(sender.late_p99), show(sender.late_max),
                  run.load_average));
  if (!sender.kept_up()) {
    say(
        fmt::format("THE SENDER DID NOT KEEP UP: {} of {} tasks went out more than {} late. The "
                    "load was not the scenario's",
                    sender.late, sender.sent, show(kSenderLateMax)));
  }
  if (sender.sent_again > 0) {
    say(fmt::format("the connection was lost; {} tasks were sent again", sender.sent_again));
  }
  if (!run.live.result.rejected_by_reason.empty()) {
    say("rejected live: " + reasons_text(run.live.result));
  }
  for (const std::string& what : run.live.unmet) {
    say("not as expected, live: " + what);
  }
  if (run.simulated && !run.simulated->result.rejected_by_reason.empty()) {
    say("rejected simulated: " + reasons_text(run.simulated->result));
  }
  if (run.simulated) {
    for (const std::string& what : run.simulated->broken) {
      say("the simulation has no figures: " + what);
    }
  }
  return lines;
}

}  // namespace

std::string bench_text(const BenchReport& report, const Screen& screen) {
  std::string text = "Live: " + report.scenario;
  if (!report.about.empty()) {
    text += " (" + report.about + ")";
  }
  text = paragraph(text, screen);
  text += paragraph(
      fmt::format("{}; {} seed{}.", report.fleet, report.asked, report.asked == 1 ? "" : "s"),
      screen);
  text += "\n" + table_text(report, screen) + "\n";
  for (const BenchRun& run : report.runs) {
    for (const std::string& line : seed_lines(run)) {
      text += paragraph(line, screen);
    }
  }
  text += paragraph("Energy: above idle, at the boards' inputs, per completed task; " +
                        report.energy + ". Latency counts from the scheduled arrival.",
                    screen);
  for (const std::string& note : report.notes) {
    text += paragraph(note, screen);
  }
  if (report.runs.size() < report.asked) {
    text += fmt::format("Stopped: {} of {} seeds.\n", report.runs.size(), report.asked);
  }
  return text;
}

}  // namespace juggler
