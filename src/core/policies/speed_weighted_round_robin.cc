// Baseline: processors in turn, each as often as it is fast: smooth weighted round-robin (as in
// nginx's upstream module). A processor's weight is how many such tasks it serves per second with
// the variant that is the quickest there, which is also the one it then serves.
//
// Only processors that can take the task now take part in a turn; where there are none, the task
// waits for the one that finishes first. Ties: ids.

#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/policies/policy.h"

namespace juggler {
namespace {

using LaneId = std::pair<std::uint32_t, std::uint32_t>;

std::int64_t tasks_per_1000s(const Candidate& candidate) {
  return 1'000'000'000 / std::max<std::int64_t>(1, candidate.occupies.count);
}

class SpeedWeightedRoundRobinPolicy final : public Policy {
 public:
  std::string_view name() const override { return "speed-weighted-round-robin"; }
  std::string_view about() const override {
    return "processors in turn, as often as they are fast";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = situation.candidates;
    list_quickest(candidates);
    if (quickest_.empty()) {
      return decide(situation, best_of(candidates, [](const Candidate& a, const Candidate& b) {
                      return a.finish < b.finish;
                    }));
    }
    std::int64_t all = 0;
    const Candidate* chosen = nullptr;
    std::int64_t* highest = nullptr;
    for (const Candidate* candidate : quickest_) {
      std::int64_t& credit = credits_[{candidate->device, candidate->lane}];
      credit += tasks_per_1000s(*candidate);
      all += tasks_per_1000s(*candidate);
      if (highest == nullptr || credit > *highest) {
        highest = &credit;
        chosen = candidate;
      }
    }
    JUGGLER_CHECK(highest != nullptr, "some processor is the quickest");
    *highest -= all;
    return decide(situation, chosen);
  }

  // Three numbers of each processor: device, lane, credit.
  std::vector<std::int64_t> memory() const override {
    std::vector<std::int64_t> memory;
    for (const auto& [lane, credit] : credits_) {
      memory.insert(memory.end(), {lane.first, lane.second, credit});
    }
    return memory;
  }
  bool take_up(std::span<const std::int64_t> memory) override {
    for (std::size_t i = 0; i + 3 <= memory.size(); i += 3) {
      credits_[{static_cast<std::uint32_t>(memory[i]), static_cast<std::uint32_t>(memory[i + 1])}] =
          memory[i + 2];
    }
    return memory.size() % 3 == 0;
  }

 private:
  // Of each processor that can take the task now, the candidate that takes it the least time.
  void list_quickest(std::span<const Candidate> candidates) {
    quickest_.clear();
    for (const Candidate& candidate : candidates) {
      if (candidate.verdict != Verdict::Meets) {
        continue;
      }
      if (quickest_.empty() || quickest_.back()->device != candidate.device ||
          quickest_.back()->lane != candidate.lane) {
        quickest_.push_back(&candidate);
      } else if (candidate.occupies < quickest_.back()->occupies) {
        quickest_.back() = &candidate;
      }
    }
  }

  std::map<LaneId, std::int64_t> credits_;  // a device that joins shifts the later ones by one
  std::vector<const Candidate*> quickest_;  // of the decision; kept for its memory
};

}  // namespace

std::unique_ptr<Policy> make_speed_weighted_round_robin_policy() {
  return std::make_unique<SpeedWeightedRoundRobinPolicy>();
}

}  // namespace juggler
