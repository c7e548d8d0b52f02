#pragma once
// The controller as a deterministic state machine: step(now, event) -> actions.
//
// It accepts tasks, places them by its policy, follows their attempts and sees to it that each gets
// exactly one outcome. The broker is its memory: a submission is acknowledged only after its
// outcome was confirmed, so a controller that dies loses nothing, and its successor starts from
// what the broker delivers again. It does no I/O and reads no clock; `src/runtime` runs it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/controller_messages.h"
#include "core/controller_state.h"
#include "core/explain.h"
#include "core/fleet.h"
#include "core/hedge_budget.h"
#include "core/planner.h"
#include "core/rng.h"
#include "core/task_table.h"

namespace juggler {

struct ControllerConfig {
  std::string auto_model = "imagenet";       // what `auto` means
  bool allow_synthetic = false;              // for `auto` and models by name
  std::optional<MilliPercent> min_accuracy;  // defaults for what a task leaves out
  Micros deadline = seconds(10);
  std::optional<Microjoules> max_energy;
  std::optional<Milliwatts> power_max;  // of all boards together, at their inputs (core/power.h)

  Micros deadline_max = seconds(600);  // below the broker's consumer_timeout of 900 s
  int attempts_max = 3;
  std::size_t tasks_max = kTasksMax;
  Bytes tasks_bytes_max = mebibytes(256);
  std::size_t answered_max = 10'000;
  Bytes answered_bytes_max = mebibytes(64);
  std::size_t devices_max = 4096;
  std::size_t replans_max = 8;         // waiting tasks looked at when a processor has finished
  std::size_t reconsidered_max = 256;  // tasks in line looked at when a device has come
  std::size_t decisions_max = 1000;    // kept for `explain`
  std::size_t decision_lanes_max = 100'000;

  bool learns = true;  // corrects profiles by results
  bool hedges = true;  // runs a task elsewhere too when its device is late

  Micros warm_up = milliseconds(2500);         // two heartbeats: before it nothing is infeasible
  Micros adopt_wait = milliseconds(1200);      // one heartbeat: before it redelivered tasks wait
  Micros liveness_period = milliseconds(500);  // between looks at who is gone, and at prices
  // Of a device that sends a heartbeat once a second; of one that beats more often, as much sooner.
  Micros ask_after = milliseconds(1375);  // the broker whether it has a consumer
  Micros suspect_after = seconds(3);
  Micros lost_after = milliseconds(4750);
  Micros beat_min = milliseconds(400);           // between heartbeats of one device
  int beats_per_second_max = 1000;               // of all devices together
  Micros beat_told_again = seconds(5);           // to a device that beats otherwise
  Micros calm_after = seconds(60);               // patience with a false alarm's device wears off
  Micros silence_period_min = milliseconds(50);  // between looks at who is silent
  Micros own_stall = milliseconds(250);          // so late itself, the controller blames nobody
  // A lost device counts as gone: nobody waits for it any more. A board restarts in less.
  Micros gone_after = seconds(60);
  Micros forgotten_after = seconds(600);     // a lost device leaves the listings
  Micros learned_fades_after = seconds(10);  // what nothing confirms goes back to the profile
  Micros attempt_grace = seconds(2);         // beyond twice the prediction, then it counts as lost
  Micros resend_after = milliseconds(500);   // of an outcome that the broker refused
  int resends_max = 20;
  // A result waits for its task to come again: until all that lay in the broker has come, and so
  // long beyond that.
  Micros orphan_result_max = seconds(10);
  Breaker::Rules breaker{};
  std::uint64_t seed = 1;
};

class Controller {
 public:
  Controller(ControllerConfig config, std::unique_ptr<Policy> policy);

  // Takes one event and appends what is to be done, in order.
  void step(Time now, ControllerEvent event, std::vector<ControllerAction>& actions);

  // When step() wants a Tick at the latest.
  Time next_timer() const { return timers_.next(); }

  // What its later steps depend on. Between two steps.
  ControllerState state() const;
  // Goes on from there.
  //
  // requires  no step yet; the configuration and the policy of the controller whose state it was
  // errors    Corrupt: it does not fit together, or is not of this policy
  Result<void> take_up(ControllerState state);

  const ControllerConfig& config() const { return config_; }
  std::string_view policy() const { return planner_.name(); }
  const Fleet& fleet() const { return fleet_; }
  const TaskTable& tasks() const { return tasks_; }
  // Whether this controller gave this attempt to this device; none where it knows no such attempt.
  std::optional<bool> gave(const AttemptId& attempt, const std::string& device) const;
  const AnsweredMemory& answered() const { return answered_; }
  const ControllerStats& stats() const { return stats_; }
  // What all boards take at rest and may take with all that is placed, at their inputs.
  FleetPower power() const { return power_of(LaneTable::states_of(fleet_)); }
  // Why a task went where it went, by its last decision. `submitter`: whose task it must be.
  std::optional<Explanation> explain(
      std::string_view task_id, const std::optional<std::string>& submitter = std::nullopt) const {
    return decisions_.explain(task_id, planner_.lanes(), submitter);
  }
  std::int64_t epoch() const { return epoch_; }
  bool leading() const { return leading_; }

