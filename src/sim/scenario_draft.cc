#include "sim/scenario_draft.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "core/fleet.h"
#include "files/nearest_name.h"
#include "sim/arrival_trace.h"
#include "sim/workload.h"

namespace juggler {
namespace {

// Changes between high and low of an on-off process: each costs a draw, also without arrivals.
constexpr std::int64_t kDwellsMax = 10'000'000;

Error refuse(const std::string& where, const std::string& reason) {
  return fail(ErrorCode::InvalidArgument, where + ": " + reason);
}

// Boards, accuracies and networks, each read once.
class Sources {
 public:
  Sources(const std::filesystem::path& home, const NetworkTable& own) : home_(home), own_(own) {}

  Result<ScenarioDevice> device(const DeviceDraft& draft) {
    if (!variants_.has_value()) {
      Result<VariantTable> found = VariantTable::installed(home_);
      if (!found) {
        return found.error();
      }
      variants_ = std::move(*found);
    }
    auto board = boards_.find(draft.board);
    if (board == boards_.end()) {
      Result<BoardProfile> found = find_board_profile(draft.board, home_);
      if (!found) {
        return refuse(draft.where, found.error().message);
      }
      board = boards_.emplace(draft.board, std::move(*found)).first;
    }
    Result<ScenarioDevice> device = device_of(board->second, *variants_, draft.choice);
    if (!device) {
      return refuse(draft.where, device.error().message);
    }
    const Result<NetworkProfile> network = find_network(draft);
    if (!network) {
      return network.error();
    }
    device->network = *network;
    device->noise = draft.noise;
    device->slower = draft.slower;
    device->announced.power_max = draft.power_max;
    device->truth.power_max = draft.power_max;
    return device;
  }

 private:
  Result<NetworkProfile> find_network(const DeviceDraft& draft) {
    if (!networks_.has_value()) {
      Result<NetworkTable> found = find_network_table(home_);
      if (!found) {
        return found.error();
      }
      networks_ = std::move(*found);
      for (const auto& [name, network] : own_) {
        (*networks_)[name] = network;
      }
    }
    const auto at = networks_->find(draft.network);
    if (at != networks_->end()) {
      return at->second;
    }
    std::vector<std::string> names;
    for (const auto& [name, network] : *networks_) {
      names.push_back(name);
    }
    return refuse(draft.where, "no network profile '" + draft.network + "'. " +
                                   suggestion(draft.network, names));
  }

