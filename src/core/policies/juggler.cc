// The `juggler` policy in its first form: meet the requirements at the least energy.
//
// Assumes profiles whose energies are comparable at the board's input.
// Rule: of the candidates predicted to meet deadline, accuracy and energy limit, the one with the
// least marginal energy; those whose energy nobody knows come after all others. A processor whose
// window is full is waited for if the task would still be in time there.
// Ties: earlier finish, then higher accuracy, then ids.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class JugglerPolicy final : public Policy {
 public:
  std::string_view name() const override { return "juggler"; }
  std::string_view about() const override {
    return "least energy among the placements that meet deadline, accuracy and energy limit";
  }

  Decision plan(const Fleet& fleet, const TaskView& task, Time now, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = list_.of(fleet, task, now);
    const Candidate* chosen = best_of(candidates, [](const Candidate& a, const Candidate& b) {
      if (a.energy.has_value() != b.energy.has_value()) {
        return a.energy.has_value();
      }
      if (a.energy != b.energy) {
        return *a.energy < *b.energy;
      }
      return a.finish != b.finish ? a.finish < b.finish : a.accuracy > b.accuracy;
    });
    return decide(candidates, chosen, task);
  }

 private:
  CandidateList list_;
};

}  // namespace

std::unique_ptr<Policy> make_juggler_policy() { return std::make_unique<JugglerPolicy>(); }

}  // namespace juggler
