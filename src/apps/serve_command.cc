// `juggler serve`: the HTTP interface, as one more client of the broker. Wiring only.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "amqp/session.h"
#include "amqp/users.h"
#include "apps/client.h"
#include "apps/commands.h"
#include "apps/json_output.h"
#include "apps/places.h"
#include "apps/privileges.h"
#include "apps/stop_signals.h"
#include "apps/version.h"
#include "http/front.h"
#include "http/server.h"
#include "inference/image.h"
#include "runtime/clock.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kTurnMax = milliseconds(250);
constexpr Micros kTokensLookEvery = seconds(1);

struct ServeFlags {
  BrokerChoice broker;
  std::string listen = kHttpListenDefault;
  std::string token_file;
  std::string config;
  std::string log_level = "info";
  bool json = false;
};

void declare(CLI::App& app, ServeFlags& flags) {
  app.add_option("--listen", flags.listen,
                 "Address and port; any but this machine's own (127.0.0.1, [::1]) needs tokens")
      ->capture_default_str()
      ->type_name("ADDRESS:PORT");
  app.add_option("--token-file", flags.token_file,
                 "Who may ask: a line for each, as juggler token new prints it; read again when it "
                 "changes; else the systemd credential 'http-tokens'")
      ->type_name("FILE");
  add_broker_flags(app, flags.broker);
  add_config_flag(app, flags.config);
  app.add_flag("--json", flags.json, "Start and end as JSON lines on stdout");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.footer(
      examples({"juggler serve", "juggler serve --listen 127.0.0.1:8080",
                "juggler serve --listen 0.0.0.0:8000 --token-file "
                "/etc/juggler/credentials/http-tokens",
                "curl --data-binary @photo.jpg "
                "'http://127.0.0.1:8000/v1/classify?min_accuracy=75&deadline_ms=200'"}) +
      "\nThe paths: docs/http.md. Exit status: 0 ended by a signal, 2 usage, 3 no broker was "
      "named, or\nthe address cannot be had.");
}

// The tokens on disk, and whether they are others by now.
class TokenFile {
 public:
  explicit TokenFile(fs::path file) : file_(std::move(file)) {}

  Result<http::TokenTable> read() {
    std::error_code failed;
    seen_ = fs::last_write_time(file_, failed);
    const Result<std::string> text = read_file(file_, http::kTokenFileMax);
    if (!text) {
      return text.error();
    }
    Result<http::TokenTable> table = http::TokenTable::parse(*text);
    return table ? std::move(table)
                 : fail(table.error().code, file_.string() + ": " + table.error().message);
  }

  // A file that cannot be read changes nothing: those that were known stay.
  void look(http::Gate& gate) {
    std::error_code failed;
    const auto written = fs::last_write_time(file_, failed);
    if (failed || written == seen_) {
      return;
    }
    Result<http::TokenTable> table = read();
    if (!table) {
      spdlog::error("the tokens of before stay: {}", table.error().message);
      return;
    }
    spdlog::info("tokens read anew: {}", table->size());
    gate.replace(std::move(*table));
  }

 private:
  fs::path file_;
  fs::file_time_type seen_;
};

Result<PayloadKind> picture_kind(std::string_view bytes) {
  const Result<ImageHeader> header = read_header(bytes);
  return header ? Result<PayloadKind>(header->kind) : Result<PayloadKind>(header.error());
}

int refuse(const ServeFlags& flags, const std::string& problem, int status) {
  if (flags.json) {
    print_event("ended", {{"status", status}, {"problem", problem}});
  }
  return complain(problem, status);
}