  const std::filesystem::path& home_;
  const NetworkTable& own_;
  std::map<std::string, BoardProfile> boards_;
  std::optional<VariantTable> variants_;
  std::optional<NetworkTable> networks_;
};

Result<void> settle_devices(const ScenarioDraft& draft, const std::filesystem::path& home,
                            Scenario& scenario) {
  Sources sources(home, draft.networks);
  std::map<std::string, int> numbers;  // by prefix, going on over the entries
  std::set<std::string> ids;
  for (const DeviceDraft& entry : draft.devices) {
    const Result<ScenarioDevice> device = sources.device(entry);
    if (!device) {
      return device.error();
    }
    if (scenario.devices.size() + static_cast<std::size_t>(entry.count) > kScenarioDevicesMax) {
      return refuse(entry.where, fmt::format("more than {} devices", kScenarioDevicesMax));
    }
    for (int i = 0; i < entry.count; ++i) {
      ScenarioDevice made = *device;
      const std::string& prefix = entry.id.empty() ? entry.board : entry.id;
      const bool alone = entry.count == 1 && !entry.id.empty();
      made.announced.id = alone ? prefix : fmt::format("{}-{}", prefix, ++numbers[prefix]);
      if (!ids.insert(made.announced.id).second) {
        return refuse(entry.where, "device '" + made.announced.id + "' is there twice");
      }
      if (Result<void> ok = validate(made.announced); !ok) {
        return refuse(entry.where, ok.error().message);
      }
      scenario.devices.push_back(std::move(made));
    }
  }
  std::sort(scenario.devices.begin(), scenario.devices.end(),
            [](const auto& a, const auto& b) { return a.announced.id < b.announced.id; });
  return {};
}

// The least batch-1 mean of a device for what a class asks; nothing where it cannot serve it.
std::optional<Micros> best_time(const DeviceFacts& facts, const Requirements& wanted,
                                const std::string& auto_model) {
  const std::string& model = wanted.model == "auto" ? auto_model : wanted.model;
  std::optional<Micros> best;
  for (const Processor& processor : facts.processors) {
    for (const Profile& profile : processor.profiles) {
      const Variant* variant = facts.find_variant(profile.variant);
      const Micros time = profile.points.front().latency_mean;
      if (variant != nullptr && answers(*variant, model) &&
          variant->accuracy >= wanted.min_accuracy.value_or(MilliPercent{0}) &&
          (!best.has_value() || time < *best)) {
        best = time;
      }
    }
  }
  return best;
}

// What the way to a device and back takes: the round trip with three deviations of it, and the
// payload through the link.
Micros way_of(const NetworkProfile& network, Bytes payload) {
  const std::int64_t sending =
      network.bandwidth_kbits == 0 ? 0 : payload.count * 8'000 / network.bandwidth_kbits;
  return network.rtt + network.jitter * 3 + Micros{sending};
}

// deadline_services: so many times the median device's best time, plus the longest way to a device
// that can serve, and the broker's own time.
Result<void> settle_deadline(const ClassDraft& entry, const Scenario& scenario,
                             DemandClass& demand) {
  Requirements& wanted = demand.requirements;
  std::vector<Micros> times;
  Micros network;
  for (const ScenarioDevice& device : scenario.devices) {
    if (const auto time = best_time(device.announced, wanted, scenario.controller.auto_model)) {
      times.push_back(*time);
      network = std::max(network, way_of(device.network, demand.payload));
    }
  }
  if (times.empty()) {
    return refuse(entry.where, "class '" + entry.demand.name +
                                   "': no device can serve it, so that deadline_services means "
                                   "nothing; give deadline_ms");
  }
  std::sort(times.begin(), times.end());
  const Micros median = times[times.size() / 2];
  const auto services = static_cast<double>(median.count);
  const std::int64_t deadline =
      std::llround(*entry.deadline_services * services) + network.count + kNetworkDefault.count;
  wanted.deadline = Micros{(deadline + 999) / 1000 * 1000};
  return {};
}

Rate scaled(Rate rate, double factor) { return {rate.hz * factor, rate.load * factor}; }

Rate rate_of(const RateDraft& draft) { return {draft.hz.value_or(0.0), draft.load.value_or(0.0)}; }

bool is_given(const RateDraft& draft) { return draft.hz.has_value() || draft.load.has_value(); }

// The process and rate of one class; a class without its own rate has its share of the file's.
Result<void> settle_arrivals(const ScenarioDraft& draft, const ClassDraft& entry, double shares,
                             ArrivalProcess& arrivals) {
  arrivals.from = entry.from;
  arrivals.until = entry.until.value_or(draft.scenario.duration);
  if (arrivals.until > draft.scenario.duration || arrivals.from >= arrivals.until) {
    return refuse(entry.where, "a class sends from from_s to a later until_s, at most duration_s");
  }
  const double part = is_given(entry.rate) ? 1.0 : entry.share / shares;
  arrivals.rate = scaled(rate_of(is_given(entry.rate) ? entry.rate : draft.rate), part);
  arrivals.shape = entry.arrivals.value_or(draft.arrivals.value_or(PoissonArrivals{}));
  if (auto* ramp = std::get_if<RampArrivals>(&arrivals.shape)) {
    ramp->end = scaled(ramp->end, entry.arrivals.has_value() ? 1.0 : part);
    if ((ramp->end.hz > 0.0) != (arrivals.rate.hz > 0.0)) {
      return refuse(entry.where, "a ramp begins and ends in the same unit: hz or load");
    }
  }
  const auto* on_off = std::get_if<OnOffArrivals>(&arrivals.shape);
  if (on_off != nullptr &&
      draft.scenario.duration.count / (on_off->high_mean + on_off->low_mean).count > kDwellsMax) {
    return refuse(entry.where,
                  fmt::format("high_s_mean and low_s_mean are too short for duration_s: "
                              "more than {} changes",
                              kDwellsMax));
  }
  const auto* trace = std::get_if<TraceArrivals>(&arrivals.shape);
  if (trace == nullptr && arrivals.rate == Rate{}) {
    return refuse(entry.where, "has no rate: give rate_hz or load, here or for the whole file");
  }
  if (trace != nullptr) {  // read once now: an error belongs to the scenario, not to its run
    if (const Result<Trace> read = load_trace(trace->file, trace->form); !read) {
      return refuse(entry.where, read.error().message);
    }
  }
  return {};
}

// What a class contributes to the mix, in the unit of its rate.
Result<double> weight_of(const ArrivalProcess& arrivals) {
  const auto* trace = std::get_if<TraceArrivals>(&arrivals.shape);
  if (trace != nullptr && arrivals.rate == Rate{}) {
    const Result<Trace> read = load_trace(trace->file, trace->form);
    return read ? Result<double>(read->mean_hz()) : Result<double>(read.error());
  }
  if (const auto* ramp = std::get_if<RampArrivals>(&arrivals.shape)) {
    return (arrivals.rate.hz + arrivals.rate.load + ramp->end.hz + ramp->end.load) / 2.0;
  }
  return arrivals.rate.hz + arrivals.rate.load;
}

Result<void> settle_mix(const ScenarioDraft& draft, Scenario& scenario) {
  double sum = 0.0;
  std::size_t loads = 0;
  for (DemandClass& demand : scenario.classes) {
    const Result<double> weight = weight_of(demand.arrivals);
    if (!weight) {
      return weight.error();
    }
    demand.share = *weight;
    sum += *weight;
    loads += demand.arrivals.rate.load > 0.0 ? 1 : 0;
  }
  if (loads > 0 && loads < scenario.classes.size()) {
    return refuse(draft.classes.front().where,
                  "some classes have a load and some a rate in Hz: a load is a share of the "
                  "capacity for a mix, so all or none must have one");
  }
  const double most = loads > 0 ? kScenarioLoadMax : kScenarioRateMax;
  if (sum > most) {
    return refuse(draft.classes.front().where,
                  fmt::format("all classes together make {:.6g} {}, at most {:.6g}", sum,
                              loads > 0 ? "times the capacity" : "Hz", most));
  }
  for (DemandClass& demand : scenario.classes) {
    demand.share /= sum;
  }
  return {};
}

Result<void> settle_classes(const ScenarioDraft& draft, Scenario& scenario) {
  double shares = 0.0;
  for (const ClassDraft& entry : draft.classes) {
    shares += is_given(entry.rate) ? 0.0 : entry.share;
  }
  std::set<std::string> names;
  for (const ClassDraft& entry : draft.classes) {
    DemandClass demand = entry.demand;
    if (!names.insert(demand.name).second) {
      return refuse(entry.where, "class '" + demand.name + "' is there twice");
    }
    if (Result<void> ok = settle_arrivals(draft, entry, shares, demand.arrivals); !ok) {
      return ok.error();
    }
    if (entry.deadline_services.has_value()) {
      if (Result<void> ok = settle_deadline(entry, scenario, demand); !ok) {
        return ok.error();
      }
    }
    scenario.classes.push_back(std::move(demand));
  }
  return settle_mix(draft, scenario);
}

// Least energy of batch 1 at the board's input; the most where there is no figure.
std::int64_t least_energy(const DeviceFacts& facts) {
  std::int64_t least = INT64_MAX;
  for (const Processor& processor : facts.processors) {
    for (const Profile& profile : processor.profiles) {
      const std::optional<EnergyFigure>& energy = profile.points.front().energy;
      if (energy.has_value()) {
        least = std::min(least, energy->value.count * facts.to_board_input.factor_permille / 1000);
      }
    }
  }
  return least;
}

// The devices that a fault is for, as ids: in the order of its pick, ties by id.
std::vector<std::string> picked(const FaultDraft& entry, const Scenario& scenario) {
  const Requirements wanted =
      scenario.classes.empty() ? Requirements{} : scenario.classes.front().requirements;
  std::vector<std::pair<std::int64_t, std::string>> ranked;
  for (const ScenarioDevice& device : scenario.devices) {
    const std::int64_t time = best_time(device.announced, wanted, scenario.controller.auto_model)
                                  .value_or(Micros{INT64_MAX / 2})
                                  .count;
    const std::int64_t rank = entry.pick == Pick::MostEfficient ? least_energy(device.announced)
                              : entry.pick == Pick::Slowest     ? -time
                                                                : time;
    ranked.emplace_back(rank, device.announced.id);
  }
  std::sort(ranked.begin(), ranked.end());
  const double share = entry.devices_percent / 100.0 * static_cast<double>(ranked.size());
  ranked.resize(std::min(ranked.size(),
                         std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(share)))));
  std::vector<std::string> ids;
  for (const auto& [rank, id] : ranked) {
    ids.push_back(id);
  }
  return ids;
}

