#pragma once
// The safety rules of the controller, checked from outside: it is told every event and action of
// every controller that leads, keeps its own books, and complains. It trusts the controller for
// nothing but the explanation of a placement.

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/controller.h"

namespace juggler::test {

class InvariantChecker {
 public:
  // After each step of the controller that leads (or would like to).
  void stepped(Time now, const ControllerEvent& event, std::span<const ControllerAction> actions,
               const Controller& controller);
  // The controller's process died; what the broker has survives.
  void controller_died();

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
    bool decided_confirmed = false;
    std::set<DeliveryId> unacked;  // of its submissions
    std::map<AttemptId, AttemptResult> results;
  };
  struct DeviceBook {
    DeviceFacts facts;
    Time last_heard;
    bool draining = false;
  };
  struct PublishBook {
    enum class Kind { Dispatch, Outcome, Decided, Dead };
    Kind kind = Kind::Dispatch;
    TaskKey key;
    bool addressed = false;  // an outcome with a reply_to
  };
  struct OpenAttempt {
    Micros patience;
    Time give_up;
  };

  void see(const ControllerEvent& event, const Controller& controller);
  void see_broker(const ControllerEvent& event);
  void see(const ControllerAction& action, const ControllerEvent& event,
           const Controller& controller);
  void check_dispatch(const Dispatch& dispatch, const Controller& controller);
  void check_prediction(const Dispatch& dispatch, const Controller& controller);
  void check_requirements(const Dispatch& dispatch, const Controller& controller);
  void check_outcome(const Outcome& outcome);
  void check_ack(DeliveryId delivery);
  void check_bounds(const Controller& controller);
  void settle(const PublishSettled& event);
  void complain(std::string what);

  Time now_;
  std::map<TaskKey, TaskBook> tasks_;
  std::map<std::string, DeviceBook> devices_;
  std::map<PublishId, PublishBook> publishes_;  // of the living controller
  std::map<DeliveryId, TaskKey> submissions_;
  std::map<DeliveryId, AttemptId> results_;
  std::map<AttemptId, OpenAttempt> attempts_;
  bool broker_there_ = false;  // a controller leads, and the broker takes messages
  std::vector<std::string> complaints_;
};

// Whether two outcomes say the same; only their times may differ, as after a change of leader.
bool same_answer(const Outcome& a, const Outcome& b);

}  // namespace juggler::test
