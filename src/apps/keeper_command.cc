// `juggler keeper`: the program that hands models out to devices and keeps labels and rollouts.

#include <spdlog/spdlog.h>

#include <memory>

#include "amqp/record_store.h"
#include "apps/commands.h"
#include "apps/keeper.h"
#include "apps/privileges.h"
#include "apps/stop_signals.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

constexpr Micros kTurnMax = milliseconds(500);
constexpr Micros kCloseMax = seconds(1);

struct KeeperFlags {
  BrokerChoice broker{.use = BrokerUse::Daemon};
  std::string log_level = "info";
};

amqp::SessionSpec session_of(SessionPlan plan, const BrokerChoice& choice,
                             const amqp::BrokerUrl& broker) {
  amqp::SessionSpec session{std::move(plan), broker};
  session.read_again = [choice] { return read_broker(choice); };
  return session;
}

// Each connection with the login as it is then: it may be changed while the keeper runs.
RecordAccess access_to(const BrokerChoice& choice, const amqp::BrokerUrl& broker) {
  RecordAccess access;
  access.read = [choice]() -> Result<FleetRecord> {
    const Result<amqp::BrokerUrl> now = read_broker(choice);
    return now ? amqp::read_record(*now) : Result<FleetRecord>(now.error());
  };
  access.edit =
      [choice](const std::function<Result<void>(FleetRecord&)>& change) -> Result<FleetRecord> {
    const Result<amqp::BrokerUrl> now = read_broker(choice);
    return now ? amqp::edit_record(*now, change) : Result<FleetRecord>(now.error());
  };
  access.nudge = [choice] {
    const Result<amqp::BrokerUrl> now = read_broker(choice);
    const Result<void> sent = now ? amqp::nudge_devices(*now) : Result<void>(now.error());
    if (!sent) {
      spdlog::warn("devices hear of it only with their next question: {}", sent.error().message);
    }
  };
  access.open_results = [choice, broker] {
    return amqp::make_transport(session_of(results_watch_plan(), choice, broker));
  };
  return access;
}

int keep(const KeeperFlags& flags) {
  if (Result<void> log = set_up_log("keeper", flags.log_level); !log) {
    return complain(log.error().message, kExitUsage);
  }
  run_unprivileged();
  const Result<std::string> address = find_broker(flags.broker);
  if (!address) {
    return complain(address.error().message, kExitUnreachable);
  }
  const Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*address);
  if (!broker) {
    return complain(broker.error().message, kExitUsage);
  }
  ModelShelf shelf(home_folder(flags.broker.home));
  if (const Result<bool> read = shelf.refresh(); !read) {
    spdlog::warn("no models to hand out yet: {}", read.error().message);
  }
  catch_stop_signals();
  SystemClock clock;
  const std::unique_ptr<Transport> transport =
      amqp::make_transport(session_of(keeper_plan(), flags.broker, *broker));
  Keeper keeper(*transport, clock, shelf, access_to(flags.broker, *broker), broker->user);
  stop_signals_wake(transport.get());
  while (stop_signals() == 0) {
    keeper.turn(kTurnMax);
  }
  stop_signals_wake(nullptr);
  transport->close(kCloseMax);
  return kExitDone;
}

}  // namespace

void add_keeper_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "keeper", "Hands models out to devices; keeps labels and rollouts (juggler up runs it)");
  const auto flags = std::make_shared<KeeperFlags>();
  add_broker_flags(*command, flags->broker);
  command->add_option("--log-level", flags->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  command->footer(
      examples({"juggler keeper --broker-file /etc/juggler/credentials/controller --home "
                "/var/lib/juggler"}) +
      "\nIt needs a controller's login and the models of the home. Of two keepers one waits.");
  command->callback([flags, &action] { action = [flags] { return keep(*flags); }; });
}

}  // namespace juggler
