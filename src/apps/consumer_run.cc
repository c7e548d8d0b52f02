#include "apps/consumer_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <thread>
#include <utility>

#include "amqp/node_files.h"
#include "apps/device_telemetry.h"
#include "apps/idle_memory.h"
#include "apps/model_watch.h"
#include "apps/stop_signals.h"
#include "apps/version.h"
#include "core/consumer.h"
#include "inference/machine.h"
#include "inference/twin_engine.h"
#include "runtime/clock.h"
#include "runtime/consumer_shell.h"
#include "runtime/thread_executor.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

constexpr Micros kTurnMax = seconds(1);    // the transport must be polled within two
constexpr Micros kDrainMax = seconds(60);  // then it leaves without
constexpr Micros kCloseMax = seconds(3);
constexpr Bytes kModelsMaxDefault = mebibytes(2048);

int exit_of(const Error& error) {
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailed;
}

// Why a device left the fleet, and what it is to be called then.
struct ServeEnd {
  bool stopped = true;  // by a signal or the controller; else it comes back, with other models
  bool drained = true;
  wire::Control renamed{};  // by its device: another name
};

// One device that serves.
class Serving {
 public:
  using ReadAgain = decltype(amqp::SessionSpec::read_again);

  // `many`: one of several in this process. `read_again`: its login, before each new connection.
  Serving(LocalDevice device, const amqp::BrokerUrl& broker, DeviceTelemetry* telemetry,
          ReadAgain read_again, bool many = false)
      : id_(device.facts.id), login_(broker.user), many_(many), telemetry_(telemetry) {
    if (telemetry_ != nullptr) {
      telemetry_->start();
      telemetry_->meter(device.engines);
      spdlog::info("{}", telemetry_->about_meter());
    }
    const DeviceFacts& facts = device.facts;
    amqp::SessionSpec session =
        amqp::device_session(broker, facts.id, facts.incarnation, dispatches_max(facts));
    session.read_again = std::move(read_again);
    transport_ = amqp::make_transport(std::move(session));
    executor_.emplace(std::move(device.engines), [this] { transport_->wake(); });
    consumer_.emplace(ConsumerConfig{}, std::move(device.facts));
    memory_free_ = device.memory_free;
    board_ = std::move(device.board);
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  Transport& transport() { return *transport_; }

  // Serves until `ends` says so, then lets go of everything.
  ServeEnd run(const std::function<bool()>& ends,
               const std::function<void(const wire::Control&)>& order,
               const std::function<void(const wire::Envelope&)>& models) {
    ConsumerShell shell(*consumer_, *transport_, *executor_, clock_,
                        {.sample_host = [this] { return sample(); },
                         .login = login_,
                         .order = order,
                         .models = models});
    IdleMemory memory;
    while (stop_signals() == 0 && !shell.left() && !ends()) {
      shell.turn(kTurnMax);
      if (!many_) {  // each of many would tidy up for all
        memory.turn(shell.payloads() > 0, clock_.now());
      }
    }
    ServeEnd end;
    end.stopped = stop_signals() > 0 || shell.left();
    if (end.stopped) {
      spdlog::info("leaving: finishing what is here; a second signal ends at once");
    }
    shell.drain();
    const Time until = clock_.now() + kDrainMax;
    while (!shell.left() && stop_signals() < 2 && clock_.now() < until) {
      shell.turn(kTurnMax);
    }
    end.drained = shell.left();
    if (end.drained) {
      transport_->close(kCloseMax);
    }
    const ConsumerStats& stats = consumer_->stats();
    spdlog::info("{}{}: {} completed, {} failed, {} expired, {} refused", id_,
                 end.drained ? " left" : " ended", stats.completed, stats.failed, stats.expired,
                 stats.refused);
    return end;
  }

 private:
  HostSample sample() const {
    HostSample sampled = telemetry_ != nullptr ? telemetry_->summary() : HostSample{};
    if (memory_free_.has_value()) {
      sampled.memory_free = memory_free_;
    }
    if (board_ != nullptr) {
      const TwinWarmth warmth = warmth_of(*board_);
      if (warmth.millicelsius.has_value()) {
        sampled.temperature_millicelsius = warmth.millicelsius;
        sampled.throttled = warmth.throttled;
      }
    }
    return sampled;
  }

  SystemClock clock_;
  const std::string id_;
  const std::string login_;
  const bool many_;
  DeviceTelemetry* telemetry_;
  std::unique_ptr<Transport> transport_;
  std::optional<ThreadExecutor> executor_;
  std::optional<Consumer> consumer_;
  std::optional<Bytes> memory_free_;
  std::shared_ptr<TwinBoard> board_;
};

void tell_device(const ConsumerFlags& flags, const LocalDevice& device) {
  for (const std::string& note : device.notes) {
    spdlog::info("{}", note);
  }
  for (const Processor& processor : device.facts.processors) {
    spdlog::info("{} {}: {}, {} variants", flags.id, processor.id, processor.runtime,
                 processor.profiles.size());
  }
}

// A network may still be running: its thread cannot be waited for.
[[noreturn]] void end_at_once() {
  std::fflush(nullptr);
  _exit(kExitFailed);
}

// Where models are fetched for this device; nothing where a person has put some there.
std::optional<ModelSource> model_source(const ConsumerFlags& flags, const amqp::BrokerUrl& broker) {
  const fs::path home = home_folder(flags.broker.home);
  if (flags.engine != "onnx" || flags.no_fetch) {
    return std::nullopt;
  }
  if (ModelFolder::owner(home) == ModelFolder::Owner::Person) {
    spdlog::info("models: those of {}, which somebody has put there; none are fetched",
                 (home / "models").string());
    return std::nullopt;
  }
  const ModelLimits limits{.bytes_max = flags.models_max.value_or(kModelsMaxDefault),
                           .memory = read_machine(flags.host_root).memory};
  return ModelSource{broker,
                     [choice = flags.broker] { return read_broker(choice); },
                     {flags.id, broker.user, version_short()},
                     ModelFolder(home, limits)};
}

// What was measured under the old name counts under the new one.
void rename_measurements(const fs::path& home, const std::string& from, const std::string& to) {
  std::error_code failed;
  const std::string prefix = "device-" + from + ".";
  for (const fs::directory_entry& entry : fs::directory_iterator(home / "profiles", failed)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) == 0) {
      fs::rename(entry.path(),
                 home / "profiles" / ("device-" + to + "." + name.substr(prefix.size())), failed);
    }
  }
}

