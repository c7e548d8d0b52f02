#pragma once
// One decision: look at the fleet, judge the candidates, ask the policy. What the controller, the
// benchmarks and the tests all go through.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/candidates.h"
#include "core/cheapest.h"
#include "core/lane_table.h"
#include "core/policies/policy.h"

namespace juggler {

class Planner {
 public:
  explicit Planner(std::unique_ptr<Policy> policy);

  // What all boards together may take, at their inputs (core/power.h); nothing: no limit.
  void limit_power(std::optional<Milliwatts> power_max) { outlook_.power_max = power_max; }

  Decision plan(const Fleet& fleet, const TaskView& task, Time now, Rng& rng);

  std::string_view name() const { return policy_->name(); }
  const Objective& objective() const { return objective_; }
  // The policy's.
  std::vector<std::int64_t> memory() const { return policy_->memory(); }
  bool take_up(std::span<const std::int64_t> memory) { return policy_->take_up(memory); }

  // Of the last decision, until the next: what it chose from, and whether it counts on sending less
  // urgent work away. Where a task was placed by cost, only what matters for that is among the
  // candidates (core/cheapest.h).
  std::span<const Candidate> candidates() const { return candidates_; }
  bool over_lower_priorities() const { return outlook_.over_lower_priorities; }
  std::int64_t arrival_gap_us() const { return outlook_.arrival_gap_us; }
  // What the fleet may take by now, as decisions see it.
  FleetPower power(const Fleet& fleet) {
    lanes_.follow(fleet);
    return lanes_.power();
  }
  std::optional<Milliwatts> power_max() const { return outlook_.power_max; }
  // Whether the watt limits leave room for two of those candidates.
  bool power_for_both(const Candidate& a, const Candidate& b) const;
  // What decisions saw, to be kept by whoever explains them.
  LaneTable& lanes() { return lanes_; }
  const LaneTable& lanes() const { return lanes_; }

 private:
  std::unique_ptr<Policy> policy_;
  Objective objective_;
  LaneTable lanes_;
  Outlook outlook_;
  Judge judge_;
  CheapestSearch cheapest_;
  std::vector<Candidate> candidates_;
};

}  // namespace juggler
