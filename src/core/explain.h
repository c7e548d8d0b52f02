#pragma once
// Why a task went where it went: the inputs of the last decisions, kept so that all candidates and
// their verdicts can be computed again when somebody asks, and not before.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/candidates.h"
#include "core/planner.h"
#include "core/task.h"

namespace juggler {

// One candidate with its names, as people see it.
struct ExplainedCandidate {
  std::string device;
  std::string processor;
  std::string variant;
  bool twin = false;
  Weights weights = Weights::Pretrained;
  MilliPercent accuracy;
  Micros latency;
  Micros finish;  // from the decision
  std::optional<EnergyFigure> energy;
  std::optional<Microjoules> energy_decision;  // its share of the batch, at the board's input
  std::int64_t cost_uj = 0;                    // all that the policy's goal weighs
  std::int64_t waiting_uj = 0;                 // of that, for the time until the answer
  std::int64_t accuracy_uj = 0;                // of that, for the accuracy that is missing to 100 %
  std::int64_t price_uj = 0;                   // what the processor's time is worth to others
  std::uint64_t tasks_before = 0;              // in flight and in line on the processor
  int tasks = 1;                               // in its batch, with this one
  std::optional<Milliwatts> power;             // above idle, at the board's input, at most
  Verdict verdict = Verdict::OtherModel;
  bool chosen = false;
};

struct Explanation {
  TaskKey task;
  std::string policy;
  std::string decision;  // "place", "wait" or "infeasible"
  std::string reason;
  std::string model;
  Requirements requirements;
  Micros age;                                  // of the task when it was decided
  Micros remaining;                            // until its deadline then
  std::optional<Milliwatts> power_max;         // of the fleet
  Milliwatts power_now;                        // of the fleet then, as predicted
  std::vector<ExplainedCandidate> candidates;  // chosen first, then those that meet, then the rest
};

class DecisionLog {
 public:
  // requires decisions_max >= 1
  DecisionLog(std::size_t decisions_max, std::size_t lanes_max)
      : decisions_max_(decisions_max), lanes_max_(lanes_max) {}

  // What was seen and decided for a task; a later decision for the same task replaces it. What was
  // seen stays with the planner until it is forgotten here.
  void record(Planner& planner, const TaskView& task, const TaskKey& key, Time received, Time now,
              const Decision& decision);

  // The last decision for a task of that id; the newest if there are several. `lanes`: the
  // planner's. `submitter`: whose task it must be; none: anybody's.
  std::optional<Explanation> explain(
      std::string_view task_id, const LaneTable& lanes,
      const std::optional<std::string>& submitter = std::nullopt) const;

 private:
  struct Entry {
    TaskKey key;
    Requirements requirements;
    std::string model;
    std::vector<std::string> devices_failed;
    TaskView view;  // its pointers are void; explain() sets them again
    Time received;
    Time now;
    std::string policy;
    Objective objective;
    Decision decision;
    std::int64_t arrival_gap_us = 0;
    bool over_lower_priorities = false;
    std::optional<Milliwatts> power_max;
    std::uint64_t seen =
        0;  // the number under which the planner keeps it; grows with each decision
  };

  void forget_oldest();

  std::size_t decisions_max_;
  std::size_t lanes_max_;  // states of processors kept for them; with more, fewer are explained
  std::map<std::uint64_t, Entry> entries_;        // by task number
  std::map<std::uint64_t, std::uint64_t> order_;  // task numbers by `seen`: the oldest first
};

}  // namespace juggler
