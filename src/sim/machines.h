#pragma once
// The machines of a simulated world: each runs a production shell around its production state
// machine, one process after another.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/consumer.h"
#include "core/controller.h"
#include "runtime/consumer_shell.h"
#include "runtime/controller_shell.h"
#include "sim/agenda.h"
#include "sim/broker.h"
#include "sim/clock.h"
#include "sim/executor.h"
#include "sim/transport.h"

namespace juggler::sim {

// Wakes a machine when its state machine wants a Tick. At most one entry of the agenda counts.
class Alarm {
 public:
  // Makes sure of a wake-up at `due`, of which the caller hears as `what`.
  void set(Agenda& agenda, Time due, Sleeper& sleeper) {
    if (due < due_) {
      due_ = due;
      agenda.at(due, sleeper, ++number_);
    }
  }
  // Whether this wake-up is the one that counts; then it is used up.
  bool rings(std::uint64_t what) {
    if (what != number_) {
      return false;
    }
    due_ = Time::never();
    return true;
  }
  void clear() {
    due_ = Time::never();
    number_ += 1;
  }

 private:
  Time due_ = Time::never();
  std::uint64_t number_ = 0;
};

struct ControllerMachineOptions {
  ControllerConfig config;
  std::function<std::unique_ptr<Policy>()> make_policy;
  std::string instance;
  LinkProfile link;
  std::uint64_t seed = 1;
  ControllerObserver* observer = nullptr;
  std::function<void(const Controller&)> stepping{};  // a process has begun with this controller
};

class ControllerMachine final : public TransportOwner, public Sleeper {
 public:
  ControllerMachine(Agenda& agenda, Broker& broker, ControllerMachineOptions options);

  void begin();
  void die(std::size_t lost_frames);
  // Its process stands still, as after SIGSTOP, and goes on.
  void freeze();
  void thaw();
  bool runs() const { return controller_ != nullptr; }
  bool leads() const { return runs() && controller_->leading(); }
  const Controller& controller() const { return *controller_; }
  const ControllerShell& shell() const { return *shell_; }
  SimTransport& transport() { return transport_; }

  void input() override { turn(); }
  void wake(std::uint64_t what) override;

 private:
  void turn();

  Agenda& agenda_;
  ControllerMachineOptions options_;
  Link link_;
  SimTransport transport_;
  SimClock clock_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<ControllerShell> shell_;
  Alarm alarm_;
  bool frozen_ = false;
};

struct DeviceMachineOptions {
  DeviceFacts announced;
  DeviceFacts truth;
  BoardCurves curves{};
  double noise = 1.0;
  bool preloads = true;  // as core/preload.h says; else what is announced as loaded
  ConsumerConfig config;
  LinkProfile link;
  std::uint64_t seed = 1;
  ConsumerObserver* observer = nullptr;
  PowerTrack* power = nullptr;
};

class DeviceMachine final : public TransportOwner, public Sleeper {
 public:
  DeviceMachine(Agenda& agenda, Broker& broker, DeviceMachineOptions options);

  // The process starts. The first time it is there at once, as in a fleet that has been up for
  // long; later it loads first what it is to have loaded.
  void begin();
  void die(std::size_t lost_frames);  // the process
  void lose_power();
  void drain();
  void jump(Micros by);  // of its clock
  bool runs() const { return consumer_ != nullptr; }
  const Consumer& consumer() const { return *consumer_; }
  const ConsumerShell& shell() const { return *shell_; }
  const DeviceFacts& facts() const { return options_.announced; }
  const DeviceFacts& truth() const { return options_.truth; }
  SimExecutor& executor() { return executor_; }
  const SimExecutor& executor() const { return executor_; }
  Link& link() { return link_; }
  SimTransport& transport() { return transport_; }

  void input() override { turn(); }
  void wake(std::uint64_t what) override;

 private:
  Micros preload();
  void join();
  void turn();
  void end();

  Agenda& agenda_;
  DeviceMachineOptions options_;
  Link link_;
  SimTransport transport_;
  SimClock clock_;
  SimExecutor executor_;
  std::unique_ptr<Consumer> consumer_;
  std::unique_ptr<ConsumerShell> shell_;
  Alarm alarm_;
  std::int64_t last_incarnation_ = 0;
  bool joining_ = false;  // the alarm is for join()
};

}  // namespace juggler::sim
