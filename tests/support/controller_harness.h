#pragma once
// Drives a Controller by events in virtual time, as a test wants it: records what it does, keeps
// devices beating, settles its publishes, and checks the invariants after each step.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/controller.h"
#include "sim/checker.h"
#include "support/builders.h"

namespace juggler::test {

// Where an attempt's own deadline is in question: nobody tries the task elsewhere before it.
inline ControllerConfig without_hedges() {
  ControllerConfig config;
  config.hedges = false;
  return config;
}

class ControllerHarness {
 public:
  explicit ControllerHarness(ControllerConfig config = {}, const std::string& policy = "juggler");
  // Fails the running test if an invariant was broken.
  ~ControllerHarness();
  ControllerHarness(const ControllerHarness&) = delete;
  ControllerHarness& operator=(const ControllerHarness&) = delete;

  // A controller that has led for long enough to call a task infeasible, with these devices, which
  // send heartbeats as time passes.
  ControllerHarness& lead_with(std::vector<DeviceFacts> devices);

  void step(const ControllerEvent& event);
  // Lets time pass; due timers run at their time, devices that beat send heartbeats each second.
  void advance(Micros by);
  // Lets time pass in which nobody runs: no timer, no heartbeat; then one tick.
  void jump(Micros by);

  void begin_lead(std::int64_t epoch, std::int64_t predecessor = 0);
  void end_lead();
  void hello(const DeviceFacts& facts);  // and it beats from now on
  void heartbeat(const std::string& device, Heartbeat extra = {});
  void silence(const std::string& device) { beating_.erase(device); }
  DeliveryId submit(const Submission& submission);
  DeliveryId submit(Submitted event);
  // With a stamp, as where the shell has verified one, unless it is taken away.
  DeliveryId result(AttemptResult result);
  DeliveryId result_without_stamp(AttemptResult result);
  void decided(const Outcome& outcome);
  void settle(PublishId id, PublishEnd end = PublishEnd::Confirmed);
  // Settles every publish that is open, and those that follow from it.
  void confirm_all();
  // From now on the records of outcomes wait for settle() or confirm_all(). Else each is kept at
  // once, and the outcome goes out in the same step.
  void hold_records() { records_held_ = true; }

  // All actions of one kind since the last clear(), in order.
  template <class Action>
  std::vector<Action> all() const {
    std::vector<Action> found;
    for (const ControllerAction& action : actions_) {
      if (const auto* one = std::get_if<Action>(&action)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  std::vector<Dispatch> dispatches() const;
  // The last dispatch; a test that has none fails.
  Dispatch last_dispatch() const;
  std::vector<Outcome> outcomes() const;  // as sent
  Outcome last_outcome() const;
  bool acked(DeliveryId delivery) const;
  bool rejected(DeliveryId delivery) const;
  std::size_t index_of_ack(DeliveryId delivery) const;  // among all actions
  void clear() { actions_.clear(); }

  Controller& controller() { return *controller_; }
  Liveness liveness(const std::string& device) const {
    return controller_->fleet().find(device)->liveness;
  }
  Time now() const { return now_; }
  void expect_complaints() { complaints_expected_ = true; }
  const sim::InvariantChecker& checker() const { return checker_; }

  bool reads_tasks = true;  // each lead begins with nothing left in the broker

 private:
  DeliveryId next_delivery() { return {incarnation_, ++last_tag_}; }
  void beat_all();

  std::unique_ptr<Controller> controller_;
  sim::InvariantChecker checker_;
  Time now_{1'000'000};
  std::uint64_t incarnation_ = 0;
  std::uint64_t last_tag_ = 0;
  std::uint64_t last_payload_ = 0;
  std::map<std::string, std::int64_t> beating_;  // id to incarnation
  Time next_beat_{};
  std::vector<ControllerAction> actions_;
  std::set<PublishId> open_;
  bool records_held_ = false;
  bool complaints_expected_ = false;
};

}  // namespace juggler::test
