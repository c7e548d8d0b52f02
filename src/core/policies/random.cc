// Baseline: any candidate that meets the requirements, each equally likely. One that can take
// the task now goes before one whose window is full.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class RandomPolicy final : public Policy {
 public:
  std::string_view name() const override { return "random"; }
  std::string_view about() const override {
    return "any placement that meets the requirements, by lot";
  }

  Decision plan(const Situation& situation, Rng& rng) override {
    const std::span<const Candidate> candidates = situation.candidates;
    // Among those that can take it now; if there are none, among those worth waiting for.
    for (const Verdict wanted : {Verdict::Meets, Verdict::WindowFull}) {
      std::uint64_t count = 0;
      for (const Candidate& candidate : candidates) {
        count += candidate.verdict == wanted ? 1U : 0U;
      }
      std::uint64_t lot = count == 0 ? 0 : rng.below(count);
      for (const Candidate& candidate : candidates) {
        if (candidate.verdict == wanted && lot-- == 0) {
          return decide(situation, &candidate);
        }
      }
    }
    return decide(situation, nullptr);
  }
};

}  // namespace

std::unique_ptr<Policy> make_random_policy() { return std::make_unique<RandomPolicy>(); }

}  // namespace juggler
