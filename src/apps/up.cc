#include "apps/up.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "amqp/child_process.h"
#include "amqp/private_broker.h"
#include "amqp/session.h"
#include "apps/client_session.h"
#include "apps/demo.h"
#include "apps/flags.h"
#include "apps/json_fields.h"
#include "apps/places.h"
#include "apps/stop_signals.h"
#include "apps/supervisor.h"
#include "core/device.h"
#include "inference/board_profile.h"
#include "inference/calibration_file.h"
#include "inference/catalogue.h"
#include "inference/onnx_runtime.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kFleetMax = seconds(180);   // until every device has joined
constexpr Micros kLabelsMax = seconds(600);  // of many photographs, on a slow machine
constexpr Micros kAskMax = seconds(2);
constexpr Micros kAskAgain = milliseconds(150);
constexpr Micros kCloseMax = milliseconds(500);
constexpr int kTwinsMax = 32;
constexpr int kBrokerStartsMax = 3;

struct Member {
  std::string id;
  std::string board;  // of a twin; empty: this machine
};

// "raspberry-pi-5:2" gives raspberry-pi-5-1 and raspberry-pi-5-2.
Result<void> add_twins(const std::string& text, std::vector<Member>& members) {
  const std::size_t colon = text.find(':');
  const std::string board = text.substr(0, colon);
  int count = 1;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, count);
    if (error != std::errc{} || at != end || count < 1 || count > kTwinsMax) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("--twin {}: the number of twins is 1 to {}", text, kTwinsMax));
    }
  }
  for (int i = 1; i <= count; ++i) {
    const std::string id = colon == std::string::npos ? board : fmt::format("{}-{}", board, i);
    const bool taken = std::any_of(members.begin(), members.end(),
                                   [&id](const Member& member) { return member.id == id; });
    if (taken || !valid_device_id(id)) {
      return fail(ErrorCode::InvalidArgument,
                  taken ? fmt::format("--twin {0}: there is a device {0} already; write {0}:2 for "
                                      "two of them",
                                      board)
                        : fmt::format("--twin {}: no board has such a name", text));
    }
    members.push_back({id, board});
  }
  return {};
}

Result<std::vector<Member>> members_of(const UpOptions& options) {
  std::vector<Member> members;
  if (options.local) {
    if (!valid_device_id(options.local_id)) {
      return fail(ErrorCode::InvalidArgument, "--id takes lower-case letters, digits, hyphens");
    }
    members.push_back({options.local_id, ""});
  }
  for (const std::string& twin : options.twins) {
    if (Result<void> added = add_twins(twin, members); !added) {
      return added.error();
    }
    const std::string& board = members.back().board;
    if (const auto profile = find_board_profile(board, options.home); !profile) {
      return profile.error();
    }
  }
  if (members.empty()) {
    return fail(ErrorCode::InvalidArgument, "--no-local without --twin leaves no device");
  }
  return members;
}

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

class Up {
 public:
  Up(const UpOptions& options, std::vector<Member> members)
      : options_(options),
        members_(std::move(members)),
        external_broker_(options.broker),
        supervisor_(static_cast<std::uint64_t>(getpid())),
        began_(clock_.now()) {
    const char* address = std::getenv("JUGGLER_BROKER");
    if (external_broker_.empty() && address != nullptr) {
      external_broker_ = address;
    }
  }
  ~Up();
  Up(const Up&) = delete;
  Up& operator=(const Up&) = delete;

  int run();

 private:
  void tell(const std::string& who, const std::string& what) const;
  bool stopped() const { return stop_signals() > 0; }
  void pause(Micros wait_max) const;
  // Looks after everything that should run; true if all should end.
  bool tend();

  Result<void> check_home();
  void start_labels();
  Result<void> start_broker();
  Result<void> open_private_broker();
  Result<void> start_controller();
  Result<void> await_labels();
  Result<void> start_device(const Member& member);
  Result<void> await_fleet();
  bool joined(const nlohmann::json& devices, std::vector<std::string>& told) const;
  void print_ready();
  int demonstrate();
  void stay();

