// Baseline: the placement predicted to finish first. Energy plays no part.
// Ties: lower energy does not count either; ids decide.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class FastestFinishPolicy final : public Policy {
 public:
  std::string_view name() const override { return "fastest-finish"; }
  std::string_view about() const override { return "earliest predicted finish"; }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = situation.candidates;
    return decide(situation, best_of(candidates, [](const Candidate& a, const Candidate& b) {
                    return a.finish < b.finish;
                  }));
  }
};

}  // namespace

std::unique_ptr<Policy> make_fastest_finish_policy() {
  return std::make_unique<FastestFinishPolicy>();
}

}  // namespace juggler
