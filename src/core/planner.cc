#include "core/planner.h"

#include "core/check.h"

namespace juggler {

Planner::Planner(std::unique_ptr<Policy> policy) : policy_(std::move(policy)) {
  JUGGLER_CHECK(policy_ != nullptr, "decisions need a policy");
  objective_ = policy_->objective();
}

Decision Planner::plan(const Fleet& fleet, const TaskView& task, Time now, Rng& rng) {
  look(fleet, task, now, outlook_);
  over_lower_priorities_ = false;
  Decision decision = judge_and_ask(fleet, task, now, rng);
  if (!std::holds_alternative<Place>(decision) && task.priority > 0 &&
      fleet.has_work_below(task.priority)) {
    over_lower_priorities_ = true;  // whoever is less urgent makes room
    decision = judge_and_ask(fleet, task, now, rng);
  }
  return decision;
}

Decision Planner::judge_and_ask(const Fleet& fleet, const TaskView& task, Time now, Rng& rng) {
  outlook_.over_lower_priorities = over_lower_priorities_;
  judge_.judge(outlook_, task, objective_, now, false, candidates_);
  return policy_->plan({fleet, outlook_, candidates_, task, now}, rng);
}

}  // namespace juggler
