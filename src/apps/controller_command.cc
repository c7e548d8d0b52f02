// `juggler controller`: the scheduler on its broker. Wiring only.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "amqp/session.h"
#include "apps/commands.h"
#include "apps/controller_flags.h"
#include "apps/idle_memory.h"
#include "apps/json_output.h"
#include "apps/places.h"
#include "apps/privileges.h"
#include "apps/quantities.h"
#include "apps/stop_signals.h"
#include "apps/version.h"
#include "core/controller.h"
#include "inference/image.h"
#include "runtime/clock.h"
#include "runtime/controller_shell.h"
#include "runtime/journal_writer.h"
#include "runtime/line_rate.h"
#include "telemetry/log.h"
#include "wire/messages.h"

namespace juggler {
namespace {

constexpr Micros kTurnMax = seconds(1);  // the transport must be polled within two
constexpr Micros kCloseMax = seconds(3);
constexpr std::uintmax_t kKeyFileMax = std::uintmax_t{1} << 16U;

ControllerConfig config_of(const ControllerFlags& flags) {
  ControllerConfig config;
  if (!flags.auto_model.empty()) {
    config.auto_model = flags.auto_model;
  }
  config.allow_synthetic = flags.allow_synthetic;
  config.min_accuracy = flags.min_accuracy;
  config.deadline = flags.deadline.value_or(config.deadline);
  config.max_energy = flags.max_energy;
  config.power_max = flags.power_max;
  config.attempts_max = flags.attempts_max.value_or(config.attempts_max);
  config.seed = flags.seed.value_or(config.seed);
  return config;
}

// Nothing where none is asked for.
Result<std::unique_ptr<JournalWriter>> open_journal(const ControllerFlags& flags,
                                                    const Controller& controller) {
  if (flags.journal.empty()) {
    return std::unique_ptr<JournalWriter>();
  }
  wire::JournalHead head;
  head.juggler = version_short();
  head.policy = flags.policy;
  head.config = controller.config();
  return JournalWriter::open({.folder = flags.journal,
                              .bytes_max = flags.journal_max.value_or(kJournalBytesMaxDefault),
                              .controller = &controller},
                             std::move(head));
}

std::string instance_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return fmt::format("controller {} {}", host.data(), getpid());
}

// A picture that is none, or too large to decode, costs no device any time.
Result<PictureSize> picture_size(PayloadKind kind, std::string_view bytes) {
  const Result<ImageHeader> header = read_header(bytes);
  if (!header) {
    return header.error();
  }
  if (header->kind != kind) {
    return fail(ErrorCode::InvalidArgument, fmt::format("content_type says {}, the payload is a {}",
                                                        to_string(kind), to_string(header->kind)));
  }
  return PictureSize{header->width, header->height};
}

// Outcomes in the log: a submitter that sends nothing but junk does not fill it.
class OutcomeLog {
 public:
  void say(const Outcome& outcome, Time now) {
    if (outcome.kind == OutcomeKind::Completed) {
      spdlog::debug("{}: completed by {} {} {} in {}", outcome.key.id, outcome.device,
                    outcome.processor, outcome.variant, show(outcome.total));
      return;
    }
    say_left_out(now);
    if (rates_[outcome.kind].may_say(now)) {
      spdlog::info("{}: {}: {}", outcome.key.id, to_string(outcome.kind), outcome.reason);
    }
  }

  void say_left_out(Time now) {
    for (auto& [kind, rate] : rates_) {
      if (const std::uint64_t tasks = rate.take_left_out(now); tasks > 0) {
        spdlog::info("{} more tasks: {}", tasks, to_string(kind));
      }
    }
  }