 private:
  using Orphans = std::map<TaskKey, Orphan>;
  struct OrphanShare {
    std::size_t results = 0;
    Bytes bytes;
  };

  // Events, in controller.cc; results in controller_results.cc.
  void on(const LeadBegun& event);
  void on(const LeadEnded& event);
  void on(const BrokerBlocked& event);
  void on(Submitted& event);
  void on(ResultArrived& event);
  void on(const HelloArrived& event);
  void on(const HeartbeatArrived& event);
  void on(DecidedRead& event);
  void on(const PublishSettled& event);
  void on(const Tick& event);
  void on(const PresenceTold& event);
  void on(const TasksRead& event);
  void run_timer(const ControllerTimer& timer);

  void forget_live_tasks();

  // Which task goes where, in controller_placing.cc.
  TaskView view_of(const TaskRecord& record) const;
  Decision think(const TaskRecord& record);
  void keep(const TaskRecord& record, const Decision& decision);
  Decision decide_for(const TaskRecord& record);
  void plan(TaskRecord& record);
  void plan_all(const std::vector<TaskNumber>& numbers);
  void place(TaskRecord& record, const Candidate& candidate);
  void unplace(TaskRecord& record);
  std::vector<TaskNumber> unplace_all(const DeviceState& device);
  void replan(std::size_t tasks_max);
  void reconsider_lines();
  void reconsider(TaskRecord& record);
  // Where a task stood in line, and with whom.
  struct Stood {
    TaskNumber task = 0;
    TaskRecord::Place place;
    OpenBatch batch;
    std::size_t position = 0;
    Member member;
    bool alone = false;  // in its batch
  };
  Stood take_out(TaskRecord& record);
  void put_back(const Stood& stood);
  void infeasible(TaskRecord& record, const std::string& reason);

  // The lines of open batches, in controller_lines.cc; what goes out, in controller_dispatching.cc.
  Micros silence_worth(const Lane& lane, const OpenBatch& batch, Time until) const;
  Time hold_until(const Lane& lane, const OpenBatch& batch, Time until) const;
  Time release_of(const DeviceState& device, const Lane& lane, std::size_t position) const;
  void build_timeline(const DeviceState& device, const Lane& lane);
  std::optional<std::uint64_t> next_batch(const DeviceState& device, const Lane& lane);
  void serve(const std::string& device, std::size_t lane);
  void lane_due(const ControllerTimer& timer);
  void refresh(const std::string& device, const std::string& processor);
  void refresh_all(const std::string& device);
  void make_room(const std::string& device, std::size_t lane, int priority);
  void send_away_late(const std::string& device, std::size_t lane);
  void dispatch(const std::string& device, std::size_t lane, std::uint64_t batch);
  bool has_room(const DeviceState& device, const Lane& lane);
  Time room_from(const DeviceState& device, const Lane& lane, std::int64_t bytes) const;
  Time needed_from(const DeviceState& device, const Lane& lane, std::int64_t bytes) const;
  void wake_at(Time time, const DeviceState& device, std::size_t lane);
  Time begin_batch(DeviceState& device, std::size_t lane, std::int64_t batch, std::uint32_t profile,
                   int tasks, std::int64_t bytes);
  void watch(BatchInFlight& batch, const std::string& device, const std::string& processor,
             Micros grace);
  void send_attempt(TaskRecord& record, DeviceState& device, std::size_t lane,
                    const BatchInFlight& batch, Time predicted);
  std::vector<std::string> ways_out(const TaskRecord& record, const DeviceState& device,
                                    std::size_t lane, const std::string& variant) const;

  // What is asked of processors and loaded ahead, in controller_loading.cc.
  void ask_for(TaskRecord& record, const Decision& decision);
  bool may_be_loaded_by(const TaskRecord& record, const Candidate& candidate) const;
  bool may_load(const Candidate& candidate) const;
  void load_ahead(TaskRecord& record, const Candidate& candidate);

  // Watt limits, in controller_power.cc.
  bool limits_power(const DeviceState& device) const;
  void hold_power(const AttemptId& attempt);
  void hold_power_of_strangers(const Heartbeat& heartbeat);
  void hold_power(const std::string& device, std::size_t lane, PowerHold hold);
  void power_held(const ControllerTimer& timer);
  void keep_power_limit();

  // Attempts and devices, in controller_attempts.cc.
  bool leave_lane(const AttemptId& attempt);
  void end_attempt(TaskRecord& record, Attempt& attempt, const std::string& end,
                   bool device_at_fault);
  void not_loaded(const Attempt& attempt);
  bool may_be_tried(const TaskRecord& record) const;
  void try_again(TaskRecord& record);
  void follow(OpenAttempt& attempt, const AttemptId& id);
  void follow_anew();
  void attempt_timed_out(const ControllerTimer& timer);
  void not_sent(TaskRecord& record, Attempt& attempt);
  void back_off(TaskRecord& record, Micros step);
  void batch_overdue(const ControllerTimer& timer);
  void hedge(TaskRecord& record, const std::string& straggler);
  void learn_way(const AttemptResult& result);
  void learn(const AttemptResult& result, const Attempt* attempt, bool first_of_batch);
  void adopt(const Heartbeat& heartbeat);

