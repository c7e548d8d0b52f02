// `juggler bench SCENARIO`: a scenario live, open loop, beside its simulation.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/bench_run.h"
#include "apps/commands.h"
#include "apps/stop_signals.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

struct BenchFlags {
  BenchOptions options;
  BrokerChoice broker;
  bool json = false;
  std::string log_level = "error";
};

int bench(BenchFlags& flags) {
  if (Result<void> log = set_up_log("juggler", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  flags.options.home = flags.broker.home;
  if (!flags.broker.broker.empty() || !flags.broker.broker_file.empty()) {
    const Result<std::string> address = find_broker(flags.broker);
    if (!address) {
      return complain(address.error().message, kExitUnreachable);
    }
    flags.options.broker = *address;
  }
  catch_stop_signals();
  const Result<BenchReport> report = run_bench(flags.options);
  if (!report) {
    const ErrorCode code = report.error().code;
    const bool usage = code == ErrorCode::InvalidArgument || code == ErrorCode::Unsupported ||
                       code == ErrorCode::NotFound;
    const int status = usage                          ? kExitUsage
                       : flags.options.broker.empty() ? kExitFailed
                                                      : kExitUnreachable;
    return complain(report.error().message, stop_signals() > 0 ? kExitFailed : status);
  }
  if (flags.json) {
    fmt::print("{}\n",
               bench_json(*report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", bench_text(*report, screen_of(STDOUT_FILENO)));
  }
  return report->well() ? kExitDone : kExitFailed;
}

void declare(CLI::App& app, BenchFlags& flags) {
  BenchOptions& options = flags.options;
  app.add_option("scenario", options.scenario,
                 "FLEET/PATTERN, a name, or a .toml file (juggler simulate --list)")
      ->required()
      ->type_name("SCENARIO");
  app.add_option("--policy", options.policy, "In place of the scenario's")->type_name("NAME");
  app.add_option("--goal", options.goal,
                 "energy, balanced, latency or accuracy, in place of the scenario's weights")
      ->type_name("GOAL");
  app.add_option("--seed", options.seed, "The first seed, in place of the scenario's")
      ->type_name("N");
  app.add_option("--seeds", options.seeds, "So many seeds, one run after the other")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  app.add_option("--load", options.load,
                 "In place of the scenario's rates, of the fleet's capacity")
      ->check(CLI::Range(1e-6, 10.0))
      ->type_name("SHARE");
  app.add_flag("--loopback", options.loopback,
               "Put all devices on this machine's loopback, in place of the scenario's networks "
               "(proxies as slow and narrow as they); in the simulation too");
  app.add_flag("--no-simulation", options.no_simulation, "Leave the simulation out");
  refuse_password(*app.add_option("--broker", flags.broker.broker,
                                  "Send the load to the fleet on this broker, instead of starting "
                                  "twins; an address without a password")
                       ->type_name("URL"));
  app.add_option("--broker-file", flags.broker.broker_file,
                 "The same, by a file whose first line is the address, with its password")
      ->type_name("FILE");
  app.add_option("--home", flags.broker.home,
                 "Folder of scenarios and profiles of your own (see juggler up)")
      ->type_name("DIR");
  app.add_flag("--json", flags.json, "One JSON document instead of the table");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off");
  app.footer(examples({"juggler bench home/steady-60 --loopback --seeds 3",
                       "juggler bench my-site.toml --broker-file var/submitter.url",
                       "juggler bench pair/burst --policy round-robin --loopback --json"}) +
             "\nExit status: 0 done, 1 a task was lost or answered twice, an expectation of the "
             "scenario was not met\nor it was stopped, 2 usage or a part of the scenario that "
             "cannot be live, 3 no broker or controller.");
}

}  // namespace

void add_bench_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "bench", "Run a scenario live, open loop, on twins or on your fleet, beside its simulation");
  const auto flags = std::make_shared<BenchFlags>();
  declare(*command, *flags);
  command->callback([flags, &action] { action = [flags] { return bench(*flags); }; });
}

}  // namespace juggler
