#include "apps/live_fleet.h"

#include <fmt/format.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "amqp/session.h"
#include "apps/client_session.h"
#include "apps/json_fields.h"
#include "apps/stop_signals.h"
#include "core/device.h"
#include "inference/given_twin.h"
#include "inference/machine.h"
#include "sim/world.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kJoinMax = seconds(60);
constexpr Micros kAskMax = seconds(2);
constexpr Micros kAskAgain = milliseconds(150);
constexpr Micros kTellAgain = seconds(5);

Result<fs::path> new_folder() {
  std::error_code failed;
  std::string name = (fs::temp_directory_path(failed) / "juggler-bench-XXXXXX").string();
  if (failed || mkdtemp(name.data()) == nullptr) {
    return fail(ErrorCode::Unavailable,
                "cannot make a folder for the run: set TMPDIR to one that can be written");
  }
  return fs::path(name);
}

void wait_for(Micros wait) {
  pollfd entry{stop_signals_fd(), POLLIN, 0};
  ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(wait.count / 1000, 0)));
  drain_stop_signals_fd();
}

std::size_t live_of(const nlohmann::json& devices, const Scenario& scenario) {
  std::size_t live = 0;
  for (const nlohmann::json& device : list_of(devices, "devices")) {
    const bool ours = std::any_of(
        scenario.devices.begin(), scenario.devices.end(),
        [&](const auto& wanted) { return wanted.announced.id == text_of(device, "id"); });
    live += ours && text_of(device, "state") == "live" ? 1U : 0U;
  }
  return live;
}

}  // namespace

LiveFleet::LiveFleet(LiveFleetOptions options) : options_(std::move(options)) {}

LiveFleet::~LiveFleet() {
  supervisor_.reset();
  broker_.reset();
  if (!folder_.empty() && !kept_) {
    std::error_code failed;
    fs::remove_all(folder_, failed);
  }
}

std::string LiveFleet::keep() {
  kept_ = true;
  return folder_.string();
}

Result<void> LiveFleet::open(const Scenario& scenario) {
  Result<std::string> program = sibling_program("juggler");
  Result<std::string> consumer = sibling_program("juggler-consumer");
  if (!program || !consumer) {
    return program ? consumer.error() : program.error();
  }
  program_ = std::move(*program);
  consumer_ = std::move(*consumer);
  Result<fs::path> folder = new_folder();
  if (!folder) {
    return folder.error();
  }
  folder_ = std::move(*folder);
  amqp::PrivateBrokerOptions node;
  node.dir = (folder_ / "broker").string();
  for (const ScenarioDevice& device : scenario.devices) {
    node.devices.push_back(device.announced.id);
  }
  node.memory_free = read_machine().memory;
  node.stop = options_.stop;
  Time told = clock_.now();
  node.progress = [&](std::string_view what) {
    if (clock_.now() - told >= kTellAgain) {
      told = clock_.now();
      options_.tell("broker", std::string(what));
    }
  };
  options_.tell("broker", "starting RabbitMQ, for this run alone: 4 to 9 s as a rule");
  Result<amqp::PrivateBroker> broker = amqp::PrivateBroker::start(node);
  if (!broker) {
    return broker.error();
  }
  broker_.emplace(std::move(*broker));
  return {};
}

Result<void> LiveFleet::start_controller(const Scenario& scenario) {
  const ControllerConfig& config = scenario.controller;
  const std::uint64_t seed = sim::seed_of(scenario.seed, sim::Stream::Policy);
  std::vector<std::string> arguments{"controller",
                                     "--policy",
                                     options_.policy,
                                     "--deadline",
                                     fmt::format("{}us", config.deadline.count),
                                     "--attempts-max",
                                     std::to_string(config.attempts_max),
                                     "--seed",
                                     std::to_string(seed),
                                     "--log-level",
                                     "warn"};
  if (config.power_max.has_value()) {
    arguments.insert(arguments.end(),
                     {"--power-max", fmt::format("{}mW", config.power_max->count)});
  }
  return supervisor_->start({.name = "controller",
                             .program = program_,
                             .arguments = std::move(arguments),
                             .broker = broker_->url_for_controller(),
                             .log = log("controller").string()},
                            clock_.now());
}

