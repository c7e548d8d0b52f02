#include "apps/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "amqp/session.h"
#include "apps/client_session.h"
#include "apps/given_fleet.h"
#include "apps/live_checks.h"
#include "apps/live_fleet.h"
#include "apps/live_links.h"
#include "apps/progress_line.h"
#include "apps/simulation_flags.h"
#include "apps/stop_signals.h"
#include "core/policies/policy.h"
#include "evaluation/expectations.h"
#include "evaluation/runs.h"
#include "inference/sized_picture.h"
#include "sim/scenario_file.h"
#include "sim/world.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

constexpr Micros kConnectMax = seconds(10);
// After the longest deadline, as in the simulator: an attempt's grace, and what waited for it.
constexpr Micros kSettleMargin = seconds(20);
constexpr Micros kBeginsIn = milliseconds(200);
constexpr Micros kTellAgain = seconds(10);

bool stopped() { return stop_signals() > 0; }

double load_average() {
  double minute = 0.0;
  return getloadavg(&minute, 1) == 1 ? minute : 0.0;
}

class Bench {
 public:
  Bench(const BenchOptions& options, Scenario scenario)
      : options_(options), scenario_(std::move(scenario)), began_(clock_.now()) {}

  Result<BenchReport> run();

 private:
  bool own() const { return options_.broker.empty(); }
  void tell(const std::string& who, const std::string& what) const;
  Result<void> check();
  Result<void> open_fleet();
  Result<void> meet_fleet();
  Result<BenchRun> run_seed(const evaluation::SeededScenario& seeded);
  Result<BenchRun> send_load(const evaluation::SeededScenario& seeded);
  BenchRun books_of(const evaluation::SeededScenario& seeded, const LiveLoad& load,
                    const sim::Metrics& metrics, Time origin) const;
  Result<evaluation::Run> simulate(const evaluation::SeededScenario& seeded) const;
  void show(const LiveProgress& progress, Time origin, Micros duration);
  std::vector<LiveDemand> demands() const;
  std::vector<const DeviceFacts*> devices_of(const Scenario& scenario) const;
  std::string fleet_text() const;
  std::vector<std::string> notes() const;

  const BenchOptions& options_;
  Scenario scenario_;
  mutable SystemClock clock_;  // reading it changes nothing
  Time began_;
  Time told_;  // when progress was last told, where no terminal shows it
  std::string policy_;
  std::vector<evaluation::SeededScenario> seeds_;
  std::optional<LiveFleet> fleet_;  // of one's own
  GivenFleet given_;                // else
};

void Bench::tell(const std::string& who, const std::string& what) const {
  end_progress();
  const double elapsed = static_cast<double>((clock_.now() - began_).count) / 1e6;
  fmt::print(stderr, "[{:5.1f} s] {:<18} {}\n", elapsed, who, printable_lines(what));
}

// Everything that can be known to be wrong before anything is started.
Result<void> Bench::check() {
  if (!own() && !(options_.policy.empty() && options_.goal.empty())) {
    return fail(
        ErrorCode::InvalidArgument,
        "--policy and --goal with --broker: the controller there has its own; leave them out");
  }
  const Result<std::optional<Goal>> goal = goal_named(options_.goal);
  if (!goal) {
    return goal.error();
  }
  // A live controller is told the goal by the policy's name.
  const Goal wanted = goal->value_or(parse_goal(scenario_.weights).value_or(PolicyOptions{}.goal));
  const auto policy =
      make_policy(options_.policy.empty() ? scenario_.policy : options_.policy, {.goal = wanted});
  if (!policy) {
    return policy.error();
  }
  policy_ = (*policy)->name();
  if (options_.loopback) {
    if (!own()) {
      return fail(
          ErrorCode::InvalidArgument,
          "--loopback is for twins of one's own: the fleet behind --broker has its networks");
    }
    if (Result<void> put = put_on_loopback(scenario_, options_.home); !put) {
      return put;
    }
  }
  Result<void> live = check_live(scenario_, own() ? LiveFleetKind::OwnTwins : LiveFleetKind::Given);
  if (!live) {
    return live;
  }
  Result<std::vector<evaluation::SeededScenario>> seeds = evaluation::seeded_range(
      scenario_, {.seed = options_.seed.value_or(scenario_.seed), .load = options_.load},
      options_.seeds);
  if (!seeds) {
    return seeds.error();
  }
  seeds_ = std::move(*seeds);
  for (const evaluation::SeededScenario& seeded : seeds_) {
    if (const auto arrivals = live_arrivals(*seeded); !arrivals) {
      return arrivals.error();
    }
  }
  return {};
}

