#pragma once
// The safety rules of the controllers, checked from outside: it is told every event and action of
// each of them, keeps its own books, and complains. It trusts a controller for nothing but its
// predictions. Simulation, property and unit tests share it.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/controller.h"

namespace juggler::sim {

class InvariantChecker {
 public:
  // After each step of a controller. `who` tells several apart. One that still believes in its lead
  // although the broker has ended its connection is fenced: nothing that it does reaches anybody,
  // and until it knows (the event LeadEnded) it must be shown here without its actions.
  void stepped(Time now, const ControllerEvent& event, std::span<const ControllerAction> actions,
               const Controller& controller, std::size_t who = 0);
  // Every controller is watched that gives these devices work: a result of a task that its device
  // was not seen to be given is invented, and must not be used.
  void sees_all_dispatches() { sees_all_dispatches_ = true; }
  // The broker went down with this result before it was on its disk. An outcome that it stands for
  // is no longer one: docs/protocol.md#what-comes-twice-and-what-to-do-about-it.
  void result_lost(const AttemptId& attempt);
  // A controller's process died; what the broker has survives.
  void controller_died(std::size_t who = 0);

  const std::vector<std::string>& complaints() const { return complaints_; }
  std::string report() const;  // all complaints, one a line

  // For liveness, at the end of a run.
  bool answered(const TaskKey& key) const;
  std::vector<TaskKey> unanswered() const;

 private:
  struct TaskBook {
    bool refused = false;  // malformed: it was never a task, its refusals may repeat or differ
    std::optional<Outcome> outcome;
    std::optional<AttemptId> stands;  // the attempt whose result is the outcome
    bool outcome_confirmed = false;
    std::optional<std::size_t> answered_by{};  // the controller whose outcome was confirmed
    bool decided_confirmed = false;
    std::set<std::pair<std::size_t, DeliveryId>> unacked;  // of its submissions, by controller
    bool comes_again = false;  // one was unacked when its connection ended
    std::map<AttemptId, AttemptResult> results;
    std::set<std::string> askers{};  // reply queues
    Bytes size{};                    // of its payload, as it came first
    bool only_copies = false;        // it was answered and acked, and then sent again
  };
  struct DeviceBook {
    DeviceFacts facts;
    Time last_heard;
    bool draining = false;
    bool left = false;  // by its own word
    Micros beat = seconds(1);
  };
  struct PublishBook {
    enum class Kind { Dispatch, Outcome, Decided, Dead };
    Kind kind = Kind::Dispatch;
    TaskKey key;
    std::optional<AttemptId> attempt{};  // of a dispatch
    bool addressed = false;              // an outcome with a reply_to
    bool of_refused = false;             // of what was no task when it was sent
  };
  struct OpenAttempt {
    Micros patience;
    Time give_up;
  };
  // What was sent to a device and may still run there.
  struct PoweredAttempt {
    std::string device;
    std::string processor;
    std::string variant;
    Time until;
  };
  // What concerns one controller: its view of devices, and what its connection numbers.
  struct ControllerBook {
    std::map<std::string, DeviceBook> devices;
    std::map<PublishId, PublishBook> publishes;
    std::map<DeliveryId, TaskKey> submissions;
    std::map<DeliveryId, AttemptId> results;
    std::map<AttemptId, OpenAttempt> attempts;
    std::set<std::pair<Time, AttemptId>> give_up;  // the same by time
    std::map<AttemptId, PoweredAttempt> powered;   // where there is a watt limit

    Time due = Time::never();   // when it wants to be woken
    bool broker_there = false;  // it leads, and the broker takes messages
    Time redelivered_by;        // what an earlier leader had not acked

    void forget(std::map<AttemptId, OpenAttempt>::iterator attempt);
  };

  void allow_for_stall(const ControllerConfig& config);
  void see(const ControllerEvent& event, const Controller& controller);
  void see_broker(const ControllerEvent& event);
  void see(const ControllerAction& action, const ControllerEvent& event,
           const Controller& controller);
  void check_dispatch(const Dispatch& dispatch, const Controller& controller);
  void check_prediction(const Dispatch& dispatch, const Controller& controller);
  void check_requirements(const Dispatch& dispatch, const Controller& controller);
  void check_power(const Dispatch& dispatch, const Controller& controller);
  std::optional<Milliwatts> power_of(const DeviceBook& device);
  bool invented(const TaskKey& task, const std::string& device) const;
  bool of_the_past(TaskBook& book, const Submission& submission) const;
  void check_outcome(const Outcome& outcome);
  void check_record(const Outcome& outcome);
  bool one_of_too_many(const TaskBook& book) const;
  void check_ack(DeliveryId delivery);
  void settle(const PublishSettled& event);
  void complain(std::string what);

  void check_bounds(const Controller& controller);
  void forget_deliveries();
  void go_back(const std::function<bool(std::size_t)>& of);

  std::map<TaskKey, TaskBook> tasks_;
  std::map<std::size_t, ControllerBook> books_;
  bool sees_all_dispatches_ = false;
  std::map<TaskKey, std::set<std::string>> given_;  // then: which devices were given it
  std::optional<std::size_t> leader_;               // who began to lead last
  std::vector<std::string> complaints_;

  // Of the running step.
  Time now_;
  std::size_t who_ = 0;
  ControllerBook* book_ = nullptr;
};

// Whether two outcomes say the same; only their times may differ, as after a change of leader.
bool same_answer(const Outcome& a, const Outcome& b);

}  // namespace juggler::sim
