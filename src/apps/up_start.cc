// What `juggler up` starts: labels, broker, controller, devices.

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "amqp/bind_port.h"
#include "amqp/join_line.h"
#include "amqp/session.h"
#include "apps/flags.h"
#include "apps/fleet_admin.h"
#include "apps/places.h"
#include "apps/up_checks.h"
#include "apps/up_run.h"
#include "files/catalogue.h"
#include "files/lanes_file.h"
#include "inference/calibration_file.h"
#include "inference/machine.h"
#include "inference/machine_device.h"
#include "inference/onnx_runtime.h"
#include "inference/twin_labels.h"
#include "runtime/child_process.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr int kHttpPortDefault = 8000;  // of kHttpListenDefault

}  // namespace

Result<void> Up::check_free() const {
  if (!external_broker_.empty() ||
      !amqp::PrivateBroker::in_use((options_.home / "broker").string())) {
    return {};
  }
  const std::optional<Running> other = find_running();
  const bool known = other.has_value() && other->home == options_.home;
  return fail(
      ErrorCode::Unavailable,
      fmt::format("a `juggler up`{} has its broker in {} already: stop that one, or use "
                  "another --home; the other commands find it as it is",
                  known ? fmt::format(" (process {})", other->pid) : "", options_.home.string()));
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
  const Result<Catalogue> catalogue = Catalogue::load(options_.home);
  if (!catalogue) {
    return fail(catalogue.error().code,
                fmt::format("no models: {}. `make models` in a checkout puts them into its var, "
                            "where the programs built there look; or name a home that has some: "
                            "--home DIR. `juggler doctor --home {}` says what else is missing",
                            catalogue.error().message, options_.home.string()));
  }
  if (Result<void> known = check_variants(*catalogue, options_.variants); !known) {
    return known;
  }
  if (!options_.lanes.empty()) {
    if (const auto lanes = load_lanes(options_.lanes); !lanes) {
      return fail(ErrorCode::InvalidArgument, lanes.error().message);
    }
  }
  const Result<std::string> program = sibling_program("juggler-consumer");
  if (!program) {
    return program.error();
  }
  program_ = *program;
  if (Result<void> read = check_labels(); !read) {
    return read;
  }
  if (const Result<OnnxRuntime> runtime = load_onnx_runtime(options_.home); !runtime) {
    onnx_ = false;
    const bool wanted =
        std::erase_if(members_, [](const FleetMember& member) { return member.board.empty(); }) > 0;
    if (wanted || options_.twin_labels) {  // else nobody misses it
      tell("ONNX Runtime", runtime.error().message);
    }
    if (members_.empty()) {
      return fail(ErrorCode::Unavailable, "no device: this machine needs ONNX Runtime");
    }
    if (wanted) {
      tell("", "going on without this machine");
    }
  }
  return {};
}

// Those of before, that the twins are to answer with: a damaged file would end each of them.
Result<void> Up::check_labels() {
  std::error_code failed;
  labels_known_ = options_.twin_labels && fs::exists(labels_file(), failed);
  if (!labels_known_) {
    return {};
  }
  if (const Result<TwinLabels> labels = TwinLabels::load(labels_file()); !labels) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("--twin-labels: {}. Delete the file: they are computed again",
                            labels.error().message));
  }
  return {};
}

