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

  Decision plan(const Fleet& fleet, const TaskView& task, Time now, Rng& /*rng*/) override {
    const std::span<const Candidate> candidates = list_.of(fleet, task, now);
    return decide(candidates,
                  best_of(candidates,
                          [](const Candidate& a, const Candidate& b) {
                            return a.accuracy != b.accuracy ? a.accuracy > b.accuracy
                                                            : a.finish < b.finish;
                          }),
                  task);
  }

 private:
  CandidateList list_;
};

}  // namespace

std::unique_ptr<Policy> make_most_accurate_policy() {
  return std::make_unique<MostAccuratePolicy>();
}

}  // namespace juggler
