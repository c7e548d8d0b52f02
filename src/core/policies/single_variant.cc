// Baseline: one variant for everybody, wherever it finishes first: what a fleet does that is set up
// with one network. "single-variant:mobilenet_v3_large" is the one to beat; the parameter is a
// variant, or a network with all its precisions. A task whose floor is above it is refused.

#include <fmt/format.h>

#include "core/policies/policy.h"

namespace juggler {
namespace {

class SingleVariantPolicy final : public Policy {
 public:
  explicit SingleVariantPolicy(std::string_view variant)
      : variant_(variant), name_(fmt::format("single-variant:{}", variant)) {}

  std::string_view name() const override { return name_; }
  std::string_view about() const override {
    return "always this variant or network, earliest predicted finish";
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    ours_.clear();
    for (const Candidate& candidate : situation.candidates) {
      const Variant& variant = situation.variant_of(candidate);
      if (variant.id == variant_ || variant.network == variant_) {
        ours_.push_back(candidate);
      }
    }
    if (ours_.empty()) {
      return Infeasible{fmt::format("no device serves variant '{}'", variant_)};
    }
    const Situation narrowed{situation.fleet, situation.outlook, ours_, situation.task,
                             situation.now};
    return decide(narrowed, best_of(std::span<const Candidate>(ours_),
                                    [](const Candidate& a, const Candidate& b) {
                                      return a.finish < b.finish;
                                    }));
  }

 private:
  std::string variant_;
  std::string name_;
  std::vector<Candidate> ours_;  // of the decision; kept for its memory
};

}  // namespace

std::unique_ptr<Policy> make_single_variant_policy(std::string_view variant) {
  return std::make_unique<SingleVariantPolicy>(variant);
}

}  // namespace juggler
