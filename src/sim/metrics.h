#pragma once
// What a run has shown, as plain figures for tables, JSON and expectations; and the books from
// which they come. Everything is counted where a user would see it: at the client, from the
// scheduled arrival.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/device.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler::sim {

struct LatencySummary {
  std::uint64_t count = 0;
  Micros mean;
  Micros p50;
  Micros p90;
  Micros p95;
  Micros p99;
  Micros max;
};

// Where the time of completed tasks went, on average: the parts of an outcome (core/task.h), by the
// controller's clock, and what the client saw beyond them: from the schedule to the controller, and
// back.
struct LatencyParts {
  Micros outside;
  Micros waiting;
  Micros network;
  Micros queued;
  Micros compute;
};

struct ProcessorResult {
  std::string id;
  std::uint64_t batches = 0;
  std::uint64_t tasks = 0;  // run, whatever became of them
  Micros busy;
  double utilisation = 0.0;                // busy over the run's time
  Microjoules energy;                      // above idle, at the board's input, really spent
  std::vector<std::uint64_t> batch_sizes;  // [n]: batches of n tasks
};

struct DeviceResult {
  std::string id;
  std::string board;
  std::uint64_t completed = 0;
  std::uint64_t dropped = 0;                // dispatches that failed, expired or were refused there
  std::optional<Microjoules> idle_energy;   // idle power x the run's time; where it is known
  std::vector<ProcessorResult> processors;  // in the order of the facts
};

struct VariantResult {
  std::string id;
  std::uint64_t completed = 0;
  Microjoules energy;  // of completed tasks
};

struct ClassResult {
  std::string name;
  std::uint64_t offered = 0;
  std::uint64_t completed = 0;
  std::uint64_t on_time = 0;
  std::uint64_t rejected = 0;
  std::uint64_t expired = 0;
  std::uint64_t failed = 0;
  LatencySummary latency;
  Microjoules energy;
  double accuracy_percent_mean = 0.0;
};

// One second of a run, for plots. What is offered counts when it was scheduled, what came of it
// too; energy, accuracy and completions when the outcome came.
struct SecondResult {
  std::uint32_t offered = 0;
  std::uint32_t on_time = 0;
  std::uint32_t missed = 0;
  std::uint32_t completed = 0;
  std::int64_t energy_uj = 0;
  std::int64_t accuracy_millipercent_sum = 0;
  std::uint32_t tasks_in_controller = 0;  // at the second's end
};

// Every task after the warm-up, unless it says otherwise.
struct RunResult {
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;
  Micros duration;  // of arrivals after the warm-up
  Micros ran;       // until everything was answered

  std::uint64_t offered = 0;
  std::uint64_t completed = 0;
  std::uint64_t on_time = 0;
  std::uint64_t rejected = 0;
  std::uint64_t expired = 0;
  std::uint64_t failed = 0;
  std::uint64_t turned_away = 0;   // the broker refused or returned them: never accepted
  std::uint64_t lost = 0;          // accepted, and no outcome came
  std::uint64_t duplicated = 0;    // outcomes that came once more, and were dropped
  std::uint64_t contradicted = 0;  // outcomes that differed from the first: a broken promise
  std::map<std::string, std::uint64_t> rejected_by_reason;
  LatencySummary latency;        // of completed tasks
  LatencyParts latency_parts;    // of the same
  Microjoules energy_completed;  // above idle, board input: their shares
  Microjoules energy_total;      // the same of everything that ran, warm-up and failures included
  std::uint64_t energy_unknown = 0;        // completed tasks whose energy nobody knows
  std::optional<Microjoules> idle_energy;  // of all devices; where all are known
  Milliwatts power_peak;  // of all boards at once, at their inputs, as far as it is known
  Micros power_over;      // for how long that was over the fleet's limit
  std::uint64_t memory_refused = 0;  // batches that a device had no memory for
  double accuracy_percent_mean = 0.0;
  std::uint64_t below_accuracy_floor = 0;  // must be 0
  double throughput_hz = 0.0;              // completed
  double on_time_hz = 0.0;

  std::uint64_t dispatched = 0;  // of all controllers, warm-up included
  std::uint64_t attempts_failed = 0;
  std::uint64_t attempts_timed_out = 0;

  std::vector<ClassResult> classes;
  std::vector<DeviceResult> devices;
  std::vector<VariantResult> variants;
  std::vector<SecondResult> seconds;