// Its noise has the seed of the simulated device's, so that the first draws are the same.
Result<void> LiveFleet::start_twin(const Scenario& scenario, std::size_t device) {
  const ScenarioDevice& ours = scenario.devices[device];
  const std::string& id = ours.announced.id;
  const fs::path facts = folder_ / (id + ".json");
  std::ofstream stream(facts, std::ios::trunc);
  stream << given_twin_text({ours.announced, ours.truth, ours.noise, ours.curves});
  if (!stream.flush()) {
    return fail(ErrorCode::Unavailable, "cannot write " + facts.string());
  }
  const std::uint64_t seed =
      sim::seed_of(scenario.seed, sim::Stream::Device, device) * kProcessorsMax;
  Result<std::string> broker = links_.through(id, broker_->url_for_device(id));
  if (!broker) {
    return broker.error();
  }
  return supervisor_->start(
      {.name = id,
       .program = consumer_,
       .arguments = {"--id", id, "--home", folder_.string(), "--twin-facts", facts.string(),
                     "--seed", std::to_string(seed), "--log-level", "warn"},
       .broker = std::move(*broker),
       .log = log(id).string()},
      clock_.now());
}

Result<void> LiveFleet::begin(const Scenario& scenario) {
  supervisor_.reset();
  const Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(address());
  if (!broker) {
    return broker.error();
  }
  if (Result<void> opened = links_.open(scenario, broker->port); !opened) {
    return opened;
  }
  supervisor_.emplace(static_cast<std::uint64_t>(getpid()));
  if (Result<void> started = start_controller(scenario); !started) {
    return started;
  }
  const Time began = clock_.now();
  for (std::size_t device = 0; device < scenario.devices.size(); ++device) {
    if (Result<void> started = start_twin(scenario, device); !started) {
      return started;
    }
  }
  if (Result<void> joined = await_all(scenario); !joined) {
    return joined;
  }
  const Time ready = began + sim::WorldOptions{}.lead_in;
  while (clock_.now() < ready && !options_.stop()) {
    wait_for(ready - clock_.now());
  }
  return {};
}

Result<void> LiveFleet::await_all(const Scenario& scenario) {
  Result<std::unique_ptr<ClientSession>> session = open_client(address());
  if (!session) {
    return session.error();
  }
  ClientSession& link = **session;
  link.client->stop_when(options_.stop);
  const Time until = clock_.now() + kJoinMax;
  std::size_t live = 0;
  std::string why;
  while (clock_.now() < until && !options_.stop()) {
    const Result<nlohmann::json> devices = link.client->ask("devices", "", kAskMax);
    why = devices ? "" : ": " + devices.error().message;
    live = devices ? live_of(*devices, scenario) : live;
    std::vector<std::string> ended = troubles();
    if (!ended.empty()) {
      why = ": " + ended.front();
    }
    if (live == scenario.devices.size() || supervisor_->given_up("controller")) {
      break;
    }
    wait_for(kAskAgain);
  }
  link.transport->close(kClientCloseMax);
  if (options_.stop()) {
    return fail(ErrorCode::Unavailable, "stopped");
  }
  if (live < scenario.devices.size()) {
    return fail(ErrorCode::Unavailable,
                fmt::format("only {} of {} twins have joined{}; the logs are in {}", live,
                            scenario.devices.size(), why, keep()));
  }
  return {};
}

std::vector<std::string> LiveFleet::troubles() {
  std::vector<std::string> told;
  supervisor_->look(clock_.now(), told);
  if (!broker_->running()) {
    told.emplace_back("the broker has ended");
  }
  return told;
}

}  // namespace juggler
