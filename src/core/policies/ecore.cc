// Baseline: ECORE's greedy rule (Alqahtani et al., arXiv 2507.06011): of the pairs of device and
// model whose accuracy is within a tolerance of the best, the one with the least energy.
//
// Deviations. The paper detects objects, groups images by how many they show, and looks up the
// accuracy of each group; a classified picture is one group. It knows neither deadlines nor
// queues: here the best is the best of what meets this task's requirements now, or the rule would
// send all to one processor and miss. The tolerance of 2 points is the loss that the paper reports.
// Placements whose energy nobody knows come last. Ties: earlier finish, then ids.

#include "core/policies/policy.h"

namespace juggler {
namespace {

constexpr MilliPercent kTolerance{2'000};

class EcorePolicy final : public Policy {
 public:
  std::string_view name() const override { return "ecore"; }
  std::string_view about() const override {
    return "least energy within 2 points of the best accuracy (arXiv 2507.06011)";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    MilliPercent highest;
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate)) {
        highest = std::max(highest, candidate.accuracy);
      }
    }
    const Candidate* best = nullptr;
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate) && candidate.accuracy >= highest - kTolerance &&
          (best == nullptr || less_energy(candidate, *best))) {
        best = &candidate;
      }
    }
    return decide(situation, best);
  }
};

}  // namespace

std::unique_ptr<Policy> make_ecore_policy() { return std::make_unique<EcorePolicy>(); }

}  // namespace juggler
