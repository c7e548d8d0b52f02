// `juggler up`: all of it on this machine, for as long as somebody watches.

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "amqp/session.h"
#include "apps/commands.h"
#include "apps/privileges.h"
#include "apps/up.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

void declare(CLI::App& app, UpOptions& flags, std::string& home) {
  app.add_option(
         "--home", home,
         "Folder of models and state; else $JUGGLER_HOME, a checkout's var, ~/.local/share/juggler")
      ->type_name("DIR");
  app.add_option("--twin", flags.twins,
                 "Add a twin of this board, or N of them; may be given several times")
      ->type_name("KIND[:N]");
  app.add_flag("--twin-labels", flags.twin_labels,
               "Twins answer with real labels for the photographs of --demo (or <home>/photos), "
               "computed once, beforehand, on this machine");
  refuse_password(
      *app.add_option("--broker", flags.broker,
                      "Use this broker instead of a private one; an address with a password comes "
                      "by $JUGGLER_BROKER or --broker-file")
           ->type_name("URL"));
  app.add_option("--broker-file", flags.broker_file, "A file whose first line is the address")
      ->type_name("FILE");
  app.add_flag("--lan", flags.lan,
               "Open the broker to the network, with TLS, and print a line by which a board joins");
  app.add_option("--lan-host", flags.lan_host,
                 "How boards reach this machine, with --lan [its address]")
      ->type_name("HOST");
  app.add_option("--policy", flags.policy,
                 "How placements are chosen, and with what goal (see juggler policies) [juggler]");
  app.add_flag(
      "--no-local", [&flags](std::int64_t) { flags.local = false; },
      "Leave this machine out: twins only");
  app.add_option("--id", flags.local_id, "This machine's name in the fleet")->capture_default_str();
  app.add_option("--variants", flags.variants, "This machine serves these only")
      ->delimiter(',')
      ->type_name("A,B,...");
  app.add_option("--lanes", flags.lanes,
                 "Which engine runs on which of its processors (docs/engines.md)")
      ->type_name("FILE");
  app.add_option("--controller-config", flags.controller_config,
                 "TOML file for the controller: its defaults")
      ->type_name("FILE");
  app.add_option("--journal", flags.journal,
                 "The controller writes every event to this folder, for juggler replay [off]")
      ->type_name("DIR");
  app.add_flag(
      "--no-http", [&flags](std::int64_t) { flags.http = false; },
      "Without the HTTP interface on this machine's loopback (docs/http.md)");
  app.add_option("--demo", flags.demo,
                 "Classify the photographs of this folder under several requirements, print the "
                 "table; stays afterwards only at a terminal")
      ->type_name("DIR");
  app.add_flag("--json", flags.json,
               "What happens, as JSON lines on stdout, instead of tables (docs/cli.md)");
  app.footer(
      examples({"juggler up", "juggler up --twin jetson-orin-nano --twin raspberry-pi-5:2",
                "juggler up --home var --twin jetson-nano --twin-labels --demo var/photos",
                "juggler up --no-local --twin raspberry-pi-4 --policy round-robin"}) +
      "\nBoards for twins: jetson-agx-orin, jetson-nano, jetson-orin-nano, jetson-xavier-nx,\n"
      "raspberry-pi-4, raspberry-pi-5. Ctrl-C stops everything; logs are in <home>/logs.\n"
      "Exit status: 0 done, 1 the demonstration did not go as it should, 2 usage, 3 no broker.");
}

}  // namespace

void add_up_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "up", "All of it on this machine: broker, controller, this machine, twins");
  const auto flags = std::make_shared<UpOptions>();
  const auto home = std::make_shared<std::string>();
  declare(*command, *flags, *home);
  command->callback([flags, home, &action] {
    action = [flags, home] {
      forgo_new_privileges();  // its broker is started as who it is, by no wrapper
      if (Result<void> log = set_up_log("juggler", "warn"); !log) {
        return complain(log.error().message, kExitUsage);
      }
      flags->home = home_folder(*home);
      if (!flags->broker_file.empty()) {
        const Result<std::string> address =
            find_broker({.broker = flags->broker, .broker_file = flags->broker_file});
        if (!address) {
          return complain(address.error().message, kExitUsage);
        }
        flags->broker = *address;
      }
      return run_up(*flags);
    };
  });
}

}  // namespace juggler
