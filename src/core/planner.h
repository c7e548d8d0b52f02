#pragma once
// One decision: look at the fleet, judge the candidates, ask the policy. What the controller, the
// benchmarks and the tests all go through.

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/candidates.h"
#include "core/policies/policy.h"

namespace juggler {

class Planner {
 public:
  explicit Planner(std::unique_ptr<Policy> policy);

  Decision plan(const Fleet& fleet, const TaskView& task, Time now, Rng& rng);

  std::string_view name() const { return policy_->name(); }
  const Objective& objective() const { return objective_; }

  // Of the last decision, until the next: what it saw (to be taken away by whoever keeps it), what
  // it chose from, and whether it counts on sending less urgent work away.
  Outlook& outlook() { return outlook_; }
  std::span<const Candidate> candidates() const { return candidates_; }
  bool over_lower_priorities() const { return over_lower_priorities_; }

 private:
  Decision judge_and_ask(const Fleet& fleet, const TaskView& task, Time now, Rng& rng);

  std::unique_ptr<Policy> policy_;
  Objective objective_;
  Outlook outlook_;
  Judge judge_;
  std::vector<Candidate> candidates_;
  bool over_lower_priorities_ = false;
};

}  // namespace juggler
