// juggler-consumer: the program on a device. Wiring only: the device behind its engines, the
// consumer's state machine, and the broker.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>

#include "amqp/session.h"
#include "amqp/users.h"
#include "apps/device_telemetry.h"
#include "apps/flags.h"
#include "apps/idle_memory.h"
#include "apps/incarnation.h"
#include "apps/join_command.h"
#include "apps/label_command.h"
#include "apps/stop_signals.h"
#include "apps/version.h"
#include "core/consumer.h"
#include "inference/given_twin.h"
#include "inference/machine_device.h"
#include "runtime/clock.h"
#include "runtime/consumer_shell.h"
#include "runtime/thread_executor.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

constexpr Micros kTurnMax = seconds(1);    // the transport must be polled within two
constexpr Micros kDrainMax = seconds(60);  // then it leaves without
constexpr Micros kCloseMax = seconds(3);

struct ConsumerFlags {
  BrokerChoice broker{.use = BrokerUse::Daemon};
  std::string id;
  std::string engine = "onnx";
  std::string twin;
  std::string twin_labels;
  std::string twin_facts;
  std::string threads = "auto";
  std::vector<std::string> variants;
  std::string lanes;
  std::optional<Micros> calibrate_max;
  bool no_preload = false;
  std::string host_root = "/";
  std::string meter = "auto";
  std::optional<Milliwatts> power_max;
  std::optional<MilliPercent> battery_min;
  std::uint64_t seed = 1;
  std::string config;
  std::string log_level = "info";
};

void declare(CLI::App& app, ConsumerFlags& flags) {
  add_broker_flags(app, flags.broker);
  app.add_option("--id", flags.id,
                 "This device's name: lower-case letters, digits, hyphens [its login's]");
  app.add_option("--engine", flags.engine, "What computes: onnx, twin or noop")
      ->check(CLI::IsMember({"onnx", "twin", "noop"}))
      ->capture_default_str();
  app.add_option("--twin", flags.twin, "Stand for this board: times and energies from its profile")
      ->type_name("KIND");
  app.add_option("--twin-labels", flags.twin_labels,
                 "Labels for a twin's answers, made by label-pictures")
      ->type_name("FILE");
  app.add_option("--twin-facts", flags.twin_facts,
                 "Stand for the device of this file, which juggler bench writes")
      ->type_name("FILE");
  app.add_option("--threads", flags.threads, "Threads of a network, or auto: by measurement")
      ->type_name("N|auto")
      ->capture_default_str();
  app.add_option("--variants", flags.variants, "Serve these models, networks or variants only")
      ->delimiter(',')
      ->type_name("A,B,...");
  app.add_option("--lanes", flags.lanes,
                 "Which engine runs on which processor, as this file says (docs/engines.md)")
      ->type_name("FILE");
  add_duration(app, "--calibrate-max", flags.calibrate_max,
               "Time for measuring what was never measured here [15s]");
  app.add_flag("--no-preload", flags.no_preload,
               "Load a variant when it is first asked for, not before joining");
  add_host_root(app, flags.host_root);
  app.add_option("--meter", flags.meter, std::string("Measures power: ") + kMeterNames)
      ->type_name("METER")
      ->capture_default_str();
  add_power(app, "--power-max", flags.power_max,
            "What this device may take, at rest and at work [no limit]");
  add_percent(app, "--battery-min", flags.battery_min,
              "Takes no work while its battery has less and nothing charges it [0]");
  app.add_option("--seed", flags.seed, "Of a twin's noise");
  add_config_flag(app, flags.config);
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.footer(examples(
      {"JUGGLER_BROKER=amqp://pi5:secret@192.168.1.10:5672/juggler juggler-consumer --id pi5",
       "juggler-consumer --id nano-1 --twin jetson-nano --broker-file /etc/juggler/broker",
       "juggler-consumer label-pictures photos --home var --out var/labels/labels.jsonl"}));
}

void show_progress(const CalibrationProgress& progress) {
  spdlog::info("measuring {} of {}: {}", progress.done + 1, progress.total, progress.doing);
}

Result<int> threads_of(const std::string& text) {
  if (text == "auto") {
    return 0;
  }
  int threads = 0;
  if (!CLI::detail::lexical_cast(text, threads) || threads < 1 || threads > 1024) {
    return fail(ErrorCode::InvalidArgument, "--threads takes 1 to 1024, or auto");
  }
  return threads;
}

