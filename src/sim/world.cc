#include "sim/world.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/check.h"
#include "sim/faults.h"
#include "sim/trace.h"
#include "wire/messages.h"

namespace juggler::sim {
namespace {

// What is open when the load ends is answered by its deadline; then what nobody answered is looked
// for again: an attempt's grace, and results that waited for their tasks.
constexpr Micros kSettleMargin = seconds(20);
constexpr Micros kDevicesComeWithin = seconds(1);
constexpr Micros kSecond = seconds(1);

// The shells log for people who run a fleet.
class QuietLog {
 public:
  QuietLog() : level_(spdlog::get_level()) { spdlog::set_level(spdlog::level::off); }
  ~QuietLog() { spdlog::set_level(level_); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  spdlog::level::level_enum level_;
};

std::int64_t real_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

std::vector<const DeviceFacts*> truths(const Scenario& scenario) {
  std::vector<const DeviceFacts*> facts;
  for (const ScenarioDevice& device : scenario.devices) {
    facts.push_back(&device.truth);
  }
  return facts;
}

}  // namespace

std::vector<MetricsClass> metrics_classes(const Scenario& scenario) {
  std::vector<MetricsClass> classes;
  for (const DemandClass& demand : scenario.classes) {
    const Requirements& wanted = demand.requirements;
    const std::optional<MilliPercent> floor =
        wanted.min_accuracy.has_value() ? wanted.min_accuracy : scenario.controller.min_accuracy;
    classes.push_back({demand.name, wanted.deadline.value_or(scenario.controller.deadline), floor});
  }
  return classes;
}

std::uint64_t seed_of(std::uint64_t seed, Stream stream, std::uint64_t index) {
  Rng rng((seed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(stream)) *
              0xbf58476d1ce4e5b9ULL +
          index);
  return rng.next();
}

LinkProfile link_of(const NetworkProfile& profile) {
  // Two independent halves of a round trip: its variance is twice that of one way.
  const PipeProfile way{.latency = profile.rtt / 2,
                        .jitter = profile.jitter * 707 / 1000,
                        .bits_per_second = profile.bandwidth_kbits * 1000,
                        .loss_per_million = profile.loss_ppm,
                        .message = kDeviceMessage};
  return symmetric(way);
}

ArrivalSource arrivals_of(Workload workload) {
  auto shared = std::make_shared<Workload>(std::move(workload));
  return [shared]() -> std::optional<std::pair<Time, std::size_t>> {
    const std::optional<Arrival> next = shared->next();
    return next.has_value() ? std::optional(std::pair(next->at, next->demand)) : std::nullopt;
  };
}

// Between a controller's shell and its state machine.
class World::ControllerEye final : public ControllerObserver {
 public:
  ControllerEye(World& world, std::size_t who) : world_(world), who_(who) {}

  void before(Time now, ControllerEvent& event) override {
    if (world_.options_.meddler != nullptr) {
      told_ = event;
      world_.options_.meddler->before(now, event);
    }
    timed_ = world_.options_.time_decisions && std::holds_alternative<Submitted>(event);
    began_ns_ = timed_ ? real_ns() : 0;
  }

  void after(Time now, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override {
    if (timed_) {
      world_.decisions_.add(real_ns() - began_ns_);
    }
    if (world_.options_.meddler != nullptr) {
      world_.options_.meddler->after(now, event, actions);
    }
    if (world_.options_.digest) {
      add_step(world_.digest_, who_, now, event, actions);
    }
    if (world_.options_.trace) {
      fmt::print(stderr, "{} controller {}: {}\n", now.us, who_, describe(event));
      for (const ControllerAction& action : actions) {
        fmt::print(stderr, "    {}\n", describe(action));
      }
    }
    ControllerMachine& machine = *world_.controllers_[who_];
    if (world_.options_.watch) {
      world_.options_.watch(who_, machine.controller(), now, event, actions);
    }
    if (world_.checker_ == nullptr) {
      return;
    }
    // What the broker had said before it ended the connection holds; what is made of it reaches
    // nobody.
    const bool fenced = machine.transport().fenced();
    world_.checker_->stepped(now, told_.value_or(event),
                             fenced ? std::span<const ControllerAction>() : actions,
                             machine.controller(), who_);
  }

 private:
  World& world_;
  std::size_t who_;
  std::optional<ControllerEvent> told_;  // before somebody meddled with it
  bool timed_ = false;
  std::int64_t began_ns_ = 0;
};

class World::DeviceEye final : public ConsumerObserver {
 public:
  DeviceEye(World& world, std::size_t who) : world_(world), who_(who) {}

  void before(Time now, ConsumerEvent& event) override {
    if (world_.options_.device_meddler != nullptr) {
      world_.options_.device_meddler->before(now, event);
    }
  }

