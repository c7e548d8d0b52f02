#pragma once
// The one seam between the controller and a rule of scheduling.
//
// A policy sees one task with its judged candidates and decides: Place, Wait (not now) or
// Infeasible (never). The requirements are enforced before it chooses, by Judge; a policy only
// orders the candidates that meet them. The controller then reserves: the task stands in the
// processor's line until its batch goes out.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/candidates.h"
#include "core/objective.h"
#include "core/result.h"
#include "core/rng.h"

namespace juggler {

struct Place {
  Candidate candidate;
};

// Not now: something that can change by itself keeps every candidate away.
struct Wait {
  std::string reason;
};

struct Infeasible {
  std::string reason;
  bool overload = false;  // somebody could serve it, but for the tasks that stand before it
};

using Decision = std::variant<Place, Wait, Infeasible>;

// What a decision is about. Valid during the call only.
struct Situation {
  const Fleet& fleet;
  const Outlook& outlook;  // the processors, as the candidates were judged
  std::span<const Candidate> candidates;
  const TaskView& task;
  Time now;

  const DeviceFacts& facts_of(const Candidate& candidate) const;
  const Processor& processor_of(const Candidate& candidate) const;
  const Variant& variant_of(const Candidate& candidate) const;
};

class Policy {
 public:
  virtual ~Policy() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view about() const = 0;  // one line: the rule

  // How the candidates are to be judged for it.
  virtual Objective objective() const { return {}; }

  // Whether it takes the choosable candidate that is first by cheaper() (core/cheapest.h). Then it
  // need not be shown those that cannot be it, unless none can be chosen.
  virtual bool takes_cheapest() const { return false; }

  // Decides for one task. Deterministic in its arguments and the policy's own history.
  virtual Decision plan(const Situation& situation, Rng& rng) = 0;

  // Its own history, for checkpoints: what its next decisions depend on, as numbers of its own
  // choice; and such numbers taken up again. False: they are none of this policy's.
  virtual std::vector<std::int64_t> memory() const { return {}; }
  virtual bool take_up(std::span<const std::int64_t> memory) { return memory.empty(); }
};

// A decision for the chosen candidate. With none: Wait where a device may come back or memory
// become free; Infeasible where every processor that could serve the task is too busy for its
// deadline, or none could at all, with the reasons most candidates lost by.
Decision decide(const Situation& situation, const Candidate* chosen);

// The best choosable candidate by `better(a, b)`, ties to the earlier in the list (lowest ids).
template <class Better>
const Candidate* best_of(std::span<const Candidate> candidates, Better better) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (choosable(candidate) && (best == nullptr || better(candidate, *best))) {
      best = &candidate;
    }
  }
  return best;
}

// The order of rules that count nothing but energy: placements whose energy nobody knows come last;
// ties to the earlier finish.
bool less_energy(const Candidate& a, const Candidate& b);

struct PolicyEntry {
  std::string name;
  std::string about;
  bool ablation = false;  // `juggler` with a part switched off, for evaluations
};

struct PolicyOptions {
  Goal goal = Goal::Energy;  // of `juggler`; the baselines have their own
};

// Every policy that is made by its name alone.
std::vector<PolicyEntry> policies();
// Those that take a parameter, for listings: "juggler@GOAL", "single-variant:VARIANT".
std::vector<PolicyEntry> policies_with_parameter();
// "juggler", "juggler@latency" (a goal in the name is taken before that of the options),
// "single-variant:resnet18-fp32".
// errors  NotFound: no such policy; InvalidArgument: no such goal, or a policy that has none
Result<std::unique_ptr<Policy>> make_policy(std::string_view name, PolicyOptions options = {});

// One per file.
std::unique_ptr<Policy> make_juggler_policy(std::string_view without, PolicyOptions options);
std::unique_ptr<Policy> make_round_robin_policy();
std::unique_ptr<Policy> make_random_policy();
std::unique_ptr<Policy> make_least_loaded_policy();
std::unique_ptr<Policy> make_fastest_finish_policy();
std::unique_ptr<Policy> make_most_accurate_policy();
std::unique_ptr<Policy> make_power_of_two_policy();
std::unique_ptr<Policy> make_speed_weighted_round_robin_policy();
std::unique_ptr<Policy> make_least_energy_policy();
std::unique_ptr<Policy> make_ecore_policy();
std::unique_ptr<Policy> make_loudva_policy();
std::unique_ptr<Policy> make_infaas_policy();
// A variant, or a network with all its precisions.
std::unique_ptr<Policy> make_single_variant_policy(std::string_view variant);

}  // namespace juggler
