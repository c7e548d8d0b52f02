#include "apps/live_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "apps/places.h"
#include "inference/sized_picture.h"
#include "sim/network_table.h"

namespace juggler {
namespace {

constexpr const char* kLoopback = "local";

Result<void> refuse(std::string message) {
  return fail(ErrorCode::Unsupported, std::move(message));
}

// At most so many names, and how many more.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  const auto shown = names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size()));
  std::string text = fmt::format("{}", fmt::join(names.begin(), shown, ", "));
  return names.size() > kShown ? fmt::format("{} and {} more", text, names.size() - kShown) : text;
}

Result<void> check_faults(const Scenario& scenario) {
  std::vector<std::string> faults;
  for (const Fault& fault : scenario.faults) {
    const std::string where = fault.device.empty() ? "" : " of " + fault.device;
    faults.push_back(std::string(to_string(fault.kind)) + where);
  }
  if (scenario.random_faults > 0) {
    faults.push_back(fmt::format("{} random ones", scenario.random_faults));
  }
  if (faults.empty()) {
    return {};
  }
  return refuse(
      "a live run makes no faults happen, and this scenario has some: " + some_of(faults) +
      ". Take them out of the scenario, or run it with juggler simulate");
}

// The keys of [controller] that say something else than their defaults.
std::vector<std::string> changed_keys(const ControllerConfig& config, bool settable_too) {
  const ControllerConfig usual;
  std::vector<std::string> keys;
  const auto compare = [&](const char* key, const auto& value, const auto& usual_value) {
    if (value != usual_value) {
      keys.emplace_back(key);
    }
  };
  if (settable_too) {
    compare("attempts_max", config.attempts_max, usual.attempts_max);
    compare("deadline_ms", config.deadline, usual.deadline);
    compare("power_max_w", config.power_max, usual.power_max);
  }
  compare("tasks_max", config.tasks_max, usual.tasks_max);
  compare("answered_max", config.answered_max, usual.answered_max);
  compare("replans_max", config.replans_max, usual.replans_max);
  compare("reconsidered_max", config.reconsidered_max, usual.reconsidered_max);
  compare("learns", config.learns, usual.learns);
  compare("warm_up_ms", config.warm_up, usual.warm_up);
  compare("adopt_wait_ms", config.adopt_wait, usual.adopt_wait);
  compare("suspect_after_ms", config.suspect_after, usual.suspect_after);
  compare("lost_after_ms", config.lost_after, usual.lost_after);
  compare("learned_fades_after_ms", config.learned_fades_after, usual.learned_fades_after);
  compare("attempt_grace_ms", config.attempt_grace, usual.attempt_grace);
  return keys;
}

Result<void> check_controller(const Scenario& scenario, LiveFleetKind fleet) {
  const bool given = fleet == LiveFleetKind::Given;
  const std::vector<std::string> keys = changed_keys(scenario.controller, given);
  if (keys.empty()) {
    return {};
  }
  return refuse(fmt::format(
      "[controller] of the scenario sets {}, which {}. Take it out of the scenario", some_of(keys),
      given ? "the controller that is up does not know" : "no flag of juggler controller sets"));
}

Result<void> check_payloads(const Scenario& scenario) {
  for (const DemandClass& demand : scenario.classes) {
    if (demand.payload_kind != PayloadKind::Jpeg || demand.payload < kSizedPictureMin) {
      return refuse(
          fmt::format("class '{}': a live run sends JPEG pictures of at least {} bytes; set its "
                      "payload_bytes",
                      demand.name, kSizedPictureMin.count));
    }
  }
  return {};
}

}  // namespace

Result<void> check_live(const Scenario& scenario, LiveFleetKind fleet) {
  if (Result<void> ok = check_faults(scenario); !ok) {
    return ok;
  }
  if (Result<void> ok = check_controller(scenario, fleet); !ok) {
    return ok;
  }
  if (Result<void> ok = check_payloads(scenario); !ok) {
    return ok;
  }
  if (fleet == LiveFleetKind::Given) {
    return {};
  }
  if (scenario.devices.size() > kLiveTwinsMax) {
    return refuse(fmt::format(
        "the scenario has {} devices, and a run on this machine at most {} twins, a process each. "
        "Take a smaller fleet, spread it over machines and name its broker with --broker, or run "
        "it with juggler simulate",
        scenario.devices.size(), kLiveTwinsMax));
  }
  return {};
}

Result<void> put_on_loopback(Scenario& scenario, const std::string& home) {
  const Result<NetworkTable> networks = find_network_table(home_folder(home));
  if (!networks) {
    return networks.error();
  }
  const auto local = networks->find(kLoopback);
  if (local == networks->end()) {
    return fail(ErrorCode::NotFound, "--loopback: profiles/networks.toml has no network `" +
                                         std::string(kLoopback) + "`; add one");
  }
  for (ScenarioDevice& device : scenario.devices) {
    device.network = local->second;
  }
  return {};
}

Result<std::vector<Arrival>> live_arrivals(const Scenario& scenario) {
  Result<Workload> workload = Workload::open(scenario);
  if (!workload) {
    return workload.error();
  }
  std::vector<Arrival> arrivals;
  while (const std::optional<Arrival> next = workload->next()) {
    if (arrivals.size() == kLiveTasksMax) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("a live run has at most {} tasks, and this scenario has more: "
                              "shorten its duration_s or lower its load",
                              kLiveTasksMax));
    }
    arrivals.push_back(*next);
  }
  return arrivals;
}

}  // namespace juggler
