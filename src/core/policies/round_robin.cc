// Baseline: processors in turn, each task to the next one in the order of ids that can take it; on
// it, the variant that finishes first. A turn counts when a task is
// placed.

#include "core/policies/policy.h"

namespace juggler {
namespace {

using LaneId = std::pair<std::uint32_t, std::uint32_t>;

bool by_finish(const Candidate& a, const Candidate& b) { return a.finish < b.finish; }

// The first processor after `last` that can take the task now, on it the variant that finishes
// first; nothing if none follows.
const Candidate* next_after(std::span<const Candidate> candidates, std::optional<LaneId> last) {
  const Candidate* chosen = nullptr;
  for (const Candidate& candidate : candidates) {
    const LaneId lane{candidate.device, candidate.lane};
    if (candidate.verdict != Verdict::Meets || (last.has_value() && lane <= *last)) {
      continue;
    }
    if (chosen == nullptr ||
        (lane == LaneId{chosen->device, chosen->lane} && by_finish(candidate, *chosen))) {
      chosen = &candidate;
    }
  }
  return chosen;
}

class RoundRobinPolicy final : public Policy {
 public:
  std::string_view name() const override { return "round-robin"; }
  std::string_view about() const override { return "processors in turn"; }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = situation.candidates;
    const Candidate* chosen = next_after(candidates, last_);
    if (chosen == nullptr) {
      chosen = next_after(candidates, std::nullopt);
    }
    if (chosen != nullptr) {
      last_ = LaneId{chosen->device, chosen->lane};
      return decide(situation, chosen);
    }
    // Every processor is busy: wait for the one that is free first.
    return decide(situation, best_of(candidates, by_finish));
  }

  std::vector<std::int64_t> memory() const override {
    return last_.has_value() ? std::vector<std::int64_t>{last_->first, last_->second}
                             : std::vector<std::int64_t>();
  }
  bool take_up(std::span<const std::int64_t> memory) override {
    if (memory.size() == 2) {
      last_ = LaneId{static_cast<std::uint32_t>(memory[0]), static_cast<std::uint32_t>(memory[1])};
    }
    return memory.empty() || memory.size() == 2;
  }

 private:
  std::optional<LaneId>
      last_;  // placed on last; a device that joins before it shifts the turn by one
};

}  // namespace

std::unique_ptr<Policy> make_round_robin_policy() { return std::make_unique<RoundRobinPolicy>(); }

}  // namespace juggler
