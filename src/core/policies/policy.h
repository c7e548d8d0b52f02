#pragma once
// The one seam between the controller and a rule of scheduling.
//
// A policy sees a snapshot of the fleet and one task and decides: Place, Wait (not now) or
// Infeasible (never). The requirements are enforced before it chooses, by `enumerate`; a policy
// only orders the candidates that meet them. The controller then reserves.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/candidates.h"
#include "core/result.h"
#include "core/rng.h"

namespace juggler {

struct Place {
  Candidate candidate;
};

// Not now. If the policy waits for one processor, the task counts in that processor's line.
struct Wait {
  std::string reason;
  std::optional<Candidate> reserve;
};

struct Infeasible {
  std::string reason;
};

using Decision = std::variant<Place, Wait, Infeasible>;

class Policy {
 public:
  virtual ~Policy() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view about() const = 0;  // one line: the rule

  // Decides for one task. Deterministic in its arguments and the policy's own history.
  virtual Decision plan(const Fleet& fleet, const TaskView& task, Time now, Rng& rng) = 0;
};

// Whether a policy may choose this candidate, now or after waiting for its window.
inline bool choosable(const Candidate& candidate) {
  return candidate.verdict == Verdict::Meets || candidate.verdict == Verdict::WindowFull;
}

// A decision for the chosen candidate; none chosen: Wait or Infeasible with the reason most
// candidates lost by.
Decision decide(std::span<const Candidate> candidates, const Candidate* chosen,
                const TaskView& task);

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

struct PolicyEntry {
  std::string_view name;
  std::string_view about;
};

// Every policy there is, for listings.
std::vector<PolicyEntry> policies();
Result<std::unique_ptr<Policy>> make_policy(std::string_view name);

// One per file.
std::unique_ptr<Policy> make_juggler_policy();
std::unique_ptr<Policy> make_round_robin_policy();
std::unique_ptr<Policy> make_random_policy();
std::unique_ptr<Policy> make_least_loaded_policy();
std::unique_ptr<Policy> make_fastest_finish_policy();
std::unique_ptr<Policy> make_most_accurate_policy();

}  // namespace juggler