 private:
  std::map<OutcomeKind, LineRate> rates_;
};

void print_outcome(const Outcome& outcome) {
  if (outcome.kind != OutcomeKind::Completed) {
    print_event("outcome", {{"outcome", nlohmann::json::parse(wire::outcome_json(outcome), nullptr,
                                                              /*allow_exceptions=*/false)}});
  }
}

void print_end(const ControllerStats& stats) {
  print_event("ended", {{"status", kExitDone},
                        {"submitted", stats.submitted},
                        {"completed", stats.completed},
                        {"rejected", stats.rejected},
                        {"expired", stats.expired},
                        {"failed", stats.failed}});
}

// By what controllers of one fleet know each other's dispatches: the secret of the login that they
// share. Who logs in by a certificate shares none but its key.
std::string stamp_key(const amqp::BrokerUrl& broker) {
  if (!broker.external) {
    return stamp_key_of(broker.password);
  }
  const Result<std::string> key = read_file(broker.keyfile, kKeyFileMax);
  return key ? stamp_key_of(*key) : std::string();
}

// It cannot start, or not fully.
int refuse(const ControllerFlags& flags, const std::string& problem, int status) {
  if (flags.json) {
    print_event("ended", {{"status", status}, {"problem", problem}});
  }
  return complain(problem, status);
}

int control(CLI::App& app, ControllerFlags& flags) {
  if (Result<void> applied = apply_config(app, flags.config); !applied) {
    return refuse(flags, applied.error().message, kExitUsage);
  }
  if (Result<void> log = set_up_log("controller", flags.log_level); !log) {
    return refuse(flags, log.error().message, kExitUsage);
  }
  run_unprivileged();
  Result<std::unique_ptr<Policy>> policy = make_policy(flags.policy);
  if (!policy) {
    return refuse(flags, policy.error().message, kExitUsage);
  }
  const Result<std::string> address = find_broker(flags.broker);
  if (!address) {
    return refuse(flags, address.error().message, kExitUnreachable);
  }
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*address);
  if (!broker) {
    return refuse(flags, broker.error().message, kExitUsage);
  }
  catch_stop_signals();
  spdlog::info("juggler {}, policy {}, broker {}", version_short(), flags.policy,
               broker->redacted());
  if (flags.json) {
    print_event(
        "started",
        {{"juggler", version_short()}, {"policy", flags.policy}, {"broker", broker->redacted()}});
  }

  const std::string login = broker->user;
  std::string key = stamp_key(*broker);
  if (key.empty()) {
    spdlog::warn("the login has no secret: what it dispatches is computed anew by the next leader");
  }
  SystemClock clock;
  amqp::SessionSpec session =
      amqp::controller_session(std::move(*broker), instance_name(), flags.standby);
  session.read_again = [choice = flags.broker] { return read_broker(choice); };
  const std::unique_ptr<Transport> transport = amqp::make_transport(std::move(session));
  Controller controller(config_of(flags), std::move(*policy));
  const Result<std::unique_ptr<JournalWriter>> journal = open_journal(flags, controller);
  if (!journal) {
    return refuse(flags, journal.error().message, kExitUsage);
  }
  OutcomeLog outcomes;
  ControllerShell shell(controller, *transport, clock,
                        {.read_picture = picture_size,
                         .answered =
                             [&flags, &outcomes, &clock](const Outcome& outcome) {
                               outcomes.say(outcome, clock.now());
                               if (flags.json) {
                                 print_outcome(outcome);
                               }
                             },
                         .version = version_short(),
                         .login = login,
                         .stamp_key = std::move(key),
                         .observer = journal->get()});
  stop_signals_wake(transport.get());
  IdleMemory memory;
  while (stop_signals() == 0) {
    shell.turn(kTurnMax);
    outcomes.say_left_out(clock.now());
    memory.turn(controller.tasks().size() > 0, clock.now());
  }
  stop_signals_wake(nullptr);
  // Nothing to save: what is not answered lies in the broker, for the next controller.
  transport->close(kCloseMax);
  const ControllerStats& stats = controller.stats();
  spdlog::info("ended: {} submitted, {} completed, {} rejected, {} expired, {} failed",
               stats.submitted, stats.completed, stats.rejected, stats.expired, stats.failed);
  if (flags.json) {
    print_end(stats);
  }
  return kExitDone;
}

}  // namespace

void add_controller_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "controller", "The scheduler: takes tasks from the broker and places them on devices");
  const auto flags = std::make_shared<ControllerFlags>();
  declare_controller_flags(*command, *flags);
  command->callback([flags, command, &action] {
    action = [flags, command] { return control(*command, *flags); };
  });
}

}  // namespace juggler