  // Real time of one step of the controller that takes a submission, its decision included; 0 where
  // it was not measured. Not the same in two runs, so never part of the digest.
  std::int64_t decision_ns_p50 = 0;
  std::int64_t decision_ns_p99 = 0;

  std::uint64_t digest = 0;             // 0: not asked for
  std::uint64_t events = 0;             // of the simulation
  std::vector<std::string> complaints;  // of the checker; empty if all is well or it was off
};

// Times by powers of two and sixteenths of them: exact enough for percentiles, bounded, cheap.
class TimeHistogram {
 public:
  void add(std::int64_t value);
  // requires  0 < share <= 1
  std::int64_t percentile(double share) const;
  std::uint64_t count() const { return count_; }

 private:
  static constexpr unsigned kParts = 16;
  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(std::size_t{64} * kParts);
  std::uint64_t count_ = 0;
};

struct MetricsClass {
  std::string name;
  Micros deadline;
  std::optional<MilliPercent> min_accuracy;
};

class Metrics {
 public:
  // `origin`: the scenario's time 0 on the simulation's clock, which all times here are by.
  Metrics(std::vector<MetricsClass> classes, const std::vector<const DeviceFacts*>& truth,
          Time origin, Micros warm_up);

  // A task by its number, which grows from 0.
  void offered(std::uint64_t task, std::size_t demand, Time scheduled);
  void accepted(std::uint64_t task);
  void turned_away(std::uint64_t task);
  // It was sent under another reply queue too: two runs of it are two tasks to the controller, and
  // may end differently.
  void sent_twice(std::uint64_t task) { tasks_[task].may_differ = true; }
  // The broker lost its result before that was on disk: a client may have read the outcome already,
  // and another leader may give another one.
  void result_lost(std::uint64_t task) { tasks_[task].may_differ = true; }
  // requires  knows(outcome), where it completes
  void answered(std::uint64_t task, const Outcome& outcome, Time now);
  // Whether device and variant of a completed outcome are those of the fleet.
  bool knows(const Outcome& outcome) const {
    return device_index_.contains(outcome.device) && variant_index_.contains(outcome.variant);
  }
  void controller_holds(Time now, std::size_t tasks);

  std::uint64_t open() const { return open_; }  // accepted and not answered
  std::uint64_t offered_so_far() const { return tasks_.size(); }
  // The first accepted tasks without an outcome, for messages.
  std::vector<std::uint64_t> unanswered(std::size_t max) const;
  Time scheduled(std::uint64_t task) const { return tasks_[task].scheduled; }

  // The figures so far. `until`: the end of arrivals.
  void write(RunResult& result, Time until) const;

 private:
  enum class State : std::uint8_t {
    Offered,
    TurnedAway,
    Accepted,
    Completed,
    Rejected,
    Expired,
    Failed
  };
  // 24 bytes for each task of a run: all that is kept of it.
  struct TaskLine {
    Time scheduled;
    std::uint32_t latency_us = 0;  // up to 71 minutes
    std::uint16_t demand = 0;
    State state = State::Offered;
    bool on_time = false;
    bool may_differ = false;  // its second outcome from the first
    std::uint16_t device = 0;
    std::uint16_t variant = 0;
  };
  struct ClassBook {
    ClassResult result;
    std::int64_t accuracy_sum = 0;
  };
  struct Board {
    std::int64_t factor_permille = 1000;
    std::uint64_t completed = 0;
    std::uint64_t dropped = 0;
  };
  void completed(TaskLine& line, const Outcome& outcome, Time now, bool counts);
  void add_parts(Micros latency, const Outcome& outcome);
  SecondResult& second(Time when);
  LatencySummary summary(std::vector<std::uint32_t>& latencies) const;

  Time origin_;
  Time warm_up_;  // its end
  std::vector<MetricsClass> classes_;
  std::vector<ClassBook> books_;
  std::vector<TaskLine> tasks_;
  std::uint64_t open_ = 0;
  std::vector<std::string> device_ids_;
  std::unordered_map<std::string, std::uint16_t> device_index_;  // looked up only
  std::vector<Board> boards_;
  std::vector<VariantResult> variants_;
  std::unordered_map<std::string, std::uint16_t> variant_index_;  // looked up only
  std::vector<MilliPercent> accuracies_;                          // by variant
  RunResult totals_;
  std::int64_t accuracy_sum_ = 0;
  LatencyParts parts_sum_;
  std::vector<SecondResult> seconds_;
};

}  // namespace juggler::sim
