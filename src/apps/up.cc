#include "apps/up.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "amqp/session.h"
#include "apps/demo.h"
#include "apps/flags.h"
#include "apps/json_fields.h"
#include "apps/json_output.h"
#include "apps/places.h"
#include "apps/up_checks.h"
#include "apps/up_run.h"
#include "runtime/child_process.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kFleetMax = seconds(180);   // until every device has joined
constexpr Micros kLabelsMax = seconds(600);  // of many photographs, on a slow machine
constexpr Micros kAskMax = seconds(2);
constexpr const char* kRefused = "ACCESS_REFUSED";  // AMQP's word: trying again changes nothing
constexpr Micros kAskAgain = milliseconds(150);

Result<void> write_secret(const fs::path& file, const std::string& text) {
  const mode_t before = umask(0077);
  std::ofstream stream(file, std::ios::trunc);
  umask(before);
  stream << text << '\n';
  if (!stream.flush()) {
    return fail(ErrorCode::Unavailable, "cannot write " + file.string());
  }
  return {};
}

std::string http_text(const std::string& address) {
  return address.empty() ? std::string()
                         : fmt::format("  curl --data-binary @PHOTO.jpg {}/v1/classify\n", address);
}

std::string join_text(const std::string& line) {
  return line.empty() ? std::string()
                      : fmt::format(
                            "A board joins by this line, once and within an hour (another: "
                            "juggler devices invite); there, `juggler-consumer join -` asks for "
                            "it:\n  {}\n",
                            line);
}

}  // namespace

Up::~Up() {
  if (session_ != nullptr) {
    stop_signals_wake(nullptr);
    session_->transport->close(kClientCloseMax);
  }
  remove_running(getpid());
  if (!address_file_.empty()) {  // whatever became of the broker: the file holds its password
    std::error_code failed;
    fs::remove(address_file_, failed);
  }
  if (labels_.has_value()) {
    end_child(*labels_, seconds(5));
  }
  supervisor_.stop_all();
  broker_.reset();
}

void Up::tell(const std::string& who, const std::string& what) const {
  const double elapsed = static_cast<double>((clock_.now() - began_).count) / 1e6;
  fmt::print(stderr, "[{:5.1f} s] {:<18} {}\n", elapsed, who, printable_lines(what));
  if (options_.json) {
    print_event("progress",
                {{"elapsed_us", (clock_.now() - began_).count}, {"who", who}, {"what", what}});
  }
}

int Up::end_with(const std::string& problem, int status) {
  problem_ = problem;
  return complain(problem, status);
}