Result<void> settle_faults(const ScenarioDraft& draft, Scenario& scenario) {
  std::vector<std::string> ids;
  for (const ScenarioDevice& device : scenario.devices) {
    ids.push_back(device.announced.id);
  }
  for (const FaultDraft& entry : draft.faults) {
    const std::string& device = entry.fault.device;
    if (!device.empty() && !std::binary_search(ids.begin(), ids.end(), device)) {
      return refuse(entry.where, "no device '" + device + "'. " + suggestion(device, ids));
    }
    if (entry.fault.at > scenario.duration) {
      return refuse(entry.where, "at_s lies after the end of the scenario, duration_s");
    }
    if (entry.pick == Pick::None) {
      scenario.faults.push_back(entry.fault);
      continue;
    }
    for (const std::string& id : picked(entry, scenario)) {
      scenario.faults.push_back(entry.fault);
      scenario.faults.back().device = id;
    }
  }
  if (scenario.faults.size() > kScenarioFaultsMax) {
    return refuse(draft.faults.front().where,
                  fmt::format("more than {} faults", kScenarioFaultsMax));
  }
  return {};
}

}  // namespace

Result<Scenario> settle(const ScenarioDraft& draft, const std::filesystem::path& home) {
  Scenario scenario = draft.scenario;
  if (draft.devices.empty() || draft.classes.empty()) {
    return fail(ErrorCode::InvalidArgument, "scenario '" + scenario.name +
                                                "': needs a [[device]] and a [[class]] at least, " +
                                                "its own or of a file that it includes");
  }
  if (scenario.warm_up >= scenario.duration) {
    return fail(ErrorCode::InvalidArgument,
                "scenario '" + scenario.name + "': warm_up_s must be less than duration_s");
  }
  if (Result<void> ok = settle_devices(draft, home, scenario); !ok) {
    return ok.error();
  }
  if (Result<void> ok = settle_classes(draft, scenario); !ok) {
    return ok.error();
  }
  if (Result<void> ok = settle_faults(draft, scenario); !ok) {
    return ok.error();
  }
  for (const auto& [key, expectation] : draft.expectations) {
    scenario.expectations.push_back(expectation);
  }
  settle_truth(scenario);
  return scenario;
}

}  // namespace juggler
