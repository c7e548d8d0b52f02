#include "sim/machines.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/preload.h"

namespace juggler::sim {
ControllerMachine::ControllerMachine(Agenda& agenda, Broker& broker,
                                     ControllerMachineOptions options)
    : agenda_(agenda),
      options_(std::move(options)),
      link_(agenda, options_.link, options_.seed),
      transport_(agenda, broker, link_, options_.seed),
      clock_(agenda) {}

void ControllerMachine::begin() {
  JUGGLER_CHECK(!runs(), "one controller on a machine");
  controller_ = std::make_unique<Controller>(options_.config, options_.make_policy());
  ControllerShellOptions shell;
  shell.version = "simulated";
  shell.stamp_key = "simulated";
  shell.observer = options_.observer;
  shell_ = std::make_unique<ControllerShell>(*controller_, transport_, clock_, std::move(shell));
  if (options_.stepping) {
    options_.stepping(*controller_);
  }
  transport_.begin(controller_plan(options_.instance), *this);
}

void ControllerMachine::die(std::size_t lost_frames) {
  transport_.die(lost_frames);
  shell_.reset();
  controller_.reset();
  alarm_.clear();
  thaw();
}

void ControllerMachine::freeze() {
  frozen_ = true;
  transport_.stand_still();
}

void ControllerMachine::thaw() {
  if (!std::exchange(frozen_, false)) {
    return;
  }
  transport_.restore();
  if (runs()) {
    turn();
  }
}

void ControllerMachine::turn() {
  if (frozen_) {
    return;
  }
  shell_->turn(Micros{0});
  transport_.flush();
  alarm_.set(agenda_, controller_->next_timer(), *this);
}

void ControllerMachine::wake(std::uint64_t what) {
  if (alarm_.rings(what) && runs()) {
    turn();
  }
}

DeviceMachine::DeviceMachine(Agenda& agenda, Broker& broker, DeviceMachineOptions options)
    : agenda_(agenda),
      options_(std::move(options)),
      link_(agenda, options_.link, options_.seed),
      transport_(agenda, broker, link_, options_.seed),
      clock_(agenda),
      executor_(agenda, options_.truth, options_.noise, options_.seed, *this, options_.power,
                options_.curves) {}

void DeviceMachine::begin() {
  JUGGLER_CHECK(!runs(), "one consumer on a machine");
  // Seconds, as juggler-consumer takes them; but two starts within one second are told apart, as
  // they are there by the time that a start takes.
  const bool first = last_incarnation_ == 0;
  last_incarnation_ = std::max(last_incarnation_ + 1, clock_.unix_seconds());
  options_.announced.incarnation = last_incarnation_;
  const Micros takes = preload();
  if (first || takes == Micros{0}) {
    join();
    return;
  }
  joining_ = true;
  alarm_.set(agenda_, agenda_.now() + takes, *this);
}

// What it is to have loaded as it joins; returns what that takes.
Micros DeviceMachine::preload() {
  std::vector<std::vector<std::string>> chosen = preload_set(options_.announced);
  Micros takes;
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    Processor& announced = options_.announced.processors[p];
    announced.loaded =
        executor_.preload(p, options_.preloads ? std::move(chosen[p]) : announced.loaded);
    std::sort(announced.loaded.begin(), announced.loaded.end());
    takes += executor_.slowed(load_time(options_.truth.processors[p], announced.loaded));
  }
  return takes;
}

void DeviceMachine::join() {
  joining_ = false;
  const DeviceFacts& facts = options_.announced;
  consumer_ = std::make_unique<Consumer>(options_.config, facts);
  ConsumerShellOptions shell;
  shell.observer = options_.observer;
  if (facts.memory > Bytes{0} || !options_.curves.flat()) {
    shell.sample_host = [this, memory = facts.memory] {
      HostSample sample;
      if (memory > Bytes{0}) {
        sample.memory_free = memory;
      }
      executor_.add_warmth(sample);
      return sample;
    };
  }
  shell_ =
      std::make_unique<ConsumerShell>(*consumer_, transport_, executor_, clock_, std::move(shell));
  transport_.begin(device_plan(facts.id, facts.incarnation, dispatches_max(facts)), *this);
}

void DeviceMachine::end() {
  shell_.reset();
  consumer_.reset();
  executor_.forget();
  alarm_.clear();
  joining_ = false;
}

void DeviceMachine::die(std::size_t lost_frames) {
  transport_.die(lost_frames);
  end();
}

void DeviceMachine::lose_power() {
  transport_.lose_power();
  end();
}

void DeviceMachine::drain() {
  if (runs()) {
    shell_->drain();
    turn();
  }
}

void DeviceMachine::jump(Micros by) {
  clock_.jump(by);
  alarm_.clear();
  if (runs()) {
    turn();
  }
}

void DeviceMachine::turn() {
  shell_->turn(Micros{0});
  transport_.flush();
  if (shell_->left()) {
    die(0);  // all is confirmed; its last heartbeat is on its way
    return;
  }
  const Time due = consumer_->next_timer();
  if (due != Time::never()) {
    alarm_.set(agenda_, due - clock_.ahead(), *this);
  }
}

void DeviceMachine::wake(std::uint64_t what) {
  if (!alarm_.rings(what)) {
    return;
  }
  if (joining_) {
    join();
  } else if (runs()) {
    turn();
  }
}

}  // namespace juggler::sim
