#pragma once
// The live tasks of a controller, by number and by key, the order in which they wait, and the
// memory of those that were answered. It decides nothing.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/handles.h"
#include "core/shared.h"
#include "core/task.h"
#include "core/timers.h"
#include "core/units.h"

namespace juggler {

using TaskNumber = std::uint64_t;

// What a timer of the controller is for.
struct ControllerTimer {
  enum class Kind {
    Deadline,
    Attempt,
    Replan,
    Resend,
    Redelivery,
    Liveness,
    OrphanResult,
    Lane,
    Straggler,
    Silence,
    Probed,
    PowerHeld
  };
  Kind kind = Kind::Liveness;
  TaskNumber task = 0;
  AttemptId attempt{};      // for Attempt
  std::string device{};     // for Lane, Straggler and PowerHeld
  std::string processor{};  // for Lane, Straggler and PowerHeld
  std::int64_t batch = 0;   // for Straggler
  TaskKey key{};            // for OrphanResult
};
using ControllerTimers = Timers<ControllerTimer>;

// Somebody who waits for the outcome: the same task may be submitted more than once.
struct Requester {
  std::optional<DeliveryId> delivery;  // none once its connection is gone
  std::string reply_to;
  std::string correlation_id;
  bool unrouted = false;  // its reply queue takes nothing: its outcome goes where it can be found
  bool answered = false;  // the broker has confirmed its outcome
  // Of those who asked for this task, in their order; by it an outcome under way knows its own. The
  // first has 0, unless another one is told in its place.
  std::size_t number = 0;
};

struct Attempt {
  AttemptId id;
  std::string device;
  std::string processor;
  std::string variant;
  Time dispatched;
  std::int64_t batch = 0;  // as in its dispatch
  bool adopted = false;    // begun by an earlier leader: when, nobody here knows
  bool loads = false;      // the variant had to be loaded first, which counts as network
  bool open = true;
  bool sent = false;       // the broker has taken its dispatch, or the device has said that it runs
  bool came_back = false;  // its dispatch: the device never had it, or did not take it
  bool unreadable = false;  // the device says that the payload cannot be read
  std::string end;          // how it ended, once closed
};

// How many are told of one task, and how many of all tasks beside the first of each. Else one
// submitter's copies of one task would fill the window of deliveries, and nobody else's come in.
// All tasks may be asked for once more: clients that come back do so.
inline constexpr std::size_t kAskersMax = 16;
inline constexpr std::size_t kJoinedMax = kTasksMax;
inline constexpr Bytes kJoinedBytesMax = mebibytes(256);

enum class TaskPhase { Waiting, InFlight, Answering };

struct TaskRecord {
  TaskNumber number = 0;
  Submission submission;
  bool payload_kept = true;
  std::vector<Requester> requesters;
  Time received;
  Time deadline;
  // A redelivered task waits for word of attempts that may still run; one whose dispatches the
  // broker does not confirm, for the broker.
  Time dispatch_from;
  TaskPhase phase = TaskPhase::Waiting;
  std::string waiting_for;  // why it waits, for people

  // Where it stands in line while it waits for one processor.
  struct Place {
    std::string device;
    std::size_t lane = 0;
    std::uint64_t batch = 0;
  };
  std::optional<Place> place;
  bool deadline_stated = true;  // by the task itself
  bool asked = false;           // has asked for its cheapest way (controller_loading.cc)

  std::vector<Attempt> attempts;
  std::vector<std::string> devices_failed;  // sorted
  std::string blamed;  // the device whose failure with it counts against that device; may be empty
  ControllerTimers::Id deadline_timer;

  // While answering.
  std::optional<Shared<Outcome>> outcome;
  std::optional<AttemptId> stands;  // the attempt whose result the outcome is
  Bytes result_bytes;               // of the message with the result that it is
  std::vector<DeliveryId> results;  // that result, acked last
  int publishes_open = 0;
  int resends = 0;
  bool resend_due = false;      // a publish was lost or refused
  bool decided_kept = false;    // the broker has confirmed the decided record
  bool dead_kept = false;       // the broker has confirmed the dead letter
  bool dead_letter = false;     // malformed: a copy of it is a dead letter
  bool record_decided = false;  // no result stands for the outcome
};

// A live task and whether its key means it: that of a malformed message may mean a later one.
struct LiveTask {
  TaskRecord record;
  bool named = true;
};

class TaskTable {
 public:
  // Sets its number. Its key means this task from now on.
  TaskRecord& insert(TaskRecord record);
  TaskRecord* find(TaskNumber number);
  const TaskRecord* find(TaskNumber number) const;
  TaskRecord* find(const TaskKey& key);
  const TaskRecord* find(const TaskKey& key) const;
  void erase(TaskNumber number);
  // Its bytes are no longer kept, and it no longer counts as held.
  void drop_payload(TaskRecord& record);
  // Tasks that are not answered yet.
  std::size_t held() const { return held_; }
  // An outcome of this task was lost or refused, now so many times since it was last redirected.
  void resend(TaskRecord& record, int times);
  // How many tasks of this one's submitter have an outcome that was lost or refused.
  std::size_t resending_beside(const TaskRecord& record) const;
  // Somebody asks for a task that is here already.
  void join(TaskRecord& record, Requester requester);
  // The same where there is no room for one more: told in the place of who joined it first, or else
  // of the first of all, whose delivery stays that of the task. Returns the delivery that is no
  // longer needed: the newcomer's own where it may not stay.
  std::optional<DeliveryId> join_instead(TaskRecord& record, Requester requester, bool may_stay);
  // Those who asked for tasks that were here already, and what their messages have, which the
  // broker keeps until the tasks are answered.
  std::size_t joined() const { return joined_; }
  Bytes joined_bytes() const { return joined_bytes_; }
  // Tasks that would make way for one of a submitter that would still have less with it: the least
  // urgent that nobody works at, of whoever has most here, as many as free one place, or so many
  // bytes. None where the submitter has its share, or they would not free enough.
  std::vector<TaskNumber> to_make_way(const Submission& task) const;
  std::vector<TaskNumber> to_make_way(const Submission& task, Bytes lacking) const;

