#include "core/controller.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

// This file: the events and what each sets in motion. How tasks are placed, attempts followed and
// outcomes given is in the files beside it, which controller.h names.

namespace juggler {
namespace {

// A device whose queues are still missing is enrolled anew: the broker may have refused.
constexpr Micros kEnrolAgain = seconds(15);

// Carries what is in flight and what was learned over to the processors of new facts, by processor
// id, but for what a new process has to load again. The lines are empty by then: positions may have
// moved. Where nobody counts what loading takes, all counts as loaded.
std::vector<Lane> lanes_for(const DeviceFacts& facts, const DeviceState& before, bool loading) {
  std::vector<Lane> lanes;
  for (const Processor& processor : facts.processors) {
    Lane lane;
    const std::vector<Processor>& old = before.facts->processors;
    const auto at = std::find_if(old.begin(), old.end(), [&](const Processor& candidate) {
      return candidate.id == processor.id;
    });
    if (at != old.end()) {
      lane = before.lanes[static_cast<std::size_t>(at - old.begin())];
    }
    const bool same_profiles = at != old.end() && at->profiles == processor.profiles;
    if (!same_profiles) {
      lane.learned = std::make_shared<const LaneLearned>(processor.profiles.size());
    }
    lane.costs = std::make_shared<const LaneCosts>(costs_of(facts, processor));
    lane.price.set_scale(*lane.costs);
    if (facts.incarnation != before.facts->incarnation || !same_profiles) {
      auto learned = std::make_shared<LaneLearned>(*lane.learned);
      for (std::size_t p = 0; p < processor.profiles.size(); ++p) {
        learned->profiles[p].loaded =
            !loading || std::binary_search(processor.loaded.begin(), processor.loaded.end(),
                                           processor.profiles[p].variant);
      }
      lane.learned = std::move(learned);
    }
    lanes.push_back(std::move(lane));
  }
  return lanes;
}

bool held_down(const HostSample& host) {
  return host.throttled.value_or(false) || host.under_voltage.value_or(false);
}

// A process that was stopped for so long, or was given no time, sees to what came due meanwhile
// before it goes on: deadlines of tasks and of attempts have passed.
constexpr Micros kStopped = milliseconds(100);

}  // namespace

Controller::Controller(ControllerConfig config, std::unique_ptr<Policy> policy)
    : config_(std::move(config)),
      planner_(std::move(policy)),
      policy_rng_(config_.seed),
      answered_({.outcomes = config_.answered_max, .bytes = config_.answered_bytes_max}),
      decisions_(config_.decisions_max, config_.decision_lanes_max) {
  planner_.limit_power(config_.power_max);
}

void Controller::step(Time now, ControllerEvent event, std::vector<ControllerAction>& actions) {
  JUGGLER_CHECK(now >= now_, "time does not run backwards");
  now_ = now;
  actions_ = &actions;
  if (leading_ && now_ - silence_due_ > config_.own_stall) {
    check_silence();  // before anybody is placed where nobody may be
  }
  if (timers_.next() < now - kStopped) {
    on(Tick{});
  }
  std::visit([this](auto& e) { on(e); }, event);
  actions_ = nullptr;
}

void Controller::on(const LeadBegun& event) {
  if (event.predecessor != 0 && epoch_ != 0 && event.predecessor != epoch_) {
    forget_live_tasks();
  }
  leading_ = true;
  blocked_ = false;
  epoch_ = event.epoch;
  led_since_ = now_;
  tasks_read_.reset();
  timers_.set(now_ + config_.warm_up, {.kind = ControllerTimer::Kind::Replan});
  timers_.set(now_ + config_.adopt_wait, {.kind = ControllerTimer::Kind::Replan});
  timers_.cancel(liveness_timer_);  // of an earlier lead
  liveness_timer_ =
      timers_.set(now_ + config_.liveness_period, {.kind = ControllerTimer::Kind::Liveness});
  timers_.cancel(silence_timer_);
  silence_due_ = now_ + config_.liveness_period;
  silence_timer_ = timers_.set(silence_due_, {.kind = ControllerTimer::Kind::Silence});
  follow_anew();
  // Nobody could be heard without a connection: silence counts from now.
  for (const DeviceState& device : fleet_.devices()) {
    fleet_.heard(device, now_);
  }
  for (const DeviceState& device : fleet_.devices()) {
    unplace_all(device);
  }
  // Results that came meanwhile are read first; what they answer must not run again.
  for (const TaskNumber number : tasks_.in_no_line(tasks_.waiting_size())) {
    TaskRecord& record = *tasks_.find(number);
    if (!record.attempts.empty()) {
      record.dispatch_from = now_ + config_.adopt_wait;
    }
  }
  std::vector<TaskNumber> unsent;
  for (const auto& [number, record] : tasks_.all()) {
    if (record.phase == TaskPhase::Answering && record.publishes_open == 0) {
      unsent.push_back(number);
    }
  }
  for (const TaskNumber number : unsent) {
    send_answer(*tasks_.find(number));
  }
  read_what_came_early();
  replan(tasks_.waiting_size());
}

// Somebody else has led since: what became of these tasks is for the broker to say. It delivers
// again what is still open, with the results and decisions that stand; an outcome that was decided
// here and never sent might contradict the one that was given.
void Controller::forget_live_tasks() {
  std::vector<TaskNumber> numbers;
  for (const auto& [number, record] : tasks_.all()) {
    numbers.push_back(number);
  }
  for (const TaskNumber number : numbers) {
    TaskRecord& record = *tasks_.find(number);
    unplace(record);
    timers_.cancel(record.deadline_timer);
    for (const Attempt& attempt : record.attempts) {
      hold_power(attempt.id);
      leave_lane(attempt.id);
    }
    record.dead_kept = true;  // nothing needs its payload any more
    drop_payload(record);
    tasks_.erase(number);
  }
}

void Controller::on(const LeadEnded& /*event*/) {
  leading_ = false;
  orphans_.clear();
  orphan_shares_.clear();
  early_decided_.clear();
  for (const auto& [number, record] : tasks_.all()) {
    TaskRecord& mutable_record = *tasks_.find(number);
    for (Requester& requester : mutable_record.requesters) {
      requester.delivery.reset();
    }
    mutable_record.results.clear();
  }
}

void Controller::on(const BrokerBlocked& event) {
  blocked_ = event.blocked;
  if (!blocked_) {
    for (const DeviceState& device : fleet_.devices()) {
      fleet_.heard(device, now_);  // their heartbeats were held up too
    }
    follow_anew();
    std::vector<std::string> ids;
    for (const DeviceState& device : fleet_.devices()) {
      ids.push_back(device.facts->id);
    }
    for (const std::string& id : ids) {
      refresh_all(id);
    }
    replan(tasks_.waiting_size());
  }
}

void Controller::on(Submitted& event) { submit(event); }

void Controller::on(const HelloArrived& event) {
  if (fleet_.find(event.facts.id) == nullptr && fleet_.devices().size() >= config_.devices_max) {
    return;  // the shell counts what was announced; a fleet has its bound
  }
  DeviceState& device = fleet_.at_or_insert(event.facts.id);
  unplace_all(device);
  // That it drains is not in the hello: only a new start of the consumer ends it.
  const bool drains =
      device.liveness == Liveness::Draining && device.facts->incarnation == event.facts.incarnation;
  device.lanes = lanes_for(event.facts, device, planner_.objective().loading);
  device.facts = std::make_shared<const DeviceFacts>(event.facts);
  device.last_heard = now_;
  device.pulse.leaving = false;
  device.liveness = liveness_when_heard(device, drains, event.facts.serving);
  device.enrol_asked = now_;
  act(Enrol{event.facts.id});
  keep_power_limit();
  replan(tasks_.waiting_size());
  reconsider_lines();
}

void Controller::on(const HeartbeatArrived& event) {
  const Heartbeat& heartbeat = event.heartbeat;
  const DeviceState* device = fleet_.find(heartbeat.device);
  if (device == nullptr || device->facts->incarnation != heartbeat.incarnation) {
    if (valid_device_id(heartbeat.device) && !heartbeat.leaving) {
      // Its hello may have come before anybody led. Then the queue by which it is asked for another
      // may not be there either.
      if (device == nullptr && leading_) {
        act(Enrol{heartbeat.device});
      }
      act(AskHello{heartbeat.device});
    }
    return;
  }
  feel_pulse(*device, heartbeat);
  fleet_.heard(*device, now_);
  adopt(heartbeat);
  // First of all: what follows may plan anew.
  if (heartbeat.leaving) {
    fleet_.pulse(*device).leaving = true;
    set_liveness(*device, Liveness::Lost);
  } else if (heartbeat.draining) {
    set_liveness(*device, Liveness::Draining);
  } else if (!heartbeat.serving) {
    set_liveness(*device, Liveness::Joining);
    if (now_ - device->enrol_asked >= kEnrolAgain) {
      fleet_.find_to_change(heartbeat.device)->enrol_asked = now_;
      act(Enrol{heartbeat.device});
    }
  }
  if (held_down(heartbeat.host) && !held_down(device->host)) {
    expect_slower(heartbeat.device);
  }
  fleet_.set_host(*device, heartbeat.host);
  if (device->memory_free != heartbeat.host.memory_free) {
    fleet_.find_to_change(heartbeat.device)->memory_free = heartbeat.host.memory_free;
  }
  take_word(heartbeat);
  if (!heartbeat.leaving && !heartbeat.draining && heartbeat.serving) {
    set_liveness(*device, liveness_when_heard(*device, false, true));
  }
  hold_power_of_strangers(heartbeat);
}

// Nothing that is still in the broker belongs to what was kept for it.
void Controller::on(const TasksRead& /*event*/) {
  if (!leading_ || tasks_read_.has_value()) {
    return;
  }
  tasks_read_ = now_;
  for (auto& [key, orphan] : orphans_) {
    wait_for_task(key, orphan);
  }
  for (const auto& [number, record] : tasks_.all()) {
    if (record.phase == TaskPhase::Answering) {
      timers_.set(now_ + config_.orphan_result_max,
                  {.kind = ControllerTimer::Kind::Redelivery, .task = number});
    }
  }
}

void Controller::on(DecidedRead& event) {
  if (!leading_) {
    early_decided_.push_back(std::move(event));
    return;
  }
  // After a reconnect what this controller decided itself is read too; it knows it already.
  if (TaskRecord* record = tasks_.find(event.outcome.key)) {
    if (record->phase != TaskPhase::Answering) {
      take_decided(*record, event.outcome);
    }
  } else if (answered_.find(event.outcome.key) == nullptr) {
    answered_.remember({std::move(event.outcome), std::nullopt});
  }
}

void Controller::on(const PublishSettled& event) {
  const auto at = publishes_.find(event.id);
  if (at == publishes_.end()) {
    return;
  }
  const OpenPublish publish = std::move(at->second);
  publishes_.erase(at);
  settled(publish, event.end);
}

void Controller::on(const Tick& /*event*/) {
  while (const std::optional<ControllerTimer> timer = timers_.pop_due(now_)) {
    run_timer(*timer);
  }
}

void Controller::run_timer(const ControllerTimer& timer) {
  switch (timer.kind) {
    case ControllerTimer::Kind::Deadline: {
      TaskRecord* record = tasks_.find(timer.task);
      if (record != nullptr && record->phase != TaskPhase::Answering) {
        answer(*record, OutcomeKind::Expired,
               record->phase == TaskPhase::Waiting
                   ? "the deadline passed while it waited: " + record->waiting_for
                   : "the deadline passed before its result came");
      }
      return;
    }
    case ControllerTimer::Kind::Attempt:
      attempt_timed_out(timer);
      return;
    case ControllerTimer::Kind::Replan:
      replan(tasks_.waiting_size());
      return;
    case ControllerTimer::Kind::Resend: {
      TaskRecord* record = tasks_.find(timer.task);
      if (record != nullptr && record->resend_due && record->publishes_open == 0 && leading_) {
        send_answer(*record);
      }
      return;
    }
    case ControllerTimer::Kind::Redelivery: {
      TaskRecord* record = tasks_.find(timer.task);
      if (record != nullptr && !record->resend_due && record->publishes_open == 0) {
        all_settled(*record);
      }
      return;
    }
    case ControllerTimer::Kind::Lane:
      lane_due(timer);
      return;
    case ControllerTimer::Kind::Straggler:
      batch_overdue(timer);
      return;
    case ControllerTimer::Kind::Liveness:
      check_liveness();
      return;
    case ControllerTimer::Kind::Probed: {
      const DeviceState* device = fleet_.find(timer.device);
      if (device != nullptr && device->liveness == Liveness::Live && device->breaker.aside()) {
        set_liveness(*device, Liveness::Aside);
      }
      return;
    }
    case ControllerTimer::Kind::Silence:
      check_silence();
      return;
    case ControllerTimer::Kind::PowerHeld:
      power_held(timer);
      return;
    case ControllerTimer::Kind::OrphanResult:
      release_orphan(timer.key);
      return;
  }
}

}  // namespace juggler
