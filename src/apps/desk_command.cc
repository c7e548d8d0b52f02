// `juggler desk`, which enrols devices that come with a token, and `juggler devices invite`, which
// makes the tokens.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "amqp/connection.h"
#include "amqp/join_line.h"
#include "amqp/topology.h"
#include "apps/commands.h"
#include "apps/join_desk.h"
#include "apps/privileges.h"
#include "apps/stop_signals.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

constexpr Micros kDeskTurnMax = seconds(1);
constexpr Micros kSweepEvery = seconds(600);

struct DeskFlags {
  BrokerChoice broker{.use = BrokerUse::Daemon};
  AdminChoice admin;
  std::string config;
  std::string log_level = "info";
};

// The one exchange that tokens may write to.
Result<void> declare_exchange(const amqp::BrokerUrl& broker) {
  auto connection = amqp::Connection::open(broker, "juggler desk: declares");
  if (!connection) {
    return connection.error();
  }
  Topology topology;
  topology.exchanges.push_back({wire::kJoinExchange, "direct", {}});
  if (auto opened = (*connection)->open_channel(1); !opened) {
    return fail(ErrorCode::Unavailable, opened.error().message);
  }
  if (auto declared = amqp::declare(**connection, 1, topology); !declared) {
    return fail(ErrorCode::Unavailable, declared.error().message + declared.error().advice);
  }
  (*connection)->close(seconds(1));
  return {};
}

int attend(CLI::App& app, DeskFlags& flags) {
  if (Result<void> applied = apply_config(app, flags.config); !applied) {
    return complain(applied.error().message, kExitUsage);
  }
  if (Result<void> log = set_up_log("desk", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  if (!asks_for_rights(flags.admin.rabbitmqctl)) {  // sudo would not get them
    run_unprivileged();
  }
  BrokerChoice choice = flags.broker;
  choice.home = flags.admin.home;
  const Result<std::string> address = find_broker(choice);
  if (!address) {
    return complain(address.error().message, kExitUnreachable);
  }
  const Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*address);
  Result<FleetAdmin> admin = find_admin(flags.admin);
  if (!broker || !admin) {
    return complain(broker ? admin.error().message : broker.error().message,
                    !broker || admin.error().code == ErrorCode::InvalidArgument ? kExitUsage
                                                                                : kExitUnreachable);
  }
  if (Result<void> declared = declare_exchange(*broker); !declared) {
    return complain(declared.error().message, kExitUnreachable);
  }
  catch_stop_signals();
  SystemClock clock;
  amqp::SessionSpec session{join_desk_plan(), *broker};
  session.read_again = [choice] { return read_broker(choice); };
  const auto transport = amqp::make_transport(std::move(session));
  JoinDesk desk(*transport, clock, std::move(*admin));
  stop_signals_wake(transport.get());
  Time sweep_at = clock.now();
  while (stop_signals() == 0) {
    desk.turn(kDeskTurnMax);
    if (clock.now() >= sweep_at) {
      desk.sweep();
      sweep_at = clock.now() + kSweepEvery;
    }
  }
  stop_signals_wake(nullptr);
  transport->close(seconds(1));
  return kExitDone;
}

struct InviteFlags {
  AdminChoice admin;
  std::optional<Micros> lasts;
  int count = 1;
};

int print_lines(const InviteFlags& flags) {
  const Result<FleetAdmin> admin = find_admin(flags.admin);
  if (!admin) {
    return complain(admin.error().message, admin.error().code == ErrorCode::InvalidArgument
                                               ? kExitUsage
                                               : kExitUnreachable);
  }
  SystemClock clock;
  const std::int64_t lasts_s =
      flags.lasts.has_value() ? flags.lasts->count / 1'000'000 : amqp::kTokenSecondsDefault;
  for (int i = 0; i < flags.count; ++i) {
    const Result<std::string> line =
        amqp::invite(admin->users, admin->address, clock.unix_seconds() + lasts_s);
    if (!line) {
      return complain(line.error().message, kExitFailed);
    }
    fmt::print("{}\n", *line);
  }
  fmt::print(stderr, "On the board: juggler-consumer join -   and then the line\n");
  return kExitDone;
}

}  // namespace

void add_desk_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "desk", "Enrols devices that come with a one-time token (juggler up --lan runs it)");
  const auto flags = std::make_shared<DeskFlags>();
  command
      ->add_option("--broker-file", flags->broker.broker_file,
                   "The controller's login: a file whose first line is the address")
      ->type_name("FILE");
  add_admin_flags(*command, flags->admin);
  add_config_flag(*command, flags->config);
  command->add_option("--log-level", flags->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  command->footer(
      examples({"juggler desk --broker-file /etc/juggler/credentials/controller "
                "--rabbitmqctl rabbitmqctl --address amqps://broker.lan:5671/juggler"}));
  command->callback([flags, command, &action] {
    action = [flags, command] { return attend(*command, *flags); };
  });
}

void add_invite_command(CLI::App& devices, Action& action) {
  CLI::App* command = devices.add_subcommand(
      "invite", "Print a line by which a board joins: address, fingerprint, one-time token");
  const auto flags = std::make_shared<InviteFlags>();
  add_admin_flags(*command, flags->admin);
  add_duration(*command, "--for", flags->lasts, "How long the token lasts [60min]");
  command->add_option("--count", flags->count, "So many lines, one for each board")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str()
      ->type_name("N");
  command->footer(
      examples({"juggler devices invite", "juggler devices invite --count 6 --for 10min"}) +
      "\nOn the board `juggler-consumer join -` asks for the line, which is good for one.\n"
      "`juggler up --lan` or `juggler desk` must run.");
  command->callback([flags, &action] { action = [flags] { return print_lines(*flags); }; });
}

}  // namespace juggler
