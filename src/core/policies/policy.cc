#include "core/policies/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

namespace juggler {
namespace {

struct Maker {
  std::string_view name;  // of what it makes
  std::unique_ptr<Policy> (*make)(PolicyOptions options);
  bool ablation = false;
  bool has_goal = false;
};

// One that takes a parameter, after its name and a colon.
struct ParameterMaker {
  std::string_view name;
  std::string_view parameter;
  std::unique_ptr<Policy> (*make)(std::string_view parameter);
};

template <std::unique_ptr<Policy> (*make)()>
std::unique_ptr<Policy> plain(PolicyOptions /*options*/) {
  return make();
}

constexpr auto kMakers = std::to_array<Maker>({
    {"juggler", [](PolicyOptions o) { return make_juggler_policy("", o); }, false, true},
    {"ecore", plain<make_ecore_policy>},
    {"fastest-finish", plain<make_fastest_finish_policy>},
    {"infaas", plain<make_infaas_policy>},
    {"least-energy", plain<make_least_energy_policy>},
    {"least-loaded", plain<make_least_loaded_policy>},
    {"loudva", plain<make_loudva_policy>},
    {"most-accurate", plain<make_most_accurate_policy>},
    {"power-of-two", plain<make_power_of_two_policy>},
    {"random", plain<make_random_policy>},
    {"round-robin", plain<make_round_robin_policy>},
    {"speed-weighted-round-robin", plain<make_speed_weighted_round_robin_policy>},
    {"juggler-no-energy", [](PolicyOptions o) { return make_juggler_policy("energy", o); }, true,
     true},
    {"juggler-no-variants", [](PolicyOptions o) { return make_juggler_policy("variants", o); },
     true, true},
    {"juggler-no-batching", [](PolicyOptions o) { return make_juggler_policy("batching", o); },
     true, true},
    {"juggler-no-prices", [](PolicyOptions o) { return make_juggler_policy("prices", o); }, true,
     true},
});

constexpr std::array<ParameterMaker, 1> kParameterMakers{{
    {"single-variant", "VARIANT", make_single_variant_policy},
}};

constexpr std::string_view kGoalAbout =
    "`juggler`, with what is weighed beside energy: energy (nothing), balanced, latency or "
    "accuracy";

Result<std::unique_ptr<Policy>> make_with_goal(const Maker& maker, std::string_view goal) {
  if (!maker.has_goal) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("policy '{}' has a rule of its own and no goal to choose: leave '@{}' "
                            "out, or take juggler@{}",
                            maker.name, goal, goal));
  }
  const std::optional<Goal> known = parse_goal(goal);
  if (!known) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}@{}': after @ comes energy, balanced, latency or accuracy",
                            maker.name, goal));
  }
  return maker.make({.goal = *known});
}

// The temporary verdict that a waiting task is told: the one nearest to being served.
const Candidate* nearest_temporary(std::span<const Candidate> candidates) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (is_temporary(candidate.verdict) && !is_overload(candidate.verdict) &&
        (best == nullptr || candidate.verdict < best->verdict)) {
      best = &candidate;
    }
  }
  return best;
}

Infeasible infeasible(std::span<const Candidate> candidates, const TaskView& task) {
  if (candidates.empty()) {
    return {.reason =
                fmt::format("no device serves model '{}' (see `juggler models`)", task.model)};
  }
  const bool busy = std::any_of(candidates.begin(), candidates.end(),
                                [](const Candidate& one) { return is_overload(one.verdict); });
  if (busy) {
    return {.reason =
                "overload: every processor that could serve it in time has too much before it; try "
                "again later, or allow more time or less accuracy",
            .overload = true};
  }
  // One line per reason, the most frequent first; but what nobody asked for last.
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
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    const bool a_wanted = a.first != Verdict::SyntheticOnly;
    const bool b_wanted = b.first != Verdict::SyntheticOnly;
    return std::pair(a_wanted, a.second) > std::pair(b_wanted, b.second);
  });
  std::string reason = "no device can meet the requirements:";
  for (const auto& [verdict, count] : counts) {
    reason += fmt::format(" {} of {} candidates: {};", count, candidates.size(), describe(verdict));
  }
  reason.pop_back();
  return {.reason = std::move(reason)};
}

}  // namespace

const DeviceFacts& Situation::facts_of(const Candidate& candidate) const {
  return *outlook.lanes[candidate.seen].facts;
}

const Processor& Situation::processor_of(const Candidate& candidate) const {
  return facts_of(candidate).processors[candidate.lane];
}

const Variant& Situation::variant_of(const Candidate& candidate) const {
  const LaneCosts& costs = *outlook.lanes[candidate.seen].costs;
  return facts_of(candidate).variants[costs[candidate.profile].variant];
}

Decision decide(const Situation& situation, const Candidate* chosen) {
  if (chosen != nullptr) {
    return Place{*chosen};
  }
  if (const Candidate* waiting = nearest_temporary(situation.candidates)) {
    return Wait{std::string(describe(waiting->verdict))};
  }
  return infeasible(situation.candidates, situation.task);
}

bool less_energy(const Candidate& a, const Candidate& b) {
  if (a.energy.has_value() != b.energy.has_value()) {
    return a.energy.has_value();
  }
  return a.energy != b.energy ? a.energy < b.energy : a.finish < b.finish;
}

std::vector<PolicyEntry> policies() {
  std::vector<PolicyEntry> entries;
  for (const Maker& maker : kMakers) {
    const std::unique_ptr<Policy> policy = maker.make({});
    entries.push_back({std::string(policy->name()), std::string(policy->about()), maker.ablation});
  }
  return entries;
}

std::vector<PolicyEntry> policies_with_parameter() {
  std::vector<PolicyEntry> entries{{"juggler@GOAL", std::string(kGoalAbout)}};
  for (const ParameterMaker& maker : kParameterMakers) {
    entries.push_back({fmt::format("{}:{}", maker.name, maker.parameter),
                       std::string(maker.make(maker.parameter)->about())});
  }
  return entries;
}

Result<std::unique_ptr<Policy>> make_policy(std::string_view name, PolicyOptions options) {
  std::string known;
  const std::size_t at = name.find('@');
  for (const Maker& maker : kMakers) {
    if (maker.name == name) {
      return maker.make(options);
    }
    if (at != std::string_view::npos && maker.name == name.substr(0, at)) {
      return make_with_goal(maker, name.substr(at + 1));
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", maker.name);
  }
  const std::size_t colon = name.find(':');
  for (const ParameterMaker& maker : kParameterMakers) {
    const bool given = colon != std::string_view::npos && colon + 1 < name.size();
    if (given && name.substr(0, colon) == maker.name) {
      return maker.make(name.substr(colon + 1));
    }
    known += fmt::format(", {}:{}", maker.name, maker.parameter);
  }
  return fail(ErrorCode::NotFound,
              fmt::format("no policy is called '{}'; there are: {}", name, known));
}

}  // namespace juggler
