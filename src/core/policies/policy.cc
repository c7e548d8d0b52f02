#include "core/policies/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace juggler {
namespace {

using Maker = std::unique_ptr<Policy> (*)();
constexpr std::array<Maker, 6> kMakers{make_juggler_policy,      make_fastest_finish_policy,
                                       make_least_loaded_policy, make_most_accurate_policy,
                                       make_random_policy,       make_round_robin_policy};

// The temporary verdict that a waiting task is told: the one nearest to being served.
const Candidate* nearest(std::span<const Candidate> candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (is_temporary(candidate.verdict) && (best == nullptr || candidate.verdict < best->verdict)) {
      best = &candidate;
    }
  }
  return best;
}

std::string infeasible_reason(std::span<const Candidate> candidates, const TaskView& task) {
  if (candidates.empty()) {
    return fmt::format("no device serves model '{}' (see `juggler models`)", task.model);
  }
  // One line per reason, the most frequent first.
  std::vector<std::pair<Verdict, int>> counts;
  for (const Candidate& candidate : candidates) {
    const auto at = std::find_if(counts.begin(), counts.end(), [&](const auto& count) {
      return count.first == candidate.verdict;
    });
    if (at == counts.end()) {
      counts.emplace_back(candidate.verdict, 1);
    } else {
      at->second += 1;
    }
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string reason = "no device can meet the requirements:";
  for (const auto& [verdict, count] : counts) {
    reason += fmt::format(" {} of {} candidates: {};", count, candidates.size(), describe(verdict));
  }
  reason.pop_back();
  return reason;
}

}  // namespace

Decision decide(std::span<const Candidate> candidates, const Candidate* chosen,
                const TaskView& task) {
  if (chosen != nullptr) {
    if (chosen->verdict == Verdict::Meets) {
      return Place{*chosen};
    }
    return Wait{std::string(describe(chosen->verdict)), *chosen};
  }
  if (const Candidate* waiting = nearest(candidates)) {
    return Wait{std::string(describe(waiting->verdict)), std::nullopt};
  }
  return Infeasible{infeasible_reason(candidates, task)};
}

std::vector<PolicyEntry> policies() {
  std::vector<PolicyEntry> entries;
  for (const Maker make : kMakers) {
    const std::unique_ptr<Policy> policy = make();
    entries.push_back({policy->name(), policy->about()});
  }
  return entries;
}

Result<std::unique_ptr<Policy>> make_policy(std::string_view name) {
  std::string known;
  for (const Maker make : kMakers) {
    std::unique_ptr<Policy> policy = make();
    if (policy->name() == name) {
      return policy;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", policy->name());
  }
  return fail(ErrorCode::NotFound,
              fmt::format("no policy is called '{}'; there are: {}", name, known));
}

}  // namespace juggler
