#include "sim/random_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/check.h"
#include "core/policies/policy.h"

namespace juggler::sim {
namespace {

std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

bool one_in(Rng& rng, std::uint64_t n) { return rng.below(n) == 0; }

Variant variant_of(const char* network, const char* precision, std::int64_t accuracy_millipercent) {
  Variant variant;
  variant.id = fmt::format("{}-{}", network, precision);
  variant.model = "imagenet";
  variant.network = network;
  variant.precision = precision;
  variant.accuracy = {accuracy_millipercent};
  variant.weights = Weights::Pretrained;
  return variant;
}

Profile profile_of(Rng& rng, const Variant& variant, int batch_max) {
  Profile profile;
  profile.variant = variant.id;
  profile.evidence = Evidence::Assumed;
  profile.source = "drawn from a seed";
  profile.load = one_in(rng, 2) ? Micros{0} : Micros{between(rng, 1'000, 500'000)};
  const Micros latency{between(rng, 5'000, 300'000)};
  const bool known = !one_in(rng, 4);
  const std::int64_t energy = between(rng, 10'000, 900'000);
  const std::int64_t spread = between(rng, 100, 160);  // p95 in percent of the mean
  const bool odd = one_in(rng, 8);                     // the larger the batch, the less it takes
  for (int batch = 1; batch <= batch_max; batch *= 2) {
    ProfilePoint point;
    point.batch = batch;
    point.latency_mean = odd ? latency * 2 / (batch + 1) : latency * (batch + 1) / 2;
    point.latency_p95 = point.latency_mean * spread / 100;
    if (known) {
      const Microjoules value{energy * (batch + 1) / 2};
      point.energy = EnergyFigure{.value = value, .low = value * 8 / 10, .high = value * 12 / 10};
    }
    profile.points.push_back(point);
  }
  return profile;
}

ScenarioDevice device_of(Rng& rng, int number) {
  const std::array<Variant, 3> pool{variant_of("large", "fp32", 82'000),
                                    variant_of("medium", "fp32", 76'000),
                                    variant_of("small", "int8", 68'000)};
  DeviceFacts facts;
  facts.id = fmt::format("dev-{}", number);
  facts.board = "drawn";
  facts.twin = true;
  facts.memory = mebibytes(1024);
  facts.variants.assign(pool.begin(), pool.end());
  const std::int64_t processors = between(rng, 1, 2);
  for (std::int64_t p = 0; p < processors; ++p) {
    Processor processor;
    processor.id = fmt::format("p{}", p);
    processor.runtime = "simulated";
    processor.window_batches = static_cast<int>(between(rng, 1, 3));
    processor.batch_max = static_cast<int>(between(rng, 1, 4));
    for (std::size_t v = 0; v < pool.size(); ++v) {
      if (v == 0 || !one_in(rng, 3)) {
        processor.profiles.push_back(profile_of(rng, pool[v], processor.batch_max));
      }
    }
    facts.processors.push_back(std::move(processor));
  }
  ScenarioDevice device;
  device.announced = facts;
  device.truth = std::move(facts);
  device.network.rtt = {between(rng, 200, one_in(rng, 3) ? 80'000 : 3'000)};
  device.network.jitter = device.network.rtt / 10;
  device.network.loss_ppm = one_in(rng, 3) ? between(rng, 0, 20'000) : 0;
  device.network.bandwidth_kbits = one_in(rng, 3) ? between(rng, 2'000, 100'000) : 0;
  device.preloads = !one_in(rng, 3);
  const Result<void> sane = validate(device.announced);
  JUGGLER_CHECK(sane.has_value(), "a random world has sane devices");
  return device;
}

DemandClass class_of(Rng& rng, int number) {
  DemandClass demand;
  demand.name = fmt::format("class-{}", number);
  Requirements& wanted = demand.requirements;
  wanted.deadline = Micros{between(rng, 150'000, one_in(rng, 3) ? 20'000'000 : 2'000'000)};
  wanted.priority = static_cast<int>(rng.below(10));
  if (one_in(rng, 3)) {
    wanted.min_accuracy = MilliPercent{between(rng, 60'000, 90'000)};
  }
  if (one_in(rng, 4)) {
    wanted.max_energy = Microjoules{between(rng, 20'000, 1'200'000)};
  }
  demand.payload = {between(rng, 1, one_in(rng, 10) ? 200'000 : 64)};
  return demand;
}

// In half of the worlds the fleet has a watt limit, in a quarter some device; from what lets hardly
// anything run to what is never reached.
void limit_power(std::uint64_t seed, Scenario& scenario) {
  Rng rng(seed_of(seed, Stream::Load, 1));
  Milliwatts rest;
  for (ScenarioDevice& device : scenario.devices) {
    const Milliwatts idle{between(rng, 500, 4'000)};
    device.announced.idle = idle;
    device.announced.to_board_input.factor_permille = between(rng, 900, 1'300);
    rest += idle * device.announced.to_board_input.factor_permille / 1000;
    if (one_in(rng, 4)) {
      device.announced.power_max = idle * 2 + Milliwatts{between(rng, 1'000, 20'000)};
    }
    if (one_in(rng, 8)) {
      device.announced.idle.reset();
    }
    device.truth = device.announced;
  }
  if (one_in(rng, 2)) {
    const auto devices = static_cast<std::int64_t>(scenario.devices.size());
    scenario.controller.power_max = rest + Milliwatts{between(rng, 500, 12'000 * devices)};
  }
}

// Two processors of a device slow each other down, by up to four times; what is true of that is not
// what was announced.
void slow_each_other(std::uint64_t seed, Scenario& scenario) {
  Rng rng(seed_of(seed, Stream::Load, 2));
  for (ScenarioDevice& device : scenario.devices) {
    for (DeviceFacts* facts : {&device.announced, &device.truth}) {
      std::vector<Processor>& processors = facts->processors;
      for (std::size_t p = 0; processors.size() == 2 && p < 2; ++p) {
        processors[p].slowed_by = {{processors[1 - p].id, between(rng, 1'000, 4'000)}};
      }
    }
  }
}

// In a quarter of the worlds the controller holds fewer tasks, or bytes, than come at once.
void make_narrow(std::uint64_t seed, Scenario& scenario) {
  Rng rng(seed_of(seed, Stream::Load, 3));
  if (one_in(rng, 4)) {
    scenario.controller.tasks_max = static_cast<std::size_t>(between(rng, 2, 20));
  }
  if (one_in(rng, 8)) {
    scenario.controller.tasks_bytes_max = Bytes{between(rng, 200, 400'000)};
  }
}

// All at random times of the load; several at once happen.
ArrivalSource arrivals_in(Rng& rng, int tasks, Micros load, std::size_t classes) {
  auto times = std::make_shared<std::vector<std::pair<Time, std::size_t>>>();
  for (int i = 0; i < tasks; ++i) {
    times->emplace_back(Time{between(rng, 0, load.count)}, rng.below(classes));
  }
  std::sort(times->begin(), times->end());
  return [times, next = std::size_t{0}]() mutable -> std::optional<std::pair<Time, std::size_t>> {
    return next < times->size() ? std::optional((*times)[next++]) : std::nullopt;
  };
}

}  // namespace

RandomWorld random_world(std::uint64_t seed, const RandomWorldLimits& limits) {
  Rng rng(seed_of(seed, Stream::Load));
  RandomWorld world;
  Scenario& scenario = world.scenario;
  WorldOptions& options = world.options;
  scenario.name = fmt::format("random-{}", seed);
  scenario.seed = seed;
  options.seed = seed;
  const std::vector<PolicyEntry> names = policies();
  const std::string& drawn = names[rng.below(names.size())].name;
  options.policy = limits.policy.empty() ? drawn : limits.policy;
  if (!make_policy(options.policy).has_value()) {
    options.policy = "juggler";  // one that needs a parameter was drawn
  }

  const std::int64_t devices = between(rng, 1, limits.devices_max);
  for (int d = 0; d < devices; ++d) {
    scenario.devices.push_back(device_of(rng, d));
  }
  const std::int64_t classes = between(rng, 1, 12);
  for (int c = 0; c < classes; ++c) {
    scenario.classes.push_back(class_of(rng, c));
  }
  scenario.duration = Micros{between(rng, 2'000'000, 14'000'000)};
  const auto tasks = static_cast<int>(between(rng, 0, limits.tasks_max));
  options.arrivals = arrivals_in(rng, tasks, scenario.duration, scenario.classes.size());
  scenario.random_faults = static_cast<int>(between(rng, 0, limits.faults_max));

  // From a stream of its own: what was drawn before stays as it was.
  if (limits.watt_limits) {
    limit_power(seed, scenario);
  }
  if (limits.slowdowns) {
    slow_each_other(seed, scenario);
  }
  make_narrow(seed, scenario);
  Rng cuts(seed_of(seed, Stream::Load, 4));
  if (limits.cuts && one_in(cuts, 2)) {
    options.random_cuts = static_cast<int>(between(cuts, 1, 4));
  }

  options.lead_in = one_in(rng, 2) ? Micros{0} : seconds(5);
  options.clients = static_cast<int>(between(rng, 1, 3));
  options.client_habits.malformed = 30'000;
  options.client_habits.no_reply = 50'000;
  // Clients send a task again under its id only where no controller dies: a successor does not
  // know what was completed before it, once the broker has let go of task and result.
  if (one_in(rng, 2)) {
    options.client_habits.repeats = 120'000;
    options.controllers_stay = true;
  } else {
    options.standbys = static_cast<int>(rng.below(3));
  }
  if (options.random_cuts > 0) {
    options.client_habits.resubmits = options.controllers_stay && one_in(cuts, 2);
    options.client_habits.durable_replies = !options.client_habits.resubmits;
  }
  options.flood = one_in(rng, 2) ? static_cast<int>(between(rng, 3, 12)) : 0;
  return world;
}

RunResult run_random_world(std::uint64_t seed, const RandomWorldLimits& limits, bool trace) {
  RandomWorld random = random_world(seed, limits);
  random.options.trace = trace;
  World world(random.scenario, std::move(random.options));
  return world.run();
}

std::string describe(const RandomWorld& world) {
  return fmt::format("seed {}, policy {}, {} devices, {} random faults, {} cuts, {} standbys",
                     world.options.seed, world.options.policy, world.scenario.devices.size(),
                     world.scenario.random_faults, world.options.random_cuts,
                     world.options.standbys);
}

}  // namespace juggler::sim