Result<LocalDevice> open_device(const ConsumerFlags& flags) {
  const std::filesystem::path home = home_folder(flags.broker.home);
  SystemClock clock;
  const DeviceIdentity identity{flags.id, next_incarnation(home, flags.id, clock.unix_seconds())};
  if (flags.engine == "noop") {
    return open_noop_device({.identity = identity, .window_batches = 16, .batch_max = 1});
  }
  if (!flags.twin_facts.empty()) {
    Result<GivenTwin> twin = read_given_twin(flags.twin_facts);
    return twin ? open_given_twin(std::move(*twin), identity, flags.seed)
                : Result<LocalDevice>(twin.error());
  }
  if (flags.engine == "twin") {
    return open_twin_device({.home = home,
                             .identity = identity,
                             .board = flags.twin,
                             .labels = flags.twin_labels,
                             .seed = flags.seed});
  }
  const Result<int> threads = threads_of(flags.threads);
  if (!threads) {
    return threads.error();
  }
  MachineDeviceOptions options;
  options.home = home;
  options.host_root = flags.host_root;
  options.identity = identity;
  options.threads = *threads;
  options.variants = flags.variants;
  if (!flags.lanes.empty()) {
    Result<std::vector<LaneSpec>> lanes = load_lanes(flags.lanes);
    if (!lanes) {
      return fail(ErrorCode::InvalidArgument, lanes.error().message);
    }
    options.lanes = std::move(*lanes);
  }
  options.calibration_budget = flags.calibrate_max.value_or(seconds(15));
  options.preload = !flags.no_preload;
  options.progress = show_progress;
  options.stop = [] { return stop_signals() > 0; };
  return open_machine_device(options);
}

// Serves until a signal asks to stop and everything accepted is done.
int serve(LocalDevice device, amqp::BrokerUrl broker, const BrokerChoice& choice,
          DeviceTelemetry* telemetry) {
  SystemClock clock;
  const std::string login = broker.user;
  if (telemetry != nullptr) {
    telemetry->start();
    telemetry->meter(device.engines);
    spdlog::info("{}", telemetry->about_meter());
  }
  const DeviceFacts& facts = device.facts;
  amqp::SessionSpec session =
      amqp::device_session(std::move(broker), facts.id, facts.incarnation, dispatches_max(facts));
  session.read_again = [choice] { return read_broker(choice); };
  const std::unique_ptr<Transport> transport = amqp::make_transport(std::move(session));
  ThreadExecutor executor(std::move(device.engines), [&transport] { transport->wake(); });
  Consumer consumer(ConsumerConfig{}, std::move(device.facts));
  const auto sample = [telemetry, memory_free = device.memory_free] {
    HostSample sampled = telemetry != nullptr ? telemetry->summary() : HostSample{};
    if (memory_free.has_value()) {
      sampled.memory_free = memory_free;
    }
    return sampled;
  };
  ConsumerShell shell(consumer, *transport, executor, clock,
                      {.sample_host = sample, .login = login});

  stop_signals_wake(transport.get());
  IdleMemory memory;
  while (stop_signals() == 0 && !shell.left()) {
    shell.turn(kTurnMax);
    memory.turn(shell.payloads() > 0, clock.now());
  }
  spdlog::info("leaving: finishing what is here; a second signal ends at once");
  shell.drain();
  const Time until = clock.now() + kDrainMax;
  while (!shell.left() && stop_signals() < 2 && clock.now() < until) {
    shell.turn(kTurnMax);
  }
  stop_signals_wake(nullptr);
  const bool drained = shell.left();
  if (drained) {
    transport->close(kCloseMax);
  }
  const ConsumerStats& stats = consumer.stats();
  spdlog::info("{}: {} completed, {} failed, {} expired, {} refused", drained ? "left" : "ended",
               stats.completed, stats.failed, stats.expired, stats.refused);
  if (!drained) {
    std::fflush(nullptr);
    _exit(kExitFailed);  // a network may still be running: its thread cannot be waited for
  }
  return kExitDone;
}

