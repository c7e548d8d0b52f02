// Baseline: LoudVA's rule (DOI 10.1145/3721889.3721925; MIT-licensed code iloudaros/LoudVA): the
// device and batch with the least energy per frame whose latency keeps the tightest deadline less a
// safety margin; where none does, the one that is nearest to keeping it.
//
// Deviations. LoudVA also sets the GPU's frequency, which no device here offers, and serves one
// network; here each variant above the floor is a configuration. It cuts the queue into batches
// itself; here the controller forms them, and the energy compared is the task's share of the batch
// that it would join. The margin of its settings, 0.2, is taken as a share of the time that is
// left. Its latency leaves out the queue on the device, because it sends to idle devices only; the
// predicted finish is used here. Placements whose energy nobody knows come last. Ties: ids.

#include "core/policies/policy.h"

namespace juggler {
namespace {

constexpr std::int64_t kMarginPermille = 200;

class LoudvaPolicy final : public Policy {
 public:
  std::string_view name() const override { return "loudva"; }
  std::string_view about() const override {
    return "least energy that keeps the deadline less 20 % (DOI 10.1145/3721889.3721925)";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    const Micros left = situation.task.deadline - situation.now;
    const Time safe = situation.now + left * (1000 - kMarginPermille) / 1000;
    return decide(situation,
                  best_of(situation.candidates, [safe](const Candidate& a, const Candidate& b) {
                    if ((a.finish <= safe) != (b.finish <= safe)) {
                      return a.finish <= safe;
                    }
                    return a.finish <= safe ? less_energy(a, b) : a.finish < b.finish;
                  }));
  }
};

}  // namespace

std::unique_ptr<Policy> make_loudva_policy() { return std::make_unique<LoudvaPolicy>(); }

}  // namespace juggler
