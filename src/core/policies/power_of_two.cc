// Baseline: two processors by lot, the task to the one with fewer tasks (Mitzenmacher, "The power
// of two choices in randomized load balancing", IEEE TPDS 2001); on it, the variant that finishes
// first. Only processors that can take the task now are in the lot; where there are none, those
// worth waiting for. Equal queues: the first drawn.

#include "core/policies/policy.h"

namespace juggler {
namespace {

bool same_lane(const Candidate& a, const Candidate& b) {
  return a.device == b.device && a.lane == b.lane;
}

class PowerOfTwoPolicy final : public Policy {
 public:
  std::string_view name() const override { return "power-of-two"; }
  std::string_view about() const override { return "the less loaded of two processors by lot"; }

  Decision plan(const Situation& situation, Rng& rng) override {
    for (const Verdict wanted : {Verdict::Meets, Verdict::WindowFull}) {
      list_lanes(situation.candidates, wanted);
      if (!fastest_.empty()) {
        return decide(situation, draw(rng));
      }
    }
    return decide(situation, nullptr);
  }

 private:
  // Of each processor with such candidates, the one that finishes first. A processor's candidates
  // follow one another.
  void list_lanes(std::span<const Candidate> candidates, Verdict wanted) {
    fastest_.clear();
    for (const Candidate& candidate : candidates) {
      if (candidate.verdict != wanted) {
        continue;
      }
      if (fastest_.empty() || !same_lane(*fastest_.back(), candidate)) {
        fastest_.push_back(&candidate);
      } else if (candidate.finish < fastest_.back()->finish) {
        fastest_.back() = &candidate;
      }
    }
  }

  const Candidate* draw(Rng& rng) const {
    const std::size_t first = rng.below(fastest_.size());
    if (fastest_.size() == 1) {
      return fastest_.front();
    }
    std::size_t second = rng.below(fastest_.size() - 1);
    second += second >= first ? 1U : 0U;
    return fastest_[second]->queued < fastest_[first]->queued ? fastest_[second] : fastest_[first];
  }

  std::vector<const Candidate*> fastest_;  // of the decision; kept for its memory
};

}  // namespace

std::unique_ptr<Policy> make_power_of_two_policy() { return std::make_unique<PowerOfTwoPolicy>(); }

}  // namespace juggler
