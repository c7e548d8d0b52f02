// Baseline: the selection rule of INFaaS (Romero et al., USENIX ATC 2021): the cheapest variant, on
// the cheapest hardware, that meets latency and accuracy and is not overloaded; of its instances
// the least loaded.
//
// Deviations. INFaaS pays in cloud prices; the cost here is the energy of one picture alone, as the
// profile says, because it judges variants by their profile and not by what they would share a
// batch with. Overloaded is a processor whose window is full. Starting and stopping instances is
// left out: a device holds its variants. Placements whose energy nobody knows come last.
// Ties: fewer tasks there, earlier finish, ids.

#include <limits>

#include "core/policies/policy.h"

namespace juggler {
namespace {

class InfaasPolicy final : public Policy {
 public:
  std::string_view name() const override { return "infaas"; }
  std::string_view about() const override {
    return "cheapest variant that is not overloaded, on its least loaded processor (ATC 2021)";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    return decide(situation,
                  best_of(situation.candidates, [&](const Candidate& a, const Candidate& b) {
                    if (a.verdict != b.verdict) {
                      return a.verdict == Verdict::Meets;
                    }
                    const std::int64_t cost_a = cost_uj(situation, a);
                    const std::int64_t cost_b = cost_uj(situation, b);
                    if (cost_a != cost_b) {
                      return cost_a < cost_b;
                    }
                    return a.queued != b.queued ? a.queued < b.queued : a.finish < b.finish;
                  }));
  }

 private:
  static std::int64_t cost_uj(const Situation& situation, const Candidate& candidate) {
    const LaneCosts& costs = *situation.outlook.lanes[candidate.seen].costs;
    const std::optional<Microjoules>& alone = costs[candidate.profile].of(1).energy;
    return alone ? alone->count : std::numeric_limits<std::int64_t>::max();
  }
};

}  // namespace

std::unique_ptr<Policy> make_infaas_policy() { return std::make_unique<InfaasPolicy>(); }

}  // namespace juggler
