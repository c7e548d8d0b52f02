#include "apps/simulation_flags.h"

#include <algorithm>

#include "core/policies/policy.h"
#include "evaluation/proteus.h"

namespace juggler {
namespace {

constexpr std::string_view kUsualNetwork = "mobilenet_v3_large";

bool serves(const Scenario& scenario, std::string_view network) {
  return std::any_of(scenario.devices.begin(), scenario.devices.end(), [&](const auto& device) {
    const std::vector<Variant>& variants = device.announced.variants;
    return std::any_of(variants.begin(), variants.end(),
                       [&](const Variant& variant) { return variant.network == network; });
  });
}

}  // namespace

void add_run_flags(CLI::App& app, std::string& home, std::size_t& jobs) {
  app.add_option("--home", home, "Folder of scenarios and profiles of your own (see juggler up)")
      ->type_name("DIR");
  app.add_option("--jobs", jobs, "Runs at once; the processors of this machine")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
}

Result<std::vector<std::string>> policies_named(const std::vector<std::string>& names,
                                                const Scenario& scenario) {
  if (names.empty()) {
    return std::vector<std::string>{scenario.policy};
  }
  std::vector<std::string> chosen;
  for (const std::string& name : names) {
    if (name == "all") {
      for (const PolicyEntry& entry : policies()) {
        if (!entry.ablation) {
          chosen.push_back(entry.name);
        }
      }
      chosen.emplace_back(evaluation::kProteus);
      if (serves(scenario, kUsualNetwork)) {
        chosen.push_back("single-variant:" + std::string(kUsualNetwork));
      }
    } else if (Result<void> known = evaluation::check_simulated_policy(name); !known) {
      return known.error();
    } else {
      chosen.push_back(name);
    }
  }
  return chosen;
}

Result<std::optional<Goal>> goal_named(const std::string& name) {
  if (name.empty()) {
    return std::optional<Goal>();
  }
  if (const std::optional<Goal> goal = parse_goal(name)) {
    return goal;
  }
  return fail(ErrorCode::InvalidArgument,
              "--goal '" + name + "' is not one of: energy, balanced, latency, accuracy");
}

}  // namespace juggler