  void after(Time now, const ConsumerEvent& event, std::vector<ConsumerAction>& actions) override {
    if (world_.options_.device_meddler != nullptr) {
      world_.options_.device_meddler->after(now, event, actions);
    }
    if (world_.options_.digest) {
      add_step(world_.digest_, 1000 + who_, now, event, actions);
    }
    if (world_.options_.trace) {
      fmt::print(stderr, "{} {}: {}\n", now.us, world_.devices_[who_]->facts().id, describe(event));
      for (const ConsumerAction& action : actions) {
        fmt::print(stderr, "    {}\n", describe(action));
      }
    }
  }

 private:
  World& world_;
  std::size_t who_;
};

// Feeds the clients, looks at the clock once a second, and starts the devices.
class World::Arrivals final : public Sleeper {
 public:
  explicit Arrivals(World& world) : world_(world) {}

  void plan() {
    fetch();
    world_.agenda_.at(world_.origin() + kSecond, *this, kTick);
    Rng rng(seed_of(world_.options_.seed, Stream::Device, UINT32_MAX));
    for (std::size_t d = 0; d < world_.devices_.size(); ++d) {
      const auto wait = rng.below(static_cast<std::uint64_t>(kDevicesComeWithin.count));
      world_.agenda_.at(Time{static_cast<std::int64_t>(wait)}, *this, kDevice + d);
    }
  }
  bool over() const { return over_; }

  void wake(std::uint64_t what) override {
    if (what == kArrival) {
      const std::uint64_t task = world_.metrics_.offered_so_far();
      world_.metrics_.offered(task, demand_, world_.agenda_.now());
      world_.client_of(task).submit(task, demand_);
      fetch();
    } else if (what == kTick) {
      for (const auto& controller : world_.controllers_) {
        if (controller->leads()) {
          world_.metrics_.controller_holds(world_.agenda_.now() - Micros{1},
                                           controller->controller().tasks().size());
        }
      }
      world_.agenda_.at(world_.agenda_.now() + kSecond, *this, kTick);
    } else if (!world_.devices_[what - kDevice]->runs()) {
      world_.devices_[what - kDevice]->begin();
    }
  }

 private:
  static constexpr std::uint64_t kArrival = 0;
  static constexpr std::uint64_t kTick = 1;
  static constexpr std::uint64_t kDevice = 2;

  void fetch() {
    const auto next = world_.options_.arrivals ? world_.options_.arrivals() : std::nullopt;
    over_ = !next.has_value();
    if (next.has_value()) {
      demand_ = next->second;
      world_.agenda_.at(next->first + world_.options_.lead_in, *this, kArrival);
    }
  }