int run_front(const ServeFlags& flags, const http::ListenAddress& address, amqp::BrokerUrl broker,
              std::optional<TokenFile> tokens, std::optional<http::TokenTable> table) {
  catch_stop_signals();
  SystemClock clock;
  const std::string broker_name = broker.redacted();
  const std::string user = broker.user;
  amqp::SessionSpec session =
      amqp::client_session(std::move(broker), fmt::format("juggler serve {}", getpid()));
  session.read_again = [choice = flags.broker] { return read_broker(choice); };
  const auto transport = amqp::make_transport(std::move(session));
  http::Gate gate(std::move(table));
  auto server = http::Server::start(
      {.address = address, .wake = [&transport] { transport->wake(); }}, gate, clock);
  if (!server) {
    return refuse(flags,
                  fmt::format("cannot listen on {}: {}. Is the port taken? Name another: --listen",
                              flags.listen, server.error().message),
                  kExitUnreachable);
  }
  http::Server& http = **server;
  http::Front front(*transport, clock,
                    {.user = user,
                     .version = version_short(),
                     .reply = [&http](http::Ticket ticket,
                                      http::Reply reply) { http.reply(ticket, std::move(reply)); },
                     .read_picture = picture_kind,
                     .fresh_id = [] { return amqp::random_text(12); },
                     .counts =
                         [&http, &gate] {
                           return http::FrontCounts{.replies = http.replies(),
                                                    .wrong_tokens = gate.wrong_tokens()};
                         }});
  const std::string url =
      flags.listen.substr(0, flags.listen.rfind(':')) + ":" + std::to_string(http.port());
  spdlog::info("juggler {} serves http://{} ({}), broker {}", version_short(), url,
               tokens.has_value() ? "by tokens" : "this machine's programs, without tokens",
               broker_name);
  if (flags.json) {
    print_event("started", {{"juggler", version_short()},
                            {"http", "http://" + url},
                            {"broker", broker_name},
                            {"tokens", tokens.has_value()}});
  }
  stop_signals_wake(transport.get());
  Time look_at = clock.now() + kTokensLookEvery;
  while (stop_signals() == 0) {
    front.turn(kTurnMax);
    for (http::Server::Arrived& one : http.take()) {
      front.take(one.ticket, one.route, one.request);
    }
    http.tend();
    if (tokens.has_value() && clock.now() >= look_at) {
      tokens->look(gate);
      look_at = clock.now() + kTokensLookEvery;
    }
  }
  stop_signals_wake(nullptr);
  server->reset();  // whoever waits is told to come again
  transport->close(seconds(1));
  if (flags.json) {
    print_event("ended", {{"status", kExitDone}});
  }
  return kExitDone;
}

int serve(CLI::App& app, ServeFlags& flags) {
  if (Result<void> applied = apply_config(app, flags.config); !applied) {
    return refuse(flags, applied.error().message, kExitUsage);
  }
  if (Result<void> log = set_up_log("http", flags.log_level); !log) {
    return refuse(flags, log.error().message, kExitUsage);
  }
  run_unprivileged();
  const Result<http::ListenAddress> address = http::ListenAddress::parse(flags.listen);
  if (!address) {
    return refuse(flags, "--listen: " + address.error().message, kExitUsage);
  }
  const std::string file =
      flags.token_file.empty() ? credential_file("http-tokens") : flags.token_file;
  if (file.empty() && !address->loopback) {
    return refuse(flags,
                  fmt::format("--listen {}: others than this machine's programs would be let in "
                              "without a token. Make one for each who may ask (juggler token new "
                              "NAME --file FILE) and start with --token-file FILE, or listen on "
                              "127.0.0.1",
                              flags.listen),
                  kExitUsage);
  }
  std::optional<TokenFile> tokens;
  std::optional<http::TokenTable> table;
  if (!file.empty()) {
    tokens.emplace(file);
    Result<http::TokenTable> read = tokens->read();
    if (!read) {
      return refuse(flags, "--token-file: " + read.error().message, kExitUsage);
    }
    if (read->size() == 0) {
      return refuse(
          flags,
          fmt::format("--token-file: {} holds no token (`juggler token new NAME` prints a "
                      "line for it)",
                      file),
          kExitUsage);
    }
    table = std::move(*read);
  }
  const Result<std::string> broker_address = find_broker(flags.broker);
  if (!broker_address) {
    return refuse(flags, broker_address.error().message, kExitUnreachable);
  }
  Result<amqp::BrokerUrl> broker = amqp::BrokerUrl::parse(*broker_address);
  if (!broker) {
    return refuse(flags, broker.error().message, kExitUsage);
  }
  return run_front(flags, *address, std::move(*broker), std::move(tokens), std::move(table));
}

}  // namespace

void add_serve_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "serve", "The HTTP interface: Open Inference Protocol, pictures by curl, metrics");
  const auto flags = std::make_shared<ServeFlags>();
  declare(*command, *flags);
  command->callback(
      [flags, command, &action] { action = [flags, command] { return serve(*command, *flags); }; });
}

}  // namespace juggler
