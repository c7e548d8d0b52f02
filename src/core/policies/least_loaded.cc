// Baseline: the processor with the fewest tasks in flight and waiting; on it, the variant that
// finishes first. It does not know that processors differ in speed.

#include "core/policies/policy.h"

namespace juggler {
namespace {

class LeastLoadedPolicy final : public Policy {
 public:
  std::string_view name() const override { return "least-loaded"; }
  std::string_view about() const override {
    return "fewest tasks on the processor, then earliest predicted finish";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = situation.candidates;
    return decide(situation, best_of(candidates, [](const Candidate& a, const Candidate& b) {
                    return a.queued != b.queued ? a.queued < b.queued : a.finish < b.finish;
                  }));
  }
};

}  // namespace

std::unique_ptr<Policy> make_least_loaded_policy() { return std::make_unique<LeastLoadedPolicy>(); }

}  // namespace juggler