  fs::path log(const std::string& name) const { return options_.home / "logs" / (name + ".log"); }
  fs::path labels_file() const { return options_.home / "labels" / "twin-labels.jsonl"; }
  bool has_local() const {
    return std::any_of(members_.begin(), members_.end(),
                       [](const Member& member) { return member.board.empty(); });
  }

  const UpOptions& options_;
  std::vector<Member> members_;
  mutable SystemClock clock_;                  // reading it changes nothing
  std::optional<amqp::PrivateBroker> broker_;  // outlives the children
  int broker_starts_ = 0;
  std::string external_broker_;
  std::string submitter_;
  std::string program_;
  std::optional<pid_t> labels_;  // the child that computes them
  bool labels_known_ = false;
  Supervisor supervisor_;
  std::unique_ptr<ClientSession> session_;
  Time began_;
  Time told_;  // when progress was last told
};

Up::~Up() {
  if (session_ != nullptr) {
    stop_signals_wake(nullptr);
    session_->transport->close(kCloseMax);
  }
  remove_running(getpid());
  std::error_code failed;
  fs::remove(options_.home / "submitter.url", failed);
  if (labels_.has_value()) {
    amqp::end_child(*labels_, seconds(5));
  }
  supervisor_.stop_all();
  broker_.reset();
}

void Up::tell(const std::string& who, const std::string& what) const {
  const double elapsed = static_cast<double>((clock_.now() - began_).count) / 1e6;
  fmt::print("[{:5.1f} s] {:<18} {}\n", elapsed, who, what);
  std::fflush(stdout);
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
  if (broker_.has_value() && !broker_->running() && !stopped()) {
    tell("broker", "has ended; it starts again");
    broker_.reset();
    if (Result<void> started = open_private_broker(); !started) {
      tell("broker", started.error().message);
      return true;
    }
  }
  return stopped() || supervisor_.given_up("controller");
}

Result<void> Up::check_home() {
  std::error_code failed;
  for (const char* folder : {"logs", "labels"}) {
    fs::create_directories(options_.home / folder, failed);
    if (failed) {
      return fail(
          ErrorCode::Unavailable,
          fmt::format("cannot make {}: {}", (options_.home / folder).string(), failed.message()));
    }
  }
  if (const Result<Catalogue> catalogue = Catalogue::load(options_.home); !catalogue) {
    return fail(catalogue.error().code,
                fmt::format("no models: {}. `make models` makes them; `juggler doctor --home {}` "
                            "says what else is missing",
                            catalogue.error().message, options_.home.string()));
  }
  const Result<std::string> program = sibling_program("juggler-consumer");
  if (!program) {
    return program.error();
  }
  program_ = *program;
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(options_.home); !runtime) {
    tell("ONNX Runtime", runtime.error().message);
    std::erase_if(members_, [](const Member& member) { return member.board.empty(); });
    if (members_.empty()) {
      return fail(ErrorCode::Unavailable, "no device: this machine needs ONNX Runtime");
    }
    tell("", "going on without this machine, and without labels that are not known yet");
  }
  return {};
}

// Beside the broker's start: both take seconds.
void Up::start_labels() {
  std::error_code failed;
  labels_known_ = fs::exists(labels_file(), failed);
  const fs::path photos =
      options_.demo.empty() ? options_.home / "photos" : fs::path(options_.demo);
  if (!options_.twin_labels || members_.back().board.empty()) {
    return;
  }
  if (!fs::is_directory(photos, failed)) {
    tell("labels", "none for the twins: there is no folder " + photos.string());
    return;
  }
  const auto child =
      amqp::start_child({.program = program_,
                         .arguments = {"label-pictures", photos.string(), "--home",
                                       options_.home.string(), "--out", labels_file().string()},
                         .environment = environment_with("JUGGLER_BROKER", ""),
                         .output = log("labels").string(),
                         .ends_with_us = true});
  if (child) {
    labels_ = *child;
    tell("labels", labels_known_ ? "checking those of the photographs, for the twins"
                                 : "computing those of the photographs, for the twins: about half "
                                   "a minute, the first time only");
  } else {
    tell("labels", child.error().message);
  }
}