Result<void> Bench::open_fleet() {
  fleet_.emplace(LiveFleetOptions{
      .policy = policy_,
      .tell = [this](const std::string& who, const std::string& what) { tell(who, what); },
      .stop = stopped});
  return fleet_->open(scenario_);
}

Result<void> Bench::meet_fleet() {
  Result<std::unique_ptr<ClientSession>> session = open_client(options_.broker);
  if (!session) {
    return session.error();
  }
  ClientSession& link = **session;
  link.client->stop_when(stopped);
  stop_signals_wake(link.transport.get());
  Result<GivenFleet> fleet = ask_for_fleet(*link.client, scenario_);
  stop_signals_wake(nullptr);
  link.transport->close(kClientCloseMax);
  if (!fleet) {
    return fleet.error();
  }
  given_ = std::move(*fleet);
  policy_ = given_.policy;
  tell("fleet", fmt::format("{} devices, policy {}", given_.devices.size(), policy_));
  return {};
}

std::vector<LiveDemand> Bench::demands() const {
  std::vector<LiveDemand> demands;
  for (const DemandClass& demand : scenario_.classes) {
    demands.push_back(
        {demand.requirements, demand.payload_kind, wire::make_body(sized_picture(demand.payload))});
  }
  return demands;
}

std::vector<const DeviceFacts*> Bench::devices_of(const Scenario& scenario) const {
  std::vector<const DeviceFacts*> facts;
  if (own()) {
    for (const ScenarioDevice& device : scenario.devices) {
      facts.push_back(&device.truth);
    }
  } else {
    for (const DeviceFacts& device : given_.devices) {
      facts.push_back(&device);
    }
  }
  return facts;
}

void Bench::show(const LiveProgress& progress, Time origin, Micros duration) {
  const double at = static_cast<double>((clock_.now() - origin).count) / 1e6;
  const std::string text = fmt::format("{:.0f} of {:.0f} s, {} of {} tasks sent, {} answered",
                                       std::max(at, 0.0), static_cast<double>(duration.count) / 1e6,
                                       progress.sent, progress.total, progress.ended);
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r{}\x1b[K", text);
  } else if (clock_.now() - told_ >= kTellAgain) {
    told_ = clock_.now();
    tell("load", text);
  }
}

// What a live run has shown, under the same keys as a simulated one.
BenchRun Bench::books_of(const evaluation::SeededScenario& seeded, const LiveLoad& load,
                         const sim::Metrics& metrics, Time origin) const {
  const Scenario& scenario = *seeded;
  BenchRun run;
  run.load_average = load_average();
  run.sender = load.sender();
  run.live.scenario = seeded;
  run.live.policy = policy_;
  run.live.finished = !load.stopped();
  sim::RunResult& result = run.live.result;
  result.scenario = scenario.name;
  result.policy = policy_;
  result.seed = scenario.seed;
  result.ran = clock_.now() - origin;
  for (const DeviceFacts* facts : devices_of(scenario)) {
    sim::DeviceResult device;
    device.id = facts->id;
    device.board = facts->board;
    result.devices.push_back(std::move(device));
  }
  metrics.write(result, origin + scenario.duration);
  if (run.live.finished) {
    run.live.broken = evaluation::broken_promises(scenario, result);
    run.live.broken.insert(run.live.broken.end(), load.complaints().begin(),
                           load.complaints().end());
    run.live.unmet = evaluation::unmet(scenario, result, std::nullopt);
  }
  return run;
}

// One live run. It ends early where something of the fleet does.
Result<BenchRun> Bench::send_load(const evaluation::SeededScenario& seeded) {
  const Scenario& scenario = *seeded;
  Result<amqp::BrokerUrl> url = amqp::BrokerUrl::parse(own() ? fleet_->address() : options_.broker);
  Result<std::vector<Arrival>> arrivals = live_arrivals(scenario);
  if (!url || !arrivals) {
    return url ? arrivals.error() : url.error();
  }
  Micros longest = scenario.controller.deadline;
  for (const DemandClass& demand : scenario.classes) {
    longest = std::max(longest, demand.requirements.deadline.value_or(Micros{0}));
  }
  std::vector<std::string> troubles;
  Time origin;
  LiveLoadOptions options;
  options.user = url->user;
  options.prefix = fresh_task_id("bench") + "-";
  options.answer_wait_max = longest + kSettleMargin;
  options.stop = [&] {
    if (own() && troubles.empty()) {
      troubles = fleet_->troubles();
    }
    return stopped() || !troubles.empty();
  };
  options.progress = [&](const LiveProgress& progress) {
    show(progress, origin, scenario.duration);
  };
  const std::unique_ptr<Transport> transport = amqp::make_transport(
      amqp::client_session(std::move(*url), fmt::format("juggler bench {}", getpid())));
  LiveLoad load(*transport, clock_, demands(), std::move(*arrivals), std::move(options));
  stop_signals_wake(transport.get());
  if (Result<void> connected = load.connect(kConnectMax); !connected) {
    stop_signals_wake(nullptr);
    return connected.error();
  }
  origin = clock_.now() + kBeginsIn;
  told_ = origin;
  const std::vector<const DeviceFacts*> devices = devices_of(scenario);
  sim::Metrics metrics(sim::metrics_classes(scenario), devices, origin, scenario.warm_up);
  load.run(metrics, origin);
  stop_signals_wake(nullptr);
  end_progress();

  BenchRun run = books_of(seeded, load, metrics, origin);
  if (load.stopped()) {
    run.live.broken = troubles;
  }
  transport->close(kClientCloseMax);
  return run;
}