class DeviceRun {
 public:
  DeviceRun(ConsumerFlags flags, amqp::BrokerUrl broker, std::string login_file)
      : flags_(std::move(flags)), broker_(std::move(broker)), login_file_(std::move(login_file)) {}

  int run() {
    for (;;) {
      const std::optional<ModelSource> source = model_source(flags_, broker_);
      if (source.has_value()) {
        const Result<void> brought =
            bring_models(*source, refused_, [] { return stop_signals() > 0; });
        if (!brought) {
          return stop_signals() > 0 ? kExitDone : complain(brought.error().message, kExitFailed);
        }
      }
      const std::optional<int> status = serve_once(source);
      if (status.has_value()) {
        return *status;
      }
    }
  }

 private:
  // Nothing: once more, with other models or by another name.
  std::optional<int> serve_once(const std::optional<ModelSource>& source) {
    // A twin says nothing of the machine that it runs on.
    std::unique_ptr<DeviceTelemetry> telemetry;
    if (flags_.engine != "twin") {
      Result<std::unique_ptr<DeviceTelemetry>> opened =
          DeviceTelemetry::open(flags_.host_root, flags_.meter);
      if (!opened) {
        return complain(opened.error().message, exit_of(opened.error()));
      }
      telemetry = std::move(*opened);
    }
    second_signal_ends(kExitFailed);  // a network that is being measured may run for long
    Result<LocalDevice> device = open_device(flags_);
    second_signal_ends(std::nullopt);
    if (stop_signals() > 0) {
      spdlog::info("stopped before it served{}", device ? "" : ": " + device.error().message);
      return kExitDone;
    }
    const bool of_models = !device && device.error().code == ErrorCode::Corrupt;
    if (of_models && source.has_value() && refused_.empty()) {
      spdlog::error("cannot serve these models: {}", device.error().message);
      refused_ = {{"", device.error().message}};
      return std::nullopt;  // others may come
    }
    if (!device) {
      spdlog::error("cannot serve: {}", device.error().message);
      return exit_of(device.error());
    }
    refused_.clear();
    if (flags_.power_max.has_value()) {
      device->facts.power_max = flags_.power_max;
    }
    if (flags_.battery_min.has_value()) {
      device->facts.battery_permille_min = flags_.battery_min->count / 100;
    }
    tell_device(flags_, *device);
    const ServeEnd end = serve(std::move(*device), telemetry.get(), source);
    if (!end.drained) {
      end_at_once();
    }
    if (!end.renamed.device.empty()) {
      take_name(end.renamed);
    }
    return end.stopped ? std::optional(kExitDone) : std::nullopt;
  }

