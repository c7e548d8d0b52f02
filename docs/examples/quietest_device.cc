// The device with the fewest tasks, all its processors together; there, the placement that takes
// the least energy. An example of a policy of your own: docs/policies.md.
//
// Assumes that devices are about equally fast: a task counts the same everywhere.
// Ties: the earlier finish, then ids.

#include <map>

#include "core/policies/policy.h"

namespace juggler {
namespace {

class QuietestDevicePolicy final : public Policy {
 public:
  std::string_view name() const override { return "quietest-device"; }
  std::string_view about() const override {
    return "fewest tasks on the device, then least energy";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    std::map<std::uint32_t, std::uint64_t> tasks;  // in flight and in line, per device
    for (const LaneOutlook& lane : situation.outlook.lanes) {
      tasks[lane.device] += lane.queued;
    }
    const auto better = [&tasks](const Candidate& a, const Candidate& b) {
      const std::uint64_t on_a = tasks.at(a.device);
      const std::uint64_t on_b = tasks.at(b.device);
      return on_a != on_b ? on_a < on_b : less_energy(a, b);
    };
    return decide(situation, best_of(situation.candidates, better));
  }
};

}  // namespace

std::unique_ptr<Policy> make_quietest_device_policy() {
  return std::make_unique<QuietestDevicePolicy>();
}

}  // namespace juggler
