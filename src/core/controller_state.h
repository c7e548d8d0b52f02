#pragma once
// All that a controller's later steps depend on, as a value: copied from one between two steps and
// taken up by a new one of the same configuration and policy, which does from then on what the
// first one does.
//
// Not in it: what only makes decisions faster (indices over the fleet), what follows from the rest,
// and what no step reads (the memory of `explain`, the labels of results).

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/controller_messages.h"
#include "core/fleet.h"
#include "core/hedge_budget.h"
#include "core/link.h"
#include "core/result.h"
#include "core/rng.h"
#include "core/task_table.h"

namespace juggler {

struct ControllerConfig;

struct ControllerStats {
  std::uint64_t submitted = 0;
  std::uint64_t attached = 0;  // the same task again while it lived
  std::uint64_t repeated = 0;  // the same task again after it was answered
  std::uint64_t completed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t expired = 0;
  std::uint64_t failed = 0;
  std::uint64_t dispatched = 0;
  std::uint64_t attempts_failed = 0;
  std::uint64_t attempts_timed_out = 0;
  std::uint64_t hedged = 0;            // tasks tried elsewhere because their device was late
  std::uint64_t hedges_refused = 0;    // and were not, because too many others were
  std::uint64_t loaded_ahead = 0;      // copies of tasks that had a variant loaded
  std::uint64_t results_late = 0;      // for tasks that were answered
  std::uint64_t results_orphaned = 0;  // for tasks that never came
  std::uint64_t results_surplus = 0;   // more of one device than may wait for their tasks
  std::uint64_t results_invented = 0;  // of attempts that their device was not given
  std::uint64_t found_absent = 0;      // devices whose consumer the broker had lost
  std::uint64_t put_aside = 0;         // devices that failed again and again
  std::uint64_t false_alarms = 0;      // devices lost by silence that had been there
};

// What a publish in flight is for.
struct OpenPublish {
  enum class Kind { Dispatch, Outcome, Decided, Dead };
  Kind kind = Kind::Dispatch;
  TaskNumber task = 0;
  std::size_t requester = 0;  // for Outcome: its number
  AttemptId attempt{};        // for Dispatch
};

// An attempt that occupies a processor.
struct OpenAttempt {
  ControllerTimers::Id timer{};
  std::string device;
  std::int64_t batch = 0;
  TaskNumber task = 0;
  Micros patience{};  // how long it may take
  Time deadline{};    // of its task: no device begins it later
  // For what its result says about the way, which is told even where its task has been answered:
  // on a slow way above all, late results are the ones to learn from.
  Time dispatched{};
  LinkDelays delays{};       // on the way to the device, with its own payload
  bool tells_of_way = true;  // not held up by the broker, by loading, nor begun by another leader
};

// A result whose task is not here.
struct Orphan {
  AttemptResult result;
  // Its own, then other attempts' that may stand as well as it.
  std::vector<std::pair<AttemptId, DeliveryId>> deliveries;
  std::pair<std::string, Bytes> counted;  // for which device, and as how much
  Time until = Time::never();
  Bytes size{};  // of its message
};

struct ControllerState {
  // The controller's own, beside its tables.
  struct Whole {
    Time now;
    bool leading = false;
    bool blocked = false;
    std::int64_t epoch = 0;
    Time led_since;
    std::optional<Time> tasks_read;
    PublishId last_publish = 0;
    std::uint64_t last_batch = 0;
    std::uint64_t own_ids = 0;
    Time hopeless_sought;
    ControllerTimers::Id liveness_timer;
    ControllerTimers::Id silence_timer;
    Time silence_due;
    std::uint64_t last_timer = 0;
    TaskNumber last_task = 0;
    ArrivalRate arrivals;
    HedgeBudget hedge_budget;
    Rng policy_rng{0};
    std::vector<std::int64_t> policy_memory;
    ControllerStats stats;
  };
  struct SetTimer {
    ControllerTimers::Id id;
    ControllerTimer timer;
  };
  struct SentPublish {
    PublishId id = 0;
    OpenPublish publish;
  };
  struct RunningAttempt {
    AttemptId id;
    OpenAttempt attempt;
  };

  Whole whole;
  std::vector<DeviceState> devices;  // by id
  std::vector<LiveTask> tasks;       // by number
  std::vector<Answered> answered;    // the oldest first
  std::vector<SetTimer> timers;
  std::vector<SentPublish> publishes;
  std::vector<RunningAttempt> attempts;
  std::vector<Orphan> orphans;
  std::vector<DecidedRead> early_decided;
};

// Works out what follows from the rest, and checks that all of it fits together: a controller that
// takes it up fails no check of its own because of it.
//
// errors  Corrupt: what does not fit
Result<void> complete(ControllerState& state, const ControllerConfig& config);

}  // namespace juggler
