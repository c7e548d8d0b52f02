// Baseline: the most accurate variant that is in time; among equals, the earliest finish.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class MostAccuratePolicy final : public Policy {
 public:
  std::string_view name() const override { return "most-accurate"; }
  std::string_view about() const override {
    return "highest accuracy, then earliest predicted finish";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = situation.candidates;
    return decide(situation, best_of(candidates, [](const Candidate& a, const Candidate& b) {
                    return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.finish < b.finish;
                  }));
  }
};

}  // namespace

std::unique_ptr<Policy> make_most_accurate_policy() {
  return std::make_unique<MostAccuratePolicy>();
}

}  // namespace juggler