void Up::pause(Micros wait_max) const {
  pollfd entry{stop_signals_fd(), POLLIN, 0};
  ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(wait_max.count / 1000, 60'000)));
  drain_stop_signals_fd();
}

bool Up::tend() {
  std::vector<std::string> told;
  supervisor_.look(clock_.now(), told);
  for (const std::string& line : told) {
    tell("", line);
  }
  if (broken_.empty() && broker_.has_value() && !broker_->running() && !stopped()) {
    restart_broker();
  }
  if (broken_.empty() && supervisor_.given_up("controller")) {
    broken_ = fmt::format("the controller is given up; it {} (log: {})",
                          supervisor_.last_end("controller"), log("controller").string());
  }
  return stopped() || !broken_.empty();
}

Result<void> Up::await_labels() {
  if (!labels_.has_value()) {
    return {};
  }
  const Time until = clock_.now() + kLabelsMax;
  std::optional<int> status = poll_child(*labels_);
  for (Time told = clock_.now(); !status.has_value() && clock_.now() < until && !tend();
       status = poll_child(*labels_)) {
    pause(seconds(1));
    if (clock_.now() - told >= seconds(10)) {
      told = clock_.now();
      tell("labels", "still computing");
    }
  }
  if (status.has_value()) {
    labels_.reset();
    tell("labels", *status == 0 ? last_log_line(log("labels").string())
                                : "not all: " + last_log_line(log("labels").string()));
  }
  return {};
}

// Whether every device that can still come is there. Says which came since the last time.
bool Up::note_joined(const nlohmann::json& devices) {
  bool all = true;
  for (const FleetMember& member : members_) {
    bool live = false;
    for (const nlohmann::json& device : list_of(devices, "devices")) {
      live = live || (text_of(device, "id") == member.id && text_of(device, "state") == "live");
    }
    if (live && std::find(joined_.begin(), joined_.end(), member.id) == joined_.end()) {
      joined_.push_back(member.id);
      tell(member.id, "has joined");
      if (options_.json) {
        print_event("joined", {{"device", member.id}, {"twin", !member.board.empty()}});
      }
    }
    all = all && (live || supervisor_.given_up(member.id));
  }
  return all;
}

std::string Up::why_none_joined() const {
  std::string why = "no device has joined:";
  for (const FleetMember& member : members_) {
    why += fmt::format("\n  {} {} (log: {})", member.id, supervisor_.last_end(member.id),
                       log(member.id).string());
  }
  return why;
}

// The controller's last warning, while it answers no question; empty where it has none.
std::string Up::trouble_of_controller() const {
  const std::string words = supervisor_.last_words("controller");
  const bool trouble =
      words.find(" warning ") != std::string::npos || words.find(" error ") != std::string::npos;
  return trouble ? "; the controller says: " + words : "";
}

Result<void> Up::await_fleet() {
  Result<std::unique_ptr<ClientSession>> session = open_client(submitter_);
  if (!session) {
    return session.error();
  }
  session_ = std::move(*session);
  session_->client->stop_when([this] { return stopped(); });
  stop_signals_wake(session_->transport.get());
  const Time until = clock_.now() + kFleetMax;
  Time spoken = clock_.now();
  while (!tend()) {
    const Result<nlohmann::json> devices = session_->client->ask("devices", "", kAskMax);
    const std::string trouble = devices ? "" : trouble_of_controller();
    const std::string why = devices ? "" : ": " + devices.error().message + trouble;
    if (devices && note_joined(*devices)) {
      const bool any = std::any_of(members_.begin(), members_.end(),
                                   [this](const FleetMember& member) { return serves(member); });
      return any ? Result<void>() : fail(ErrorCode::Unavailable, why_none_joined());
    }
    const bool hopeless = trouble.find(kRefused) != std::string::npos;
    if (hopeless || clock_.now() >= until) {
      return fail(
          ErrorCode::Unavailable,
          fmt::format("only {} of {} devices have joined{}; see the logs in {}", joined_.size(),
                      members_.size(), why, (options_.home / "logs").string()));
    }
    if (clock_.now() - spoken >= seconds(10)) {
      spoken = clock_.now();
      tell("", fmt::format("{} of {} devices have joined{}", joined_.size(), members_.size(), why));
    }
    pause(kAskAgain);
  }
  return fail(ErrorCode::Unavailable, broken_.empty() ? "stopped" : broken_);
}

void Up::write_address(const fs::path& file) {
  address_file_ = file;  // also where only a part of it can be written
  if (Result<void> written = write_secret(file, submitter_); !written) {
    tell("", written.error().message);
  }
}

void Up::print_ready() {
  const fs::path address = options_.home / "submitter.url";
  write_address(address);
  const auto devices = std::count_if(members_.begin(), members_.end(),
                                     [this](const FleetMember& member) { return serves(member); });
  const auto twins = devices - (has_local() ? 1 : 0);
  const Result<amqp::BrokerUrl> url = amqp::BrokerUrl::parse(submitter_);
  const Result<std::string> line = options_.lan ? join_line() : Result<std::string>("");
  if (!line) {
    tell("", "no board can join: " + line.error().message);
  }
  if (options_.json) {
    print_event("ready", {{"devices", devices},
                          {"twins", twins},
                          {"broker", url ? url->redacted() : ""},
                          {"broker_file", address.string()},
                          {"join", line.value_or("")},
                          {"http", http_}});
    return;
  }
  fmt::print(
      "\nThe fleet is up: {}{} twin{}. Broker: {}\n"
      "(with its password, for clients of your own: {})\n"
      "Try, in another terminal:\n"
      "  juggler submit PHOTO.jpg --min-accuracy 76 --deadline 200ms\n"
      "  juggler devices\n"
      "  juggler tasks\n"
      "{}{}"
      "Ctrl-C stops everything.\n",
      has_local() ? "this machine and " : "", twins, twins == 1 ? "" : "s",
      url ? url->redacted() : "?", address.string(), http_text(http_),
      join_text(line.value_or("")));
  std::fflush(stdout);
}

int Up::demonstrate() {
  Demonstration demonstration;
  demonstration.labels_wanted = options_.twin_labels;
  demonstration.photos = options_.demo;
  demonstration.local_device = has_local() ? options_.local_id : "";
  demonstration.stop = [this] { return tend(); };
  demonstration.json = options_.json;
  const DemonstrationEnd end = run_demonstration(*session_->client, demonstration);
  return end.problem.empty() ? end.status : end_with(end.problem, end.status);
}

void Up::stay() {
  // The connection of the demonstration is not needed any more, and nobody would tend it.
  stop_signals_wake(nullptr);
  session_->transport->close(kClientCloseMax);
  session_.reset();
  while (!tend()) {
    const Time next = supervisor_.next_restart();
    pause(next == Time::never() ? seconds(60) : std::max(Micros{0}, next - clock_.now()));
  }
}

int Up::run() {
  if (Result<std::string> policy = check_flags(options_); policy) {
    policy_ = std::move(*policy);
  } else {
    return end_with(policy.error().message, kExitUsage);
  }
  if (Result<void> checked = check_free(); !checked) {
    return end_with(checked.error().message, kExitUnreachable);
  }
  if (Result<void> checked = check_home(); !checked) {
    const bool usage = checked.error().code == ErrorCode::InvalidArgument;
    return end_with(checked.error().message, usage ? kExitUsage : kExitFailed);
  }
  start_labels();
  const Result<void> started = start_broker();
  if (!started && !stopped()) {
    const bool usage = started.error().code == ErrorCode::InvalidArgument;
    return end_with(started.error().message, usage ? kExitUsage : kExitUnreachable);
  }
  Result<void> ready = started ? start_controller() : started;
  if (ready) {
    ready = start_desk();
  }
  const Result<void> http = ready ? start_http() : Result<void>();
  if (!http) {
    tell("http", http.error().message);
  }
  if (ready) {
    ready = start_keeper();
  }
  if (ready) {
    ready = await_labels();
  }
  for (const FleetMember& member : members_) {
    if (ready && !stopped()) {
      ready = start_device(member);
    }
  }
  if (ready && !stopped()) {
    const Result<void> noted =
        write_running({options_.home, getpid(), broker_.has_value() ? "" : external_broker_});
    if (!noted) {
      tell("", noted.error().message);
    }
    ready = await_fleet();
  }
  if (stopped()) {
    tell("", "stopping");
    return options_.demo.empty() ? kExitDone : kExitFailed;
  }
  if (!ready) {
    return end_with(ready.error().message, kExitFailed);
  }
  const int status = options_.demo.empty() ? kExitDone : demonstrate();
  const bool watched = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  if ((options_.demo.empty() || watched) && !tend()) {
    print_ready();
    stay();
    fmt::print(stderr, "\n");  // after the ^C
  }
  tell("", "stopping");
  return broken_.empty() || stopped() ? status : end_with(broken_, kExitFailed);
}

int run_up(const UpOptions& options) {
  int status = kExitDone;
  std::string problem;
  if (Result<std::vector<FleetMember>> members = members_of(options); members) {
    catch_stop_signals();
    catch_child_signals();
    Up up(options, std::move(*members));
    status = up.run();
    problem = up.problem();
  } else {
    problem = members.error().message;
    status = complain(problem, kExitUsage);
  }
  if (options.json) {  // and by now everything has stopped
    nlohmann::json event{{"status", status}};
    if (!problem.empty()) {
      event["problem"] = problem;
    }
    print_event("ended", std::move(event));
  }
  return status;
}

}  // namespace juggler