Result<evaluation::Run> Bench::simulate(const evaluation::SeededScenario& seeded) const {
  return evaluation::run_once({.scenario = seeded,
                               .policy = policy_,
                               .goal = PolicyOptions{}.goal,  // that of the name is taken first
                               .bound = evaluation::BoundKind::None,
                               .stop = stopped});
}

Result<BenchRun> Bench::run_seed(const evaluation::SeededScenario& seeded) {
  if (own()) {
    tell("fleet", fmt::format("seed {}: starting the controller, policy {}, and {} twins",
                              seeded->seed, policy_, seeded->devices.size()));
    if (Result<void> begun = fleet_->begin(*seeded); !begun) {
      return begun.error();
    }
  }
  tell("load", fmt::format("seed {}: {:g} s of arrivals", seeded->seed,
                           static_cast<double>(seeded->duration.count) / 1e6));
  Result<BenchRun> run = send_load(seeded);
  if (!run || stopped()) {
    return run;
  }
  if (!run->whole() && own()) {
    tell("fleet", "the run broke a promise; the logs are in " + fleet_->keep());
  }
  if (!options_.no_simulation && run->whole()) {
    tell("simulation", fmt::format("seed {}", seeded->seed));
    Result<evaluation::Run> simulated = simulate(seeded);
    if (!simulated) {
      return simulated.error();
    }
    if (simulated->finished) {
      run->simulated = std::move(*simulated);
    }
  }
  return run;
}

std::string Bench::fleet_text() const {
  if (own()) {
    return fmt::format(
        "Emulated: {} twins on this machine, {}; controller, broker and messages are real; "
        "policy {}",
        scenario_.devices.size(),
        LiveLinks::needed(scenario_) == 0 ? "over its loopback" : "behind the scenario's networks",
        policy_);
  }
  const auto twins = std::count_if(given_.devices.begin(), given_.devices.end(),
                                   [](const DeviceFacts& device) { return device.twin; });
  return fmt::format("A fleet that was up: {} devices, {} of them twins; policy {}",
                     given_.devices.size(), twins, policy_);
}

std::vector<std::string> Bench::notes() const {
  std::vector<std::string> notes;
  if (options_.loopback) {
    notes.emplace_back(
        "--loopback: live and simulated, all devices are on the loopback, not on the networks of "
        "the scenario.");
  }
  for (const std::string& difference : given_.differences) {
    notes.push_back("The fleet is not the scenario's, which is what is simulated: " + difference +
                    ".");
  }
  return notes;
}

Result<BenchReport> Bench::run() {
  if (Result<void> checked = check(); !checked) {
    return checked.error();
  }
  if (Result<void> opened = own() ? open_fleet() : meet_fleet(); !opened) {
    return opened.error();
  }
  BenchReport report;
  report.scenario = scenario_.name;
  report.about = scenario_.about;
  report.asked = seeds_.size();
  for (const evaluation::SeededScenario& seeded : seeds_) {
    if (stopped()) {
      break;
    }
    Result<BenchRun> run = run_seed(seeded);
    if (stopped()) {
      break;
    }
    if (!run) {
      return run.error();
    }
    report.runs.push_back(std::move(*run));
  }
  report.fleet = fleet_text();
  report.energy = own() ? "live as simulated it is the profiles', not measured"
                        : "of a twin it is the profile's, not measured";
  report.notes = notes();
  if (stopped()) {
    tell("", "stopping");
  }
  return report;
}

}  // namespace

Result<BenchReport> run_bench(const BenchOptions& options) {
  Result<Scenario> scenario = find_scenario(options.scenario, home_folder(options.home));
  if (!scenario) {
    return scenario.error();
  }
  return Bench(options, std::move(*scenario)).run();
}

}  // namespace juggler
