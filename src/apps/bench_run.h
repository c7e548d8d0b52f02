#pragma once
// What a live run has shown, beside the simulation of the same scenario: for `juggler bench`.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/live_load.h"
#include "apps/table.h"
#include "evaluation/run.h"
#include "evaluation/statistics.h"

namespace juggler {

// One seed.
struct BenchRun {
  evaluation::Run live;
  SenderReport sender;
  double load_average = 0.0;  // of this machine, over the last minute, at the run's end
  std::optional<evaluation::Run> simulated{};

  // Whether its figures count.
  bool whole() const { return live.finished && live.broken.empty(); }
  bool comparable() const { return whole() && simulated.has_value() && simulated->broken.empty(); }
};

struct BenchReport {
  std::string scenario;
  std::string about;
  std::string fleet;               // what ran: "6 twins on this machine, over its loopback"
  std::string energy;              // where the live energies come from
  std::vector<std::string> notes;  // what the reader has to know
  std::size_t asked = 1;           // seeds
  std::vector<BenchRun> runs;

  // All seeds ran, every task had its one outcome, and the scenario's expectations were met.
  bool well() const;
};

// A figure that live run and simulation both have.
struct BenchMeasure {
  const char* key;    // in JSON
  const char* title;  // for people, with its unit
  int digits;
  bool judged;  // the simulator's error is reported for it
  std::optional<double> (*of)(const sim::RunResult& result);
};
const std::vector<BenchMeasure>& bench_measures();

// (simulated - live) / live, in percent; nothing where a run has no such figure, or live is 0.
std::optional<double> error_percent(const BenchMeasure& measure, const BenchRun& run);

// Mean and interval over the seeds, live or simulated.
//
// requires  comparable runs where it is the simulations'
evaluation::Estimate estimate_of(const BenchMeasure& measure, std::span<const BenchRun* const> runs,
                                 bool live);
// The same of the means over the seeds.
//
// requires  comparable runs
std::optional<double> mean_error_percent(const BenchMeasure& measure,
                                         std::span<const BenchRun* const> runs);

std::string bench_text(const BenchReport& report, const Screen& screen);
nlohmann::json bench_json(const BenchReport& report);

}  // namespace juggler