Result<void> Up::open_private_broker() {
  if (++broker_starts_ > kBrokerStartsMax) {
    return fail(ErrorCode::Unavailable,
                fmt::format("the broker has ended {} times; its logs are in {}", kBrokerStartsMax,
                            (options_.home / "broker/log").string()));
  }
  amqp::PrivateBrokerOptions node;
  node.dir = (options_.home / "broker").string();
  for (const Member& member : members_) {
    node.devices.push_back(member.id);
  }
  node.progress = [this](std::string_view what) {
    if (stopped()) {
      // The start cannot be interrupted otherwise; the node ends with this process.
      tell("", "stopped");
      std::_Exit(kExitFailed);
    }
    if (clock_.now() - told_ >= seconds(5)) {
      told_ = clock_.now();
      tell("broker", std::string(what));
    }
  };
  told_ = clock_.now();
  Result<amqp::PrivateBroker> broker = amqp::PrivateBroker::start(node);
  if (!broker) {
    return broker.error();
  }
  broker_.emplace(std::move(*broker));
  return {};
}

Result<void> Up::start_broker() {
  if (!external_broker_.empty()) {
    submitter_ = external_broker_;
  } else {
    tell("broker", "starting RabbitMQ, for this person alone: 4 to 9 s as a rule");
    if (Result<void> started = open_private_broker(); !started) {
      return started;
    }
    submitter_ = broker_->url_for_submitter();
  }
  const Result<amqp::BrokerUrl> url = amqp::BrokerUrl::parse(submitter_);
  if (!url) {
    return url.error();
  }
  tell("broker", fmt::format("{}, {}", broker_.has_value() ? "ready" : "given", url->redacted()));
  return {};
}

Result<void> Up::start_controller() {
  const Result<std::string> own = sibling_program("juggler");
  if (!own) {
    return own.error();
  }
  std::vector<std::string> arguments{"controller", "--policy", options_.policy};
  if (!options_.controller_config.empty()) {
    arguments.insert(arguments.end(), {"--config", options_.controller_config});
  }
  tell("controller", "policy " + options_.policy);
  return supervisor_.start(
      {.name = "controller",
       .program = *own,
       .arguments = std::move(arguments),
       .broker = broker_.has_value() ? broker_->url_for_controller() : external_broker_,
       .log = log("controller").string()},
      clock_.now());
}

