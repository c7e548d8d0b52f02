#include "apps/consumer_flags.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>

#include "apps/device_telemetry.h"
#include "apps/incarnation.h"
#include "apps/power_mode.h"
#include "apps/stop_signals.h"
#include "inference/given_twin.h"
#include "inference/machine_device.h"
#include "runtime/clock.h"

namespace juggler {
namespace {

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

}  // namespace

void declare_consumer_flags(CLI::App& app, ConsumerFlags& flags) {
  add_broker_flags(app, flags.broker);
  app.add_option("--id", flags.id,
                 "This device's name: lower-case letters, digits, hyphens [its login's]");
  app.add_option("--engine", flags.engine, "What computes: onnx, twin or noop")
      ->check(CLI::IsMember({"onnx", "twin", "noop"}))
      ->capture_default_str();
  app.add_option(
         "--twin", flags.twin,
         "Stand for this board: times and energies from its profile; :N for N of them, NAME-1 "
         "to NAME-N")
      ->type_name("KIND[:N]");
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
  add_size(app, "--models-max", flags.models_max, "Disk for models that are fetched [2GiB]");
  app.add_flag("--no-fetch", flags.no_fetch,
               "Serve the models that are here, whatever the controller wants");
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

Result<TwinCount> parse_twin_count(const std::string& text) {
  TwinCount twins;
  const std::size_t colon = text.find(':');
  twins.kind = text.substr(0, colon);
  if (colon == std::string::npos) {
    return twins;
  }
  twins.many = true;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, twins.count);
  if (error != std::errc{} || at != end || twins.count < 1 || twins.count > kTwinsInProcessMax) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("--twin {}: the number of twins is 1 to {}", text, kTwinsInProcessMax));
  }
  return twins;
}

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
  for (const Result<void>& checked :
       {only_for(!flags.twin.empty(), "--twin", "twin"),
        only_for(!flags.twin_facts.empty(), "--twin-facts", "twin"),
        only_for(!flags.twin_labels.empty(), "--twin-labels", "twin"),
        only_for(!flags.variants.empty(), "--variants", "onnx"),
        only_for(flags.models_max.has_value(), "--models-max", "onnx"),
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
  if (const Result<TwinCount> twins = parse_twin_count(flags.twin); !twins) {
    return twins.error();
  }
  return {};
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
  options.mode = mode_now(flags.host_root);
  options.preload = !flags.no_preload;
  options.progress = show_progress;
  options.stop = [] { return stop_signals() > 0; };
  return open_machine_device(options);
}

}  // namespace juggler
