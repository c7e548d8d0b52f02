#include "apps/join_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>

#include "amqp/join_line.h"
#include "amqp/node_files.h"
#include "amqp/session.h"
#include "apps/own_login.h"
#include "apps/version.h"
#include "core/device.h"
#include "runtime/clock.h"
#include "telemetry/printable.h"
#include "wire/join.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kAnswerMax = seconds(120);  // the broker's control program may be slow
constexpr Micros kTurn = milliseconds(200);

struct JoinFlags {
  std::string line;
  std::string out;
  bool enrol_only = false;
};

// This machine's name, as far as it can name a device.
std::string own_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::string name;
  for (const char* c = host.data(); *c != '\0' && *c != '.' && name.size() < 63; ++c) {
    const char lower = *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c - 'A' + 'a') : *c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    name.push_back(plain ? lower : '-');
  }
  return name;
}

Error lost(const std::string& reason) {
  if (reason.find("ACCESS_REFUSED") != std::string::npos) {
    return fail(ErrorCode::Unavailable,
                "the broker does not know that token: it is wrong, was used, or has ended. Ask for "
                "another line (juggler devices invite)");
  }
  return fail(ErrorCode::Unavailable, reason);
}

// Asks once and waits for what is said.
class Asking {
 public:
  Asking(amqp::BrokerUrl address, std::string device)
      : token_(address.user),
        device_(std::move(device)),
        transport_(amqp::make_transport(amqp::client_session(std::move(address), "juggler join"))) {
  }
  ~Asking() { transport_->close(seconds(1)); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  Result<wire::JoinAnswer> run() {
    const Time until = clock_.now() + kAnswerMax;
    while (clock_.now() < until) {
      std::vector<TransportEvent> events;
      transport_->poll(kTurn, events);
      for (const TransportEvent& event : events) {
        if (auto end = handle(event)) {
          return std::move(*end);
        }
      }
    }
    return fail(ErrorCode::Unavailable,
                fmt::format("no answer within {} s", kAnswerMax.count / 1'000'000));
  }

 private:
  using End = std::optional<Result<wire::JoinAnswer>>;

  End handle(const TransportEvent& event) {
    if (const auto* connected = std::get_if<TransportConnected>(&event)) {
      transport_->publish(1, wire::encode_join({device_, version_short(), clock_.unix_seconds()},
                                               connected->reply_queue, token_));
    } else if (const auto* gone = std::get_if<TransportDisconnected>(&event)) {
      return lost(gone->reason);
    } else if (const auto* settled = std::get_if<TransportSettled>(&event)) {
      if (settled->end == PublishEnd::Returned || settled->end == PublishEnd::Refused) {
        return fail(ErrorCode::Unavailable,
                    "nobody enrols devices there now: `juggler up --lan` or `juggler desk` must "
                    "run. The token is still good");
      }
    } else if (const auto* delivery = std::get_if<TransportDelivery>(&event)) {
      return wire::decode_joined(delivery->envelope);
    }
    return std::nullopt;
  }

  SystemClock clock_;
  const std::string token_;
  const std::string device_;
  std::unique_ptr<Transport> transport_;
};

// Before anything is asked: a token would be spent for a login that cannot be kept.
Result<void> try_to_write(const fs::path& file) {
  std::error_code failed;
  if (!file.parent_path().empty()) {
    fs::create_directories(file.parent_path(), failed);
  }
  const fs::path trial = file.string() + ".trial";
  const Result<void> written = amqp::write_private_file(trial.string(), "", 0600);
  fs::remove(trial, failed);
  return written;
}

std::string whole_line(const JoinFlags& flags) {
  std::string line = flags.line;
  if (line == "-") {
    if (isatty(STDIN_FILENO) == 1) {
      fmt::print(stderr, "The line (juggler devices invite prints one): ");
    }
    std::getline(std::cin, line);
  }
  return line;
}

int join(const JoinFlags& flags, const JoinHooks& hooks) {
  const Result<amqp::BrokerUrl> address = amqp::read_join_line(whole_line(flags));
  if (!address) {
    return complain(address.error().message, kExitUsage);
  }
  if (hooks.id.empty()) {
    hooks.id = own_name();
  }
  if (!valid_device_id(hooks.id)) {
    return complain("'" + hooks.id +
                        "' is no device name: give one by --id, lower-case letters, "
                        "digits and hyphens",
                    kExitUsage);
  }
  const fs::path file = flags.out.empty() ? stored_login(hooks.broker) : fs::path(flags.out);
  if (Result<void> possible = try_to_write(file); !possible) {
    return complain(possible.error().message, kExitFailed);
  }
  const Result<wire::JoinAnswer> answer = Asking(*address, hooks.id).run();
  if (!answer) {
    return complain("not joined: " + answer.error().message, kExitUnreachable);
  }
  if (answer->address.empty()) {
    return complain("not joined: " + printable(answer->reason), kExitFailed);
  }
  const Result<amqp::BrokerUrl> login = amqp::joined_address(*address, answer->address, hooks.id);
  if (!login) {
    return complain("not joined: " + login.error().message, kExitFailed);
  }
  if (Result<void> kept = amqp::write_private_file(file.string(), login->text() + "\n", 0600);
      !kept) {
    return complain(kept.error().message, kExitFailed);
  }
  fmt::print(stderr, "{} has joined; its login is in {}\n", hooks.id, file.string());
  if (flags.enrol_only) {
    return kExitDone;
  }
  hooks.broker.broker_file = file.string();
  return hooks.serve();
}

}  // namespace

void add_join_command(CLI::App& app, Action& action, JoinHooks hooks) {
  CLI::App* command = app.add_subcommand(
      "join", "Get a login by the line that `juggler up --lan` prints, keep it, and serve");
  const auto flags = std::make_shared<JoinFlags>();
  command->fallthrough();  // the flags of serving may stand behind
  command
      ->add_option("line", flags->line,
                   "- asks for it, or reads it from stdin; or the line, in quotes")
      ->required()
      ->type_name("LINE");
  command->add_option("--out", flags->out, "File for the login, mode 0600 [<home>/login]")
      ->type_name("FILE");
  command->add_flag("--enrol-only", flags->enrol_only, "Keep the login and end");
  command->footer(
      examples({"juggler-consumer join - --id pi5",
                "juggler-consumer join - --out /etc/juggler/credentials/consumer --enrol-only"}) +
      "\nA line on the command line can be seen by others on this machine, until it has joined. "
      "Its\n"
      "token is good once, and for an hour unless `juggler devices invite --for` says otherwise.");
  command->callback([flags, hooks = std::move(hooks), &action] {
    action = [flags, hooks] { return join(*flags, hooks); };
  });
}

}  // namespace juggler