  ServeEnd serve(LocalDevice device, DeviceTelemetry* telemetry,
                 const std::optional<ModelSource>& source) {
    Serving serving(std::move(device), broker_, telemetry,
                    [choice = flags_.broker] { return read_broker(choice); });
    std::optional<ModelWatch> watch;
    if (source.has_value()) {
      watch.emplace(*source, [&serving] { serving.transport().wake(); });
    }
    std::optional<wire::Control> renamed;
    stop_signals_wake(&serving.transport());
    ServeEnd end =
        serving.run([&] { return renamed.has_value() || (watch.has_value() && watch->changed()); },
                    [&](const wire::Control& control) {
                      if (control.kind == wire::ControlKind::Models && watch.has_value()) {
                        watch->ask_soon();
                      } else if (control.kind == wire::ControlKind::Rename && keep_login(control)) {
                        renamed = control;
                      }
                    },
                    [&](const wire::Envelope& answer) {
                      if (watch.has_value()) {
                        watch->heard(answer);
                      }
                    });
    stop_signals_wake(nullptr);
    if (renamed.has_value()) {
      end.renamed = *renamed;
    } else if (!end.stopped) {
      spdlog::info("other models are wanted here: coming back with them");
    }
    return end;
  }

  // Before it leaves: whatever happens to it then, it comes back by the new name.
  bool keep_login(const wire::Control& control) {
    if (login_file_.empty()) {
      spdlog::warn(
          "asked to be called {}, and refused: this program does not keep its login "
          "itself (enrol {}, bring its login here, and revoke {})",
          control.device, control.device, flags_.id);
      return false;
    }
    amqp::BrokerUrl login = broker_;
    login.user = control.device;
    login.password = control.password;
    const Result<void> kept = amqp::write_private_file(login_file_, login.text() + "\n", 0600);
    if (!kept) {
      spdlog::warn("asked to be called {}, and refused: {}", control.device, kept.error().message);
      return false;
    }
    flags_.broker.broker_file = login_file_;  // not the credential that it came instead of
    return true;
  }

  void take_name(const wire::Control& control) {
    spdlog::info("{} is called {} from now on", flags_.id, control.device);
    rename_measurements(home_folder(flags_.broker.home), flags_.id, control.device);
    flags_.id = control.device;
    broker_.user = control.device;
    broker_.password = control.password;
  }

  ConsumerFlags flags_;
  amqp::BrokerUrl broker_;
  const std::string login_file_;
  std::vector<wire::FetchProblem> refused_;
};

}  // namespace

int run_device(ConsumerFlags flags, amqp::BrokerUrl broker, std::string login_file) {
  catch_stop_signals();
  return DeviceRun(std::move(flags), std::move(broker), std::move(login_file)).run();
}

int run_twins(const ConsumerFlags& flags, const amqp::BrokerUrl& broker, const TwinCount& twins) {
  catch_stop_signals();
  std::vector<std::shared_ptr<LocalDevice>> devices;  // all before any serves
  for (int i = 1; i <= twins.count && stop_signals() == 0; ++i) {
    ConsumerFlags one = flags;
    one.id = fmt::format("{}-{}", flags.id, i);
    one.twin = twins.kind;
    one.seed = flags.seed + static_cast<std::uint64_t>(i);
    Result<LocalDevice> device = open_device(one);
    if (!device) {
      return complain(device.error().message, exit_of(device.error()));
    }
    devices.push_back(std::make_shared<LocalDevice>(std::move(*device)));
  }
  std::vector<std::jthread> threads;
  for (const std::shared_ptr<LocalDevice>& device : devices) {
    threads.emplace_back([broker, device] {
      Serving serving(std::move(*device), broker, nullptr, {}, /*many=*/true);
      serving.run([] { return false; }, {}, {});
    });
  }
  return kExitDone;  // the threads are waited for
}

}  // namespace juggler