  // What a device says of what it can run, in controller_liveness.cc.
  void take_word(const Heartbeat& heartbeat);
  void expect_slower(const std::string& device);

  // Who is there, in controller_liveness.cc.
  Micros beat_wanted() const;
  Liveness liveness_when_heard(const DeviceState& device, bool draining, bool serving) const;
  void blame(const std::string& device, TaskRecord* record);
  void praise(const std::string& device);
  void probe_went_out(const DeviceState& device);
  void feel_pulse(const DeviceState& device, const Heartbeat& heartbeat);
  Time judge_silence(const DeviceState& device);
  void check_silence();
  void check_liveness();
  void set_liveness(const DeviceState& device, Liveness liveness);
  void device_lost(const DeviceState& device, bool blamed);

  // Results, in controller_results.cc.
  void completed(TaskRecord& record, AttemptResult& result, Bytes size);  // takes its labels
  void unreadable(TaskRecord& record, const AttemptResult& result);
  bool another_may_read(const TaskRecord& record, const std::string& device);
  void keep_orphan(const ResultArrived& event);
  bool was_given(const AttemptResult& result) const;
  void disbelieve(const ResultArrived& event);
  bool stands(const AttemptResult& result);
  void release_orphan(const TaskKey& key);
  void wait_for_task(const TaskKey& key, Orphan& orphan);
  Orphan take_orphan(Orphans::iterator at);
  void discount(const Orphan& orphan);
  void recount(Orphan& orphan, const AttemptResult& result);
  bool outlives_its_task(const AttemptResult& result) const;
  void read_what_came_early();

  // Tasks that come, in controller_submitting.cc.
  void submit(Submitted& task);
  std::string refusal_of(const Submission& task, Micros deadline) const;
  void accept(Submitted& task);
  void attach(TaskRecord& record, const Submitted& event);
  void refuse(const Submitted& event, const std::string& reason, bool dead_letter);
  void repeat(const Submitted& event, const Answered& given);

  // Who makes way for whom in a flood, in controller_making_way.cc.
  std::optional<std::vector<TaskNumber>> room_for(const Submission& task);
  void make_way(const std::vector<TaskNumber>& tasks);
  bool placed_by_making_way(TaskRecord& record);
  std::vector<TaskNumber> rivals_in(const Lane& lane, const TaskRecord& record) const;

  // Answering, in controller_answering.cc.
  void answer(TaskRecord& record, OutcomeKind kind, std::string reason);
  void answer(TaskRecord& record, Outcome outcome);
  void send_answer(TaskRecord& record);
  void send_outcomes(TaskRecord& record);
  void send_outcome(TaskRecord& record, std::size_t requester);
  void take_decided(TaskRecord& record, const Outcome& outcome);
  void settled(const OpenPublish& publish, PublishEnd end);
  void dispatch_settled(TaskRecord& record, const AttemptId& id, PublishEnd end);
  void all_settled(TaskRecord& record);
  bool comes_again(const TaskRecord& record) const;
  bool give_way(TaskRecord& record);
  void close(TaskRecord& record);
  void drop_payload(TaskRecord& record);

  PublishId open(OpenPublish publish);
  template <class Action>
  void act(Action action) {
    actions_->emplace_back(std::move(action));
  }

  ControllerConfig config_;
  Planner planner_;
  Rng policy_rng_;
  Fleet fleet_;
  TaskTable tasks_;
  AnsweredMemory answered_;
  DecisionLog decisions_;
  ControllerTimers timers_;
  ControllerStats stats_;

  std::map<PublishId, OpenPublish> publishes_;
  HedgeBudget hedge_budget_;
  std::map<AttemptId, OpenAttempt> open_attempts_;  // until their result or their own deadline
  Orphans orphans_;
  std::map<std::string, OrphanShare> orphan_shares_;  // of these, by device
  std::vector<DecidedRead> early_decided_;  // before the lead; no more than the broker keeps
  ControllerTimers::Id liveness_timer_;
  ControllerTimers::Id silence_timer_;
  Time silence_due_;

  std::vector<TaskNumber> to_plan_;  // of plan_all()
  bool planning_all_ = false;

  bool leading_ = false;
  bool blocked_ = false;
  std::int64_t epoch_ = 0;
  Time led_since_;
  std::optional<Time> tasks_read_;  // in this lead
  PublishId last_publish_ = 0;
  std::uint64_t last_batch_ = 0;
  std::uint64_t own_ids_ = 0;  // given to what came without an id, or malformed under a taken one

  Time hopeless_sought_;

  Timeline timeline_;

  // Of the running step().
  Time now_;
  std::vector<ControllerAction>* actions_ = nullptr;
};

}  // namespace juggler
