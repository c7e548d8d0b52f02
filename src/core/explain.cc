#include "core/explain.h"

#include <algorithm>

namespace juggler {
namespace {

bool same_place(const Candidate& a, const Candidate& b) {
  return a.device == b.device && a.lane == b.lane && a.profile == b.profile;
}

// What the objective's rate adds to a candidate's cost for its accuracy; Judge adds the same.
std::int64_t accuracy_uj(const Objective& objective, const Candidate& candidate) {
  return objective.rates.accuracy_uj_per_point * (100'000 - candidate.accuracy.count) / 1000;
}

// The rest of the cost, beside energy and accuracy.
std::int64_t waiting_uj(const Objective& objective, const Candidate& candidate) {
  const std::int64_t energy =
      objective.energy && candidate.energy.has_value() ? candidate.energy->count : 0;
  return candidate.cost_uj - energy - accuracy_uj(objective, candidate);
}

std::optional<Candidate> chosen_of(const Decision& decision) {
  const auto* place = std::get_if<Place>(&decision);
  return place != nullptr ? std::optional(place->candidate) : std::nullopt;
}

}  // namespace

void DecisionLog::record(Planner& planner, const TaskView& task, const TaskKey& key, Time received,
                         Time now, const Decision& decision) {
  Entry& entry = entries_[task.number];
  entry.key = key;
  entry.requirements = *task.requirements;
  entry.model = std::string(task.model);
  entry.devices_failed =
      task.devices_failed != nullptr ? *task.devices_failed : std::vector<std::string>{};
  entry.view = task;
  entry.received = received;
  entry.now = now;
  entry.policy = std::string(planner.name());
  entry.objective = planner.objective();
  entry.decision = decision;
  entry.arrival_gap_us = planner.arrival_gap_us();
  entry.over_lower_priorities = planner.over_lower_priorities();
  entry.power_max = planner.power_max();
  LaneTable& lanes = planner.lanes();
  order_.erase(entry.seen);
  entry.seen = lanes.keep();
  order_.emplace(entry.seen, task.number);
  while (entries_.size() > decisions_max_ ||
         (lanes.kept_size() > lanes_max_ && entries_.size() > 1)) {
    forget_oldest();
    lanes.forget_before(order_.begin()->first);
  }
}

// The oldest decision, not the oldest task: one that waits for long is decided again and again.
void DecisionLog::forget_oldest() {
  const auto oldest = entries_.find(order_.begin()->second);
  entries_.erase(oldest);
  order_.erase(order_.begin());
}

std::optional<Explanation> DecisionLog::explain(std::string_view task_id, const LaneTable& lanes,
                                                const std::optional<std::string>& submitter) const {
  const auto at = std::find_if(entries_.rbegin(), entries_.rend(), [&](const auto& entry) {
    const TaskKey& key = entry.second.key;
    return key.id == task_id && (!submitter.has_value() || key.submitter == *submitter);
  });
  if (at == entries_.rend()) {
    return std::nullopt;
  }
  const Entry& entry = at->second;
  TaskView view = entry.view;
  view.requirements = &entry.requirements;
  view.model = entry.model;
  view.devices_failed = &entry.devices_failed;

  Explanation explanation;
  explanation.task = entry.key;
  explanation.policy = entry.policy;
  explanation.model = entry.model;
  explanation.requirements = entry.requirements;
  explanation.age = entry.now - entry.received;
  explanation.remaining = entry.view.deadline - entry.now;
  if (const auto* wait = std::get_if<Wait>(&entry.decision)) {
    explanation.decision = "wait";
    explanation.reason = wait->reason;
  } else if (const auto* never = std::get_if<Infeasible>(&entry.decision)) {
    explanation.decision = "infeasible";
    explanation.reason = never->reason;
  } else {
    explanation.decision = "place";
  }

  const std::vector<LaneState> seen = lanes.kept(entry.seen);
  Outlook outlook;
  look(seen, view, entry.now, outlook);
  outlook.arrival_gap_us = entry.arrival_gap_us;
  outlook.over_lower_priorities = entry.over_lower_priorities;
  outlook.power_max = entry.power_max;
  outlook.power = power_of(seen);
  explanation.power_max = entry.power_max;
  explanation.power_now = outlook.power.now;
  std::vector<Candidate> candidates;
  Judge().judge({outlook, view, entry.objective, entry.now}, Judge::Detail::Everything, candidates);
  const std::optional<Candidate> chosen = chosen_of(entry.decision);
  for (const Candidate& candidate : candidates) {
    const DeviceFacts& facts = *outlook.lanes[candidate.seen].facts;
    const Processor& processor = facts.processors[candidate.lane];
    const Profile& profile = processor.profiles[candidate.profile];
    explanation.candidates.push_back(
        {.device = facts.id,
         .processor = processor.id,
         .variant = profile.variant,
         .twin = facts.twin,
         .weights = outlook.lanes[candidate.seen].variant_of(candidate.profile).weights,
         .accuracy = candidate.accuracy,
         .latency = candidate.latency,
         .finish = candidate.finish - entry.now,
         .energy = profile.points.front().energy,
         .energy_decision = candidate.energy,
         .cost_uj = candidate.cost_uj,
         .waiting_uj = waiting_uj(entry.objective, candidate),
         .accuracy_uj = accuracy_uj(entry.objective, candidate),
         .price_uj = candidate.price_uj,
         .tasks_before = candidate.queued,
         .tasks = candidate.tasks,
         .power = candidate.power,
         .verdict = candidate.verdict,
         .chosen = chosen.has_value() && same_place(candidate, *chosen)});
  }
  std::stable_sort(explanation.candidates.begin(), explanation.candidates.end(),
                   [](const ExplainedCandidate& a, const ExplainedCandidate& b) {
                     return a.chosen != b.chosen ? a.chosen : a.verdict < b.verdict;
                   });
  return explanation;
}

}  // namespace juggler
