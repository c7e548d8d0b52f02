#include "core/planner.h"

#include "core/check.h"
#include "core/power.h"

namespace juggler {

Planner::Planner(std::unique_ptr<Policy> policy) : policy_(std::move(policy)) {
  JUGGLER_CHECK(policy_ != nullptr, "decisions need a policy");
  objective_ = policy_->objective();
}

Decision Planner::plan(const Fleet& fleet, const TaskView& task, Time now, Rng& rng) {
  lanes_.follow(fleet);
  outlook_.arrival_gap_us = fleet.arrivals.gap_us(now.us);
  outlook_.over_lower_priorities = false;
  outlook_.power = lanes_.power();
  const Question question{outlook_, task, objective_, now};
  const auto judge_all_and_ask = [&] {
    judge_.judge(question, Judge::Detail::Enough, candidates_);
    return policy_->plan({fleet, outlook_, candidates_, task, now}, rng);
  };
  if (policy_->takes_cheapest() &&
      cheapest_.find(lanes_, question, judge_, outlook_, candidates_)) {
    return policy_->plan({fleet, outlook_, candidates_, task, now}, rng);
  }
  look(lanes_.lanes(), task, now, outlook_);
  Decision decision = judge_all_and_ask();
  if (!std::holds_alternative<Place>(decision) && task.priority > 0 &&
      fleet.has_work_below(task.priority)) {
    outlook_.over_lower_priorities = true;  // whoever is less urgent makes room
    decision = judge_all_and_ask();
  }
  return decision;
}

bool Planner::power_for_both(const Candidate& a, const Candidate& b) const {
  return juggler::power_for_both(outlook_, a, b);
}

}  // namespace juggler