  // The least urgent that nobody works at, of whoever has most of such.
  std::optional<TaskNumber> last_in_room() const;

  // Whether another submitter has more here than the one of this task, which is here.
  bool somebody_has_more(const TaskRecord& record) const;

  // A task waits, first in no processor's line; or waits no longer.
  void wait(const TaskRecord& record);
  void leave(const TaskRecord& record);
  // A task gets its place in a line, or loses it; one that only waits then waits in none.
  void enter_line(TaskRecord& record, TaskRecord::Place place);
  TaskRecord::Place leave_line(TaskRecord& record);
  // The first `max` tasks that wait in no line, by priority, deadline, number.
  std::vector<TaskNumber> in_no_line(std::size_t max) const;
  // Those of these tasks that there are, in the same order.
  std::vector<TaskNumber> most_urgent_first(const std::vector<TaskNumber>& numbers) const;

  const std::map<TaskNumber, TaskRecord>& all() const { return records_; }
  std::size_t size() const { return records_.size(); }
  std::size_t waiting_size() const { return in_no_line_.size() + in_line_; }
  std::size_t in_no_line_size() const { return in_no_line_.size(); }
  Bytes payload_bytes() const { return payload_bytes_; }

  std::vector<LiveTask> live() const;
  TaskNumber last() const { return last_; }
  // Replaces all. `last`: the highest number that was ever given.
  //
  // requires  every number once, and one of each key that means it
  void take_up(std::vector<LiveTask> tasks, TaskNumber last);

 private:
  struct Rank {
    int urgency = 0;  // minus the priority
    Time deadline;
    TaskNumber number = 0;

    friend auto operator<=>(const Rank&, const Rank&) = default;
  };
  static Rank rank_of(const TaskRecord& record);
  void count(const TaskRecord& record);
  struct Share {
    std::size_t tasks = 0;
    Bytes payloads;
    std::size_t resending = 0;  // answered ones
  };
  using Shares = std::map<std::string, Share, std::less<>>;
  void drop_if_empty(Shares::iterator share);
  // Of one sharer, those that may make way, the least urgent first.
  std::vector<const TaskRecord*> waiting_of(std::string_view sharer) const;

  std::map<TaskNumber, TaskRecord> records_;
  std::map<TaskKey, TaskNumber> by_key_;
  std::set<Rank> in_no_line_;
  std::size_t in_line_ = 0;
  Bytes payload_bytes_;
  std::size_t held_ = 0;
  std::size_t joined_ = 0;
  Bytes joined_bytes_;
  Shares shares_;  // by who they count for
  TaskNumber last_ = 0;
};

// How a task ended, for whatever of it still comes.
struct Answered {
  Shared<Outcome> outcome;
  std::optional<AttemptId> stands;  // the attempt whose result the outcome is
  // The lead in which all its submissions were acked: what comes after them over that connection
  // cannot be overtaken by one of them. Of an earlier lead's acks nobody knows whether they
  // arrived.
  std::int64_t acked_in = 0;
  Bytes result_bytes{};  // as in its record
};

// Outcomes given, so that a task that comes again is never run again. Bounded; the oldest go first.
class AnsweredMemory {
 public:
  struct Bounds {
    std::size_t outcomes = 0;
    Bytes bytes;
  };
  explicit AnsweredMemory(Bounds max) : max_(max) {}
  // Moved, never copied: the order points into the outcomes.
  AnsweredMemory(AnsweredMemory&&) = default;
  AnsweredMemory& operator=(AnsweredMemory&&) = default;

  void remember(Answered answered);
  const Answered* find(const TaskKey& key) const;
  // The last `max` outcomes, newest first.
  std::vector<const Outcome*> recent(std::size_t max) const;
  // In the order in which they came.
  std::vector<Answered> all() const;
  Bytes bytes() const { return bytes_; }

 private:
  Bounds max_;
  Bytes bytes_;
  using Outcomes = std::map<TaskKey, Answered>;
  Outcomes outcomes_;
  std::deque<Outcomes::iterator> order_;  // oldest first
};

}  // namespace juggler