  World& world_;
  std::size_t demand_ = 0;
  bool over_ = false;
};

World::World(const Scenario& scenario, WorldOptions options)
    : scenario_(scenario),
      options_(std::move(options)),
      power_(scenario.controller.power_max),
      broker_(agenda_, options_.broker, seed_of(options_.seed, Stream::Broker)),
      metrics_(metrics_classes(scenario), truths(scenario), origin(), scenario.warm_up) {
  build();
}

World::~World() = default;

void World::build() {
  if (options_.check) {
    checker_ = std::make_unique<InvariantChecker>();
    checker_->sees_all_dispatches();
  }
  broker_.on_lost([this](const wire::Envelope& message) {
    if (const Result<AttemptResult> result = wire::decode_result(message)) {
      if (const auto task = task_number(result->attempt.task.id)) {
        metrics_.result_lost(*task);
      }
      if (checker_ != nullptr) {
        checker_->result_lost(result->attempt);
      }
    }
  });
  // Provisioned before anybody comes, as `juggler up` does it.
  broker_.declare(fleet_topology());
  for (std::size_t c = 0; c <= static_cast<std::size_t>(options_.standbys); ++c) {
    controller_eyes_.push_back(std::make_unique<ControllerEye>(*this, c));
    ControllerMachineOptions machine;
    machine.config = scenario_.controller;
    machine.config.seed = seed_of(options_.seed, Stream::Policy);
    machine.instance = fmt::format("controller-{}", c);
    machine.link = options_.controller_link;
    machine.seed = seed_of(options_.seed, Stream::Controller, c);
    machine.observer = controller_eyes_.back().get();
    machine.make_policy = options_.make_policy;
    if (!machine.make_policy) {
      machine.make_policy = [name = options_.policy] {
        Result<std::unique_ptr<Policy>> policy = make_policy(name);
        JUGGLER_CHECK(policy.has_value(), "a world names a policy that exists");
        return std::move(*policy);
      };
    }
    controllers_.push_back(
        std::make_unique<ControllerMachine>(agenda_, broker_, std::move(machine)));
  }
  for (std::size_t d = 0; d < scenario_.devices.size(); ++d) {
    const ScenarioDevice& device = scenario_.devices[d];
    device_eyes_.push_back(std::make_unique<DeviceEye>(*this, d));
    const bool watched = options_.digest || options_.trace || options_.device_meddler != nullptr;
    DeviceMachineOptions machine{.announced = device.announced,
                                 .truth = device.truth,
                                 .curves = device.curves,
                                 .noise = device.noise,
                                 .preloads = device.preloads,
                                 .config = {},
                                 .link = link_of(device.network),
                                 .seed = seed_of(options_.seed, Stream::Device, d),
                                 .observer = watched ? device_eyes_.back().get() : nullptr,
                                 .power = &power_};
    if (const auto idle = device.truth.idle) {
      power_.change(agenda_.now(),
                    Milliwatts{idle->count * device.truth.to_board_input.factor_permille / 1000});
    }
    devices_.push_back(std::make_unique<DeviceMachine>(agenda_, broker_, std::move(machine)));
  }
  std::vector<ClientClass> classes;
  for (const DemandClass& demand : scenario_.classes) {
    classes.push_back({demand.requirements, demand.payload, demand.payload_kind});
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(std::max(options_.clients, 1)); ++c) {
    ClientOptions habits = options_.client_habits;
    habits.name = fmt::format("client-{}", c);
    habits.link = options_.client_link;
    habits.seed = seed_of(options_.seed, Stream::Client, c);
    habits.reads_unrouted = c == 0;
    clients_.push_back(
        std::make_unique<ClientMachine>(agenda_, broker_, std::move(habits), classes, metrics_));
  }
  arrivals_ = std::make_unique<Arrivals>(*this);
  faults_ = std::make_unique<FaultPlan>(*this, seed_of(options_.seed, Stream::Faults));
}

ClientMachine& World::client_of(std::uint64_t task) {
  const auto flood = static_cast<std::uint64_t>(options_.flood);
  if (flood == 0 || clients_.size() == 1) {
    return *clients_[task % clients_.size()];
  }
  return *clients_[task % flood != 0 ? 0 : 1 + task / flood % (clients_.size() - 1)];
}

void World::controller_died(std::size_t who) {
  const ControllerStats& stats = controllers_[who]->controller().stats();
  stats_of_the_dead_.dispatched += stats.dispatched;
  stats_of_the_dead_.attempts_failed += stats.attempts_failed;
  stats_of_the_dead_.attempts_timed_out += stats.attempts_timed_out;
  if (checker_ != nullptr) {
    checker_->controller_died(who);
  }
}

void World::on_outcome(const std::function<void(std::uint64_t, const Outcome&)>& told) {
  for (const auto& client : clients_) {
    client->on_outcome(told);
  }
}

// Nothing is open any more.
bool World::quiet() const {
  if (!arrivals_->over() || metrics_.open() > 0) {
    return false;
  }
  for (const auto& controller : controllers_) {
    if (controller->leads() && controller->controller().tasks().size() > 0) {
      return false;
    }
  }
  for (const auto& device : devices_) {
    if (broker_.unacked(device_queue(device->facts().id)) > 0) {
      return false;
    }
  }
  return broker_.ready(wire::kTasksQueue) + broker_.unacked(wire::kTasksQueue) +
             broker_.ready(wire::kResultsQueue) + broker_.unacked(wire::kResultsQueue) ==
         0;
}

// By then every accepted task must have its outcome.
Time World::settled_by() const {
  Micros longest = scenario_.controller.deadline;
  for (const DemandClass& demand : scenario_.classes) {
    longest = std::max(longest, demand.requirements.deadline.value_or(Micros{0}));
  }
  const Time over = std::max(origin() + scenario_.duration, faults_->over());
  return over + longest + kSettleMargin;
}

RunResult World::run() {
  const QuietLog quiet_log;
  for (const auto& client : clients_) {
    client->begin();
  }
  for (const auto& controller : controllers_) {
    controller->begin();
  }
  arrivals_->plan();
  faults_->plan();
  const Time load_over = origin() + scenario_.duration;
  while (agenda_.next() < std::max(load_over, faults_->over())) {
    agenda_.run_one();
  }
  faults_->heal();
  const Time end = settled_by();
  while (agenda_.next() <= end && !quiet()) {
    // What is open is looked at now and then only: it costs more than an event.
    for (int i = 0; i < 64 && agenda_.next() <= end; ++i) {
      agenda_.run_one();
    }
  }
  settle_books();
  RunResult result;
  result.scenario = scenario_.name;
  result.policy = options_.policy;
  result.seed = options_.seed;
  result.ran = agenda_.now() - origin();
  result_of_machines(result);
  metrics_.write(result, load_over);
  result.decision_ns_p50 = decisions_.percentile(0.5);
  result.decision_ns_p99 = decisions_.percentile(0.99);
  result.digest = options_.digest ? digest_.value() : 0;
  result.events = agenda_.events();
  result.complaints = complaints_;
  return result;
}

}  // namespace juggler::sim