// Flags of one engine that were given for another: to leave them out would serve something else
// than what was asked for. Chooses the engine where --twin alone says which.
Result<void> check_engine(const CLI::App& app, ConsumerFlags& flags) {
  const bool named = app.get_option("--engine")->count() > 0;
  if (!(flags.twin.empty() && flags.twin_facts.empty()) && !named) {
    flags.engine = "twin";
  }
  const auto only_for = [&flags](bool given, const char* flag, const char* engine) {
    return given && flags.engine != engine
               ? Result<void>(fail(ErrorCode::InvalidArgument,
                                   fmt::format("{} is for --engine {}, not for --engine {}: leave "
                                               "one of them out",
                                               flag, engine, flags.engine)))
               : Result<void>();
  };
  for (const Result<void>& checked : {only_for(!flags.twin.empty(), "--twin", "twin"),
                                      only_for(!flags.twin_facts.empty(), "--twin-facts", "twin"),
                                      only_for(!flags.twin_labels.empty(), "--twin-labels", "twin"),
                                      only_for(!flags.variants.empty(), "--variants", "onnx"),
                                      only_for(flags.no_preload, "--no-preload", "onnx"),
                                      only_for(!flags.lanes.empty(), "--lanes", "onnx")}) {
    if (!checked) {
      return checked;
    }
  }
  if (!flags.twin_facts.empty() && !(flags.twin.empty() && flags.twin_labels.empty())) {
    return fail(ErrorCode::InvalidArgument,
                "--twin-facts says all of the twin: leave --twin and --twin-labels out");
  }
  if (flags.engine == "twin" && flags.twin.empty() && flags.twin_facts.empty()) {
    return fail(ErrorCode::InvalidArgument, "--engine twin needs --twin KIND: which board");
  }
  return {};
}

int exit_of(const Error& error) {
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed;
}

int run(CLI::App& app, ConsumerFlags& flags) {
  if (Result<void> applied = apply_config(app, flags.config); !applied) {
    return complain(applied.error().message, kExitUsage);
  }
  if (Result<void> checked = check_engine(app, flags); !checked) {
    return complain(checked.error().message, kExitUsage);
  }
  use_stored_login(flags.broker);
  const Result<std::string> address = find_broker(flags.broker);
  if (!address) {
    return complain(address.error().message, kExitUnreachable);
  }
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*address);
  if (!broker) {
    return complain(broker.error().message, kExitUsage);
  }
  if (flags.id.empty() && amqp::check_device_name(broker->user)) {
    flags.id = broker->user;  // a device's login has its name
  }
  if (flags.id.empty()) {
    return complain("--id is missing: this device's name", kExitUsage);
  }
  if (!valid_device_id(flags.id)) {
    return complain("'" + flags.id +
                        "' is no device name: 1 to 63 lower-case letters, digits, "
                        "hyphens",
                    kExitUsage);
  }
  if (Result<void> log = set_up_log(flags.id, flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  // A twin says nothing of the machine that it runs on.
  std::unique_ptr<DeviceTelemetry> telemetry;
  if (flags.engine != "twin") {
    Result<std::unique_ptr<DeviceTelemetry>> opened =
        DeviceTelemetry::open(flags.host_root, flags.meter);
    if (!opened) {
      return complain(opened.error().message, exit_of(opened.error()));
    }
    telemetry = std::move(*opened);
  }
  catch_stop_signals();
  second_signal_ends(kExitFailed);  // a network that is being measured may run for long
  Result<LocalDevice> device = open_device(flags);
  second_signal_ends(std::nullopt);
  if (!device && stop_signals() > 0) {
    spdlog::info("stopped before it served: {}", device.error().message);
    return kExitDone;
  }
  if (!device) {
    spdlog::error("cannot serve: {}", device.error().message);
    return exit_of(device.error());
  }
  if (flags.power_max.has_value()) {
    device->facts.power_max = flags.power_max;
  }
  if (flags.battery_min.has_value()) {
    device->facts.battery_permille_min = flags.battery_min->count / 100;
  }
  for (const std::string& note : device->notes) {
    spdlog::info("{}", note);
  }
  for (const Processor& processor : device->facts.processors) {
    spdlog::info("{} {}: {}, {} variants", flags.id, processor.id, processor.runtime,
                 processor.profiles.size());
  }
  if (stop_signals() > 0) {
    return kExitDone;
  }
  return serve(std::move(*device), std::move(*broker), flags.broker, telemetry.get());
}

}  // namespace
}  // namespace juggler

int main(int argc, char** argv) {
  using namespace juggler;  // NOLINT(google-build-using-namespace): main has no other names
  CLI::App app("The program on an edge device: runs inference for a Juggler controller.",
               "juggler-consumer");
  app.set_version_flag("--version", version_text("juggler-consumer"));
  ConsumerFlags flags;
  Action action = [&] { return run(app, flags); };
  declare(app, flags);
  add_label_command(app, action);
  add_join_command(app, action, {.broker = flags.broker, .id = flags.id, .serve = [&] {
                                   return run(app, flags);
                                 }});
  return run_app(app, argc, argv, action);
}
