#pragma once
// What the controller is told (events) and what it wants done (actions). Everything that a
// decision depends on enters here, so that the same events give the same actions anywhere.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/device.h"
#include "core/handles.h"
#include "core/host_sample.h"
#include "core/shared.h"
#include "core/task.h"
#include "core/units.h"

namespace juggler {

// A variant on one of a device's processors.
struct LaneVariant {
  std::string processor;
  std::string variant;
  std::string reason{};  // for people

  friend bool operator==(const LaneVariant&, const LaneVariant&) = default;
};
// So many are told at most.
inline constexpr std::size_t kLaneVariantsMax = 1024;

// An attempt that a device computes.
struct StartedAttempt {
  AttemptId id;
  std::string stamp{};  // as AttemptResult::stamp

  friend bool operator==(const StartedAttempt&, const StartedAttempt&) = default;
};

// What a device says about every second, and at once when what it can run has changed.
struct Heartbeat {
  std::string device;
  std::int64_t incarnation = 0;
  bool draining = false;  // finishes what it has, takes nothing new
  bool leaving = false;   // its last one
  bool serving = true;    // it consumes its queues: what is sent there arrives
  HostSample host;
  Micros every = seconds(1);            // until the next one
  std::vector<StartedAttempt> running;  // a new leader adopts them
  std::vector<LaneVariant> unloaded;    // that were loaded there, and are not any more
  std::vector<LaneVariant> stopped;     // that failed there: not to be sent there now

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// This controller leads from now on, over a new connection.
struct LeadBegun {
  std::int64_t epoch = 0;
  std::int64_t predecessor = 0;  // the epoch of whoever led last; 0: nobody knows
};
// The connection is gone: every delivery is void.
struct LeadEnded {};
// The broker has stopped taking messages, or takes them again.
struct BrokerBlocked {
  bool blocked = false;
};
struct Submitted {
  Submission submission;
  DeliveryId delivery;
  std::string refusal;   // not empty: why it cannot be a task at all (malformed, not a picture)
  bool id_given = true;  // false: the shell derived the id from the content
};
struct ResultArrived {
  AttemptResult result;
  DeliveryId delivery;
  Bytes size{};  // of the message
};
struct HelloArrived {
  DeviceFacts facts;  // validated
};
struct HeartbeatArrived {
  Heartbeat heartbeat;
};
// An outcome that an earlier leader gave and no result stands for. Only read: the broker keeps it
// for the redelivery window.
struct DecidedRead {
  Outcome outcome;
};
struct PublishSettled {
  PublishId id = 0;
  PublishEnd end = PublishEnd::Unknown;
};
// Time has passed; due timers run.
struct Tick {};
// The answer to AskPresence: whether anybody consumes the device's queue.
struct PresenceTold {
  std::string device;
  bool present = false;
};

// The tasks that lay in the broker when the lead began have all come: a message that was sent
// behind them has.
struct TasksRead {};

using ControllerEvent =
    std::variant<LeadBegun, LeadEnded, BrokerBlocked, Submitted, ResultArrived, HelloArrived,
                 HeartbeatArrived, DecidedRead, PublishSettled, Tick, PresenceTold, TasksRead>;

struct SendDispatch {
  PublishId id = 0;
  Dispatch dispatch;
};
// An outcome to whoever asked. With no (reachable) reply queue it goes to `juggler.unrouted`.
struct SendOutcome {
  PublishId id = 0;
  Shared<Outcome> outcome;
  std::string reply_to;  // empty: to `juggler.unrouted`
  std::string correlation_id;
};
// An outcome that no result stands for, kept in the broker for the next leader.
struct SendDecided {
  PublishId id = 0;
  Shared<Outcome> outcome;
};
// A failed task's payload and causes, for the dead-letter queue.
struct SendDead {
  PublishId id = 0;
  Shared<Outcome> outcome;
  Shared<Submission> submission;  // so that it can be submitted again
};
struct AskHello {
  std::string device;
};
struct Enrol {
  std::string device;
};
struct AckDelivery {
  DeliveryId delivery;
  // Of a result that a task's answer stands on: the broker must not come to forget the task's ack,
  // and remember this one (runtime/task_marks.h).
  bool after_tasks = false;
};
// Settles what is no task: what could not be read lies among the dead letters already. Of a task
// whose outcome the broker takes nowhere that outcome goes there.
struct RejectDelivery {
  DeliveryId delivery;
  std::optional<Shared<Outcome>> stranded{};
};
struct DropPayload {
  std::uint64_t handle = 0;
};
// For the log and the table of recent tasks.
struct TaskAnswered {
  Shared<Outcome> outcome;
};

// Of the broker: does a process of this device consume its queue? One that has died does not.
struct AskPresence {
  std::string device;
};
// Tells a device how often to send heartbeats.
struct SetHeartbeat {
  std::string device;
  Micros every;
};

using ControllerAction =
    std::variant<SendDispatch, SendOutcome, SendDecided, SendDead, AskHello, Enrol, AckDelivery,
                 RejectDelivery, DropPayload, TaskAnswered, AskPresence, SetHeartbeat>;

}  // namespace juggler
