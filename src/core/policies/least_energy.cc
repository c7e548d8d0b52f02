// Baseline: the least energy now, greedily. It is what `juggler` would be without prices and
// without holding batches back: it takes the most frugal processor until that is too busy for the
// deadline, whoever may need it next. Placements whose energy nobody knows come last.
// Ties: earlier finish, then ids.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class LeastEnergyPolicy final : public Policy {
 public:
  std::string_view name() const override { return "least-energy"; }
  std::string_view about() const override { return "least energy now, then earliest finish"; }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    return decide(situation, best_of(situation.candidates, less_energy));
  }
};

}  // namespace

std::unique_ptr<Policy> make_least_energy_policy() { return std::make_unique<LeastEnergyPolicy>(); }

}  // namespace juggler
