// The `juggler` policy: meet the requirements at the least energy.
//
// Assumes profiles whose energies are comparable at the board's input.
// Rule: of the candidates predicted to meet deadline, accuracy and energy limit, the one that costs
// least: its share of the batch's energy, what the goal weighs beside it (latency, accuracy), and
// the price of the processor's time, which is what that time is worth to tasks that could not have
// it (core/prices.h). Batches are held back for company inside their deadlines. Candidates whose
// energy nobody knows come after all others.
// Ties: earlier finish, then higher accuracy, then ids.

#include <algorithm>

#include "core/cheapest.h"
#include "core/policies/policy.h"

namespace juggler {
namespace {

class JugglerPolicy final : public Policy {
 public:
  JugglerPolicy(std::string_view without, PolicyOptions options)
      : name_(without.empty() ? "juggler" : "juggler-no-" + std::string(without)),
        about_(about_without(without)),
        fixed_variant_(without == "variants") {
    objective_.rates = rates_of(options.goal);
    objective_.energy = without != "energy";
    objective_.batching = without == "batching" ? Batching::Never : Batching::Planned;
    objective_.prices = without != "prices";
    objective_.loading = true;
  }

  std::string_view name() const override { return name_; }
  std::string_view about() const override { return about_; }
  Objective objective() const override { return objective_; }
  bool takes_cheapest() const override { return !fixed_variant_; }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    return decide(situation, fixed_variant_ ? best_of_most_accurate(situation)
                                            : best_of(situation.candidates, cheaper));
  }

 private:
  static std::string about_without(std::string_view part) {
    if (part == "energy") {
      return "`juggler`, but energy costs nothing";
    }
    if (part == "variants") {
      return "`juggler`, but with the most accurate variant alone";
    }
    if (part == "batching") {
      return "`juggler`, but every task alone";
    }
    if (part == "prices") {
      return "`juggler`, but processor time has no price";
    }
    return "least energy among the placements that meet deadline, accuracy and energy limit";
  }

  // The ablation: one variant for everybody, the most accurate that any processor serves.
  static const Candidate* best_of_most_accurate(const Situation& situation) {
    MilliPercent highest;
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate) || is_overload(candidate.verdict)) {
        highest = std::max(highest, candidate.accuracy);
      }
    }
    const Candidate* best = nullptr;
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate) && candidate.accuracy == highest &&
          (best == nullptr || cheaper(candidate, *best))) {
        best = &candidate;
      }
    }
    return best;
  }

  std::string name_;
  std::string about_;
  bool fixed_variant_;
  Objective objective_;
};

}  // namespace

std::unique_ptr<Policy> make_juggler_policy(std::string_view without, PolicyOptions options) {
  return std::make_unique<JugglerPolicy>(without, options);
}

}  // namespace juggler