Result<void> Up::await_labels() {
  if (!labels_.has_value()) {
    return {};
  }
  const Time until = clock_.now() + kLabelsMax;
  std::optional<int> status = amqp::poll_child(*labels_);
  for (Time told = clock_.now(); !status.has_value() && clock_.now() < until && !tend();
       status = amqp::poll_child(*labels_)) {
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

Result<void> Up::start_device(const Member& member) {
  ChildSpec spec;
  spec.name = member.id;
  spec.program = program_;
  spec.arguments = {"--id", member.id, "--home", options_.home.string()};
  spec.log = log(member.id).string();
  spec.broker = broker_.has_value() ? broker_->url_for_device(member.id) : external_broker_;
  std::error_code failed;
  if (member.board.empty()) {
    if (!options_.variants.empty()) {
      spec.arguments.push_back("--variants");
      spec.arguments.push_back(fmt::format("{}", fmt::join(options_.variants, ",")));
    }
    const bool measured = fs::exists(calibration_file(options_.home, member.id), failed);
    tell(member.id, measured ? "this machine, measured before"
                             : "this machine: measuring its models, about 20 s, the first time "
                               "only");
  } else {
    spec.arguments.insert(spec.arguments.end(), {"--engine", "twin", "--twin", member.board});
    if (fs::exists(labels_file(), failed)) {
      spec.arguments.insert(spec.arguments.end(), {"--twin-labels", labels_file().string()});
    }
    tell(member.id, "twin of a " + member.board);
  }
  return supervisor_.start(std::move(spec), clock_.now());
}

// Whether every device that can still come is there. Says which came since the last time.
bool Up::joined(const nlohmann::json& devices, std::vector<std::string>& told) const {
  bool all = true;
  for (const Member& member : members_) {
    bool live = false;
    for (const nlohmann::json& device : list_of(devices, "devices")) {
      live = live || (text_of(device, "id") == member.id && text_of(device, "state") == "live");
    }
    if (live && std::find(told.begin(), told.end(), member.id) == told.end()) {
      told.push_back(member.id);
      tell(member.id, "has joined");
    }
    all = all && (live || supervisor_.given_up(member.id));
  }
  return all;
}

Result<void> Up::await_fleet() {
  Result<std::unique_ptr<ClientSession>> session = open_client(submitter_);
  if (!session) {
    return session.error();
  }
  session_ = std::move(*session);
  stop_signals_wake(session_->transport.get());
  const Time until = clock_.now() + kFleetMax;
  std::vector<std::string> told;
  Time spoken = clock_.now();
  while (!tend()) {
    const Result<nlohmann::json> devices = session_->client->ask("devices", "", kAskMax);
    if (devices && joined(*devices, told)) {
      return {};
    }
    if (clock_.now() >= until) {
      return fail(ErrorCode::Unavailable,
                  fmt::format("only {} of {} devices have joined; see the logs in {}", told.size(),
                              members_.size(), (options_.home / "logs").string()));
    }
    if (clock_.now() - spoken >= seconds(10)) {
      spoken = clock_.now();
      tell("", fmt::format("{} of {} devices have joined", told.size(), members_.size()));
    }
    pause(kAskAgain);
  }
  return fail(ErrorCode::Unavailable, "stopped");
}

void Up::print_ready() {
  const fs::path address = options_.home / "submitter.url";
  if (Result<void> written = write_secret(address, submitter_); !written) {
    tell("", written.error().message);
  }
  const auto twins = std::count_if(members_.begin(), members_.end(),
                                   [](const Member& member) { return !member.board.empty(); });
  const Result<amqp::BrokerUrl> url = amqp::BrokerUrl::parse(submitter_);
  fmt::print(
      "\nThe fleet is up: {}{} twin{}. Broker: {}\n"
      "(with its password, for clients of your own: {})\n"
      "Try, in another terminal:\n"
      "  juggler submit PHOTO.jpg --min-accuracy 76 --deadline 200ms\n"
      "  juggler devices\n"
      "  juggler tasks\n"
      "Ctrl-C stops everything.\n",
      has_local() ? "this machine and " : "", twins, twins == 1 ? "" : "s",
      url ? url->redacted() : "?", address.string());
  std::fflush(stdout);
}

int Up::demonstrate() {
  Demonstration demonstration;
  demonstration.photos = options_.demo;
  demonstration.local_device = has_local() ? options_.local_id : "";
  demonstration.stop = [this] { return tend(); };
  return run_demonstration(*session_->client, demonstration);
}

void Up::stay() {
  // The connection of the demonstration is not needed any more, and nobody would tend it.
  stop_signals_wake(nullptr);
  session_->transport->close(kCloseMax);
  session_.reset();
  while (!tend()) {
    const Time next = supervisor_.next_restart();
    pause(next == Time::never() ? seconds(60) : std::max(Micros{0}, next - clock_.now()));
  }
}

int Up::run() {
  if (Result<void> checked = check_home(); !checked) {
    return complain(checked.error().message, kExitFailed);
  }
  start_labels();
  if (Result<void> started = start_broker(); !started) {
    return complain(started.error().message, kExitUnreachable);
  }
  Result<void> ready = start_controller();
  if (ready) {
    ready = await_labels();
  }
  for (const Member& member : members_) {
    if (ready && !stopped()) {
      ready = start_device(member);
    }
  }
  if (ready) {
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
    return complain(ready.error().message, kExitFailed);
  }
  int status = kExitDone;
  if (!options_.demo.empty()) {
    status = demonstrate();
    const bool watched = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    if (!watched || stopped()) {
      tell("", "stopping");
      return status;
    }
  }
  print_ready();
  stay();
  fmt::print("\n");
  tell("", "stopping");
  if (supervisor_.given_up("controller")) {
    return complain("the controller does not run; see " + log("controller").string(), kExitFailed);
  }
  return status;
}

}  // namespace

int run_up(const UpOptions& options) {
  Result<std::vector<Member>> members = members_of(options);
  if (!members) {
    return complain(members.error().message, kExitUsage);
  }
  catch_stop_signals();
  catch_child_signals();
  Up up(options, std::move(*members));
  return up.run();
}

}  // namespace juggler