// Beside the broker's start: both take seconds.
void Up::start_labels() {
  std::error_code failed;
  const fs::path photos =
      options_.demo.empty() ? options_.home / "photos" : fs::path(options_.demo);
  if (!options_.twin_labels || members_.back().board.empty()) {
    return;
  }
  if (!onnx_ || !fs::is_directory(photos, failed)) {
    const std::string why =
        onnx_ ? "there is no folder " + photos.string() : "that needs ONNX Runtime";
    tell("labels",
         (labels_known_ ? "those of before for the twins, and no more: " : "none for the twins: ") +
             why);
    return;
  }
  const auto child =
      start_child({.program = program_,
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
  amqp::PrivateBrokerOptions node;
  node.dir = (options_.home / "broker").string();
  for (const FleetMember& member : members_) {
    node.devices.push_back(member.id);
  }
  node.memory_free = read_machine().memory;
  node.lan = options_.lan;
  node.lan_host = options_.lan_host;
  node.progress = [this](std::string_view what) {
    if (clock_.now() - told_ >= seconds(5)) {
      told_ = clock_.now();
      tell("broker", std::string(what));
    }
  };
  node.stop = [this] { return stopped(); };
  told_ = clock_.now();
  Result<amqp::PrivateBroker> broker = amqp::PrivateBroker::start(node);
  if (!broker) {
    return broker.error();
  }
  broker_.emplace(std::move(*broker));
  broker_began_ = clock_.now();
  return {};
}

// A start that fails counts as a death: it may be killed again, or its port be taken for a moment.
void Up::restart_broker() {
  std::string why;
  while (!broker_deaths_.note(broker_began_, clock_.now())) {
    tell("broker", why.empty() ? "has ended; it starts again" : why + "; once more");
    broker_.reset();
    const Result<void> started = open_private_broker();
    if (started || stopped()) {
      tell("broker", started ? "runs again" : "does not start again");
      return;
    }
    why = started.error().message;
    broker_began_ = clock_.now();
    pause(seconds(1));
  }
  broken_ = fmt::format(
      "the broker has ended {} times in a row, each time soon after its start, and is given up: "
      "{}its logs in {} may say why",
      broker_deaths_.count(), why.empty() ? "" : why + "; ",
      (options_.home / "broker/log").string());
}

Result<void> Up::start_broker() {
  if (!external_broker_.empty() && options_.lan) {
    return fail(ErrorCode::InvalidArgument,
                "--lan opens the private broker: for another one run `juggler desk` beside it");
  }
  if (!external_broker_.empty()) {
    submitter_ = external_broker_;
    if (Result<void> there = check_broker(external_broker_); !there) {
      return there;
    }
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
  // Only what was given here: a flag would hide what the configuration says.
  std::vector<std::string> arguments{"controller"};
  if (!options_.policy.empty()) {
    arguments.insert(arguments.end(), {"--policy", options_.policy});
  }
  if (!options_.controller_config.empty()) {
    arguments.insert(arguments.end(), {"--config", options_.controller_config});
  }
  if (!options_.journal.empty()) {
    arguments.insert(arguments.end(), {"--journal", options_.journal});
  }
  tell("controller", "policy " + policy_);
  return supervisor_.start(
      {.name = "controller",
       .program = *own,
       .arguments = std::move(arguments),
       .broker = broker_.has_value() ? broker_->url_for_controller() : external_broker_,
       .log = log("controller").string()},
      clock_.now());
}

// Whom boards ask for a login, with --lan.
Result<void> Up::start_desk() {
  const Result<std::string> own = sibling_program("juggler");
  if (!options_.lan || !own) {
    return own ? Result<void>() : own.error();
  }
  return supervisor_.start({.name = "desk",
                            .program = *own,
                            .arguments = {"desk", "--home", options_.home.string()},
                            .broker = broker_->url_for_controller(),
                            .log = log("desk").string()},
                           clock_.now());
}

// Who hands models out, and keeps labels and rollouts.
Result<void> Up::start_keeper() {
  const Result<std::string> own = sibling_program("juggler");
  if (!own) {
    return own.error();
  }
  return supervisor_.start(
      {.name = "keeper",
       .program = *own,
       .arguments = {"keeper", "--home", options_.home.string()},
       .broker = broker_.has_value() ? broker_->url_for_controller() : external_broker_,
       .log = log("keeper").string()},
      clock_.now());
}

// For programs on this machine: port 8000, or a free one where that is taken.
Result<void> Up::start_http() {
  const Result<std::string> own = sibling_program("juggler");
  if (!options_.http || !own) {
    return own ? Result<void>() : own.error();
  }
  int fd = amqp::bind_port(INADDR_LOOPBACK, kHttpPortDefault);
  fd = fd >= 0 ? fd : amqp::bind_port(INADDR_LOOPBACK, 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  const bool named = fd >= 0 && getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  close(fd);
  if (!named) {
    return fail(ErrorCode::Unavailable, "no port is free for HTTP (--no-http does without)");
  }
  const std::string address = fmt::format("127.0.0.1:{}", ntohs(bound.sin_port));
  http_ = "http://" + address;
  tell("http", http_);
  return supervisor_.start({.name = "http",
                            .program = *own,
                            .arguments = {"serve", "--listen", address},
                            .broker = submitter_,
                            .log = log("http").string()},
                           clock_.now());
}

// One line to paste on a board; why not, where there is none.
Result<std::string> Up::join_line() {
  const Result<FleetAdmin> admin = find_admin({.home = options_.home.string()});
  return admin ? amqp::invite(admin->users, admin->address,
                              clock_.unix_seconds() + amqp::kTokenSecondsDefault)
               : Result<std::string>(admin.error());
}

Result<void> Up::start_device(const FleetMember& member) {
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
    if (!options_.lanes.empty()) {
      spec.arguments.insert(spec.arguments.end(), {"--lanes", options_.lanes});
    }
    const fs::path file = calibration_file(options_.home, member.id);
    const Result<Calibration> known = load_calibration(file);
    const bool measured = known.has_value();
    if (!measured && fs::exists(file, failed)) {
      tell(member.id, "its measurements cannot be read: " + known.error().message);
    }
    if (measured) {  // what was left out then is measured bit by bit, at later starts
      spec.arguments.insert(spec.arguments.end(), {"--calibrate-max", "3s"});
    }
    tell(member.id, measured ? "this machine, measured before"
                             : "this machine: measuring its models, about 20 s, the first time "
                               "only");
  } else {
    spec.arguments.insert(spec.arguments.end(), {"--engine", "twin", "--twin", member.board});
    if (options_.twin_labels && fs::exists(labels_file(), failed)) {
      spec.arguments.insert(spec.arguments.end(), {"--twin-labels", labels_file().string()});
    }
    tell(member.id, "twin of a " + member.board);
  }
  return supervisor_.start(std::move(spec), clock_.now());
}

}  // namespace juggler
