#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "core/check.h"
#include "core/controller.h"
#include "core/profile_point.h"
#include "core/text.h"

// This file: what becomes of attempts, and what is learned of devices from them and from silence.

namespace juggler {
namespace {

// A task's dispatches are at most so many times its attempts: some come back undelivered.
constexpr std::size_t kDispatchesPerAttempt = 8;

}  // namespace

// Takes an attempt out of its processor's queue, whatever became of it. Returns whether it is the
// first of its batch to leave: one result speaks for the time of all.
bool Controller::leave_lane(const AttemptId& id) {
  const auto at = open_attempts_.find(id);
  if (at == open_attempts_.end()) {
    return false;
  }
  const OpenAttempt attempt = std::move(at->second);
  open_attempts_.erase(at);
  timers_.cancel(attempt.timer);
  DeviceState* device = fleet_.find_to_change(attempt.device);
  if (device == nullptr) {
    return false;
  }
  for (Lane& lane : device->lanes) {
    const auto batch =
        std::find_if(lane.in_flight.begin(), lane.in_flight.end(),
                     [&](const BatchInFlight& entry) { return entry.batch == attempt.batch; });
    if (batch == lane.in_flight.end()) {
      continue;
    }
    const bool first = !batch->any_left;
    batch->any_left = true;
    batch->open -= 1;
    if (batch->open == 0) {
      const bool head = batch == lane.in_flight.begin();
      lane.in_flight.erase(batch);
      if (head) {
        // Its successor has begun then, if it was there.
        lane.head_since = now_ - device->network() / 2;
        if (!lane.in_flight.empty()) {
          lane.head_since = std::max(lane.head_since, lane.in_flight.front().there);
        }
      }
    }
    return first;
  }
  return false;
}

void Controller::end_attempt(TaskRecord& record, Attempt& attempt, const std::string& end,
                             bool device_at_fault) {
  attempt.open = false;
  attempt.end = shortened(end, kAttemptEndMax);
  stats_.attempts_failed += 1;
  leave_lane(attempt.id);
  if (attempt.loads) {
    not_loaded(attempt);
  }
  if (device_at_fault) {
    const auto at = std::lower_bound(record.devices_failed.begin(), record.devices_failed.end(),
                                     attempt.device);
    if (at == record.devices_failed.end() || *at != attempt.device) {
      record.devices_failed.insert(at, attempt.device);
    }
  }
}

// An attempt that was to load its variant has failed: the next one there may have to load it.
void Controller::not_loaded(const Attempt& attempt) {
  DeviceState* device = fleet_.find_to_change(attempt.device);
  for (std::size_t l = 0; device != nullptr && l < device->lanes.size(); ++l) {
    const Processor& processor = device->facts->processors[l];
    for (std::size_t p = 0; p < processor.profiles.size(); ++p) {
      if (processor.id == attempt.processor && processor.profiles[p].variant == attempt.variant) {
        Lane& lane = device->lanes[l];
        auto learned = std::make_shared<LaneLearned>(*lane.learned);
        learned->profiles[p].loaded = false;
        lane.learned = std::move(learned);
      }
    }
  }
}

// What no device ever had, or took, was no attempt.
bool Controller::may_be_tried(const TaskRecord& record) const {
  const auto tried = std::count_if(record.attempts.begin(), record.attempts.end(),
                                   [](const Attempt& attempt) { return !attempt.came_back; });
  return tried < config_.attempts_max &&
         record.attempts.size() <
             static_cast<std::size_t>(config_.attempts_max) * kDispatchesPerAttempt;
}

// After a failed attempt: another one, unless one still runs or there were enough.
void Controller::try_again(TaskRecord& record) {
  if (record.phase != TaskPhase::InFlight) {
    return;
  }
  const bool one_runs = std::any_of(record.attempts.begin(), record.attempts.end(),
                                    [](const Attempt& attempt) { return attempt.open; });
  if (one_runs) {
    return;
  }
  if (!may_be_tried(record)) {
    const Attempt& last = record.attempts.back();
    answer(record, OutcomeKind::Failed,
           fmt::format("{} attempts failed, the last on {}/{} with {}: {}", record.attempts.size(),
                       last.device, last.processor, last.variant, last.end));
    return;
  }
  record.phase = TaskPhase::Waiting;
  if (record.place.has_value()) {
    return;  // it stands in another line already, as a hedge
  }
  tasks_.wait(record);
  plan(record);
}

// Gives an attempt its time from now on.
void Controller::follow(OpenAttempt& attempt, const AttemptId& id) {
  timers_.cancel(attempt.timer);
  ControllerTimer timer;
  timer.kind = ControllerTimer::Kind::Attempt;
  timer.task = attempt.task;
  timer.attempt = id;
  attempt.timer = timers_.set(now_ + attempt.patience, std::move(timer));
}

// The broker is back. No dispatch could arrive and no result come while it was away, so that every
// attempt has its whole time once more: an outage must not be blamed on devices.
void Controller::follow_anew() {
  for (auto& [id, open] : open_attempts_) {
    open.tells_of_way = false;
    follow(open, id);
  }
  for (std::size_t d = 0; d < fleet_.devices().size(); ++d) {
    DeviceState& device = fleet_.change(d);
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      device.lanes[l].head_since = now_;
      for (BatchInFlight& batch : device.lanes[l].in_flight) {
        // The devices have to find the broker again, too.
        watch(batch, device.facts->id, device.facts->processors[l].id, config_.attempt_grace);
      }
    }
  }
}

void Controller::attempt_timed_out(const ControllerTimer& timer) {
  const auto open = open_attempts_.find(timer.attempt);
  if (open == open_attempts_.end()) {
    return;
  }
  if (!leading_ || blocked_) {
    follow(open->second, timer.attempt);  // it begins anew once the broker is back
    return;
  }
  const std::string device = open->second.device;
  hold_power(timer.attempt);
  leave_lane(timer.attempt);
  refresh_all(device);  // others first: this one may fail again
  TaskRecord* record = tasks_.find(timer.task);
  if (record == nullptr || record->phase == TaskPhase::Answering) {
    return;
  }
  for (Attempt& attempt : record->attempts) {
    if (attempt.id == timer.attempt && attempt.open) {
      stats_.attempts_timed_out += 1;
      if (attempt.sent) {
        blame(device, record);
        end_attempt(*record, attempt, "no result in twice the predicted time", true);
      } else {
        not_sent(*record, attempt);
      }
      try_again(*record);
      return;
    }
  }
}

// The broker has not confirmed the dispatch: its queue hangs, as in a cluster one of whose nodes
// does. The device is not to blame, and yet nothing reaches it. Where all queues hang, each try is
// one more message for when they go on: the next ones come later and later.
void Controller::not_sent(TaskRecord& record, Attempt& attempt) {
  blame(attempt.device, nullptr);
  attempt.came_back = true;
  end_attempt(record, attempt, "the broker did not confirm its dispatch", true);
  back_off(record, config_.attempt_grace);
}

// After dispatches that no device ever had, or took: the second and each further one waits for
// longer.
void Controller::back_off(TaskRecord& record, Micros step) {
  const auto came_back = std::count_if(record.attempts.begin(), record.attempts.end(),
                                       [](const Attempt& attempt) { return attempt.came_back; });
  if (came_back > 1) {
    record.dispatch_from = now_ + step * (came_back - 1);
    timers_.set(record.dispatch_from, {.kind = ControllerTimer::Kind::Replan});
  }
}

// A batch has not come back when it should have: whoever waits behind it looks elsewhere, and its
// own tasks are tried elsewhere too where that can still be in time. The first result counts.
void Controller::batch_overdue(const ControllerTimer& timer) {
  const DeviceState* device = fleet_.find(timer.device);
  if (device == nullptr || !leading_ || blocked_) {
    return;  // no result can come: follow_anew() watches it from when one can
  }
  for (std::size_t l = 0; l < device->lanes.size(); ++l) {
    const std::deque<BatchInFlight>& in_flight = device->lanes[l].in_flight;
    const bool there = std::any_of(in_flight.begin(), in_flight.end(), [&](const BatchInFlight& b) {
      return b.batch == timer.batch && b.overdue <= now_;
    });
    if (!there || device->facts->processors[l].id != timer.processor) {
      continue;
    }
    std::vector<TaskNumber> late;
    for (const auto& [id, open] : open_attempts_) {
      if (open.batch == timer.batch && open.device == timer.device) {
        late.push_back(open.task);
      }
    }
    // The budget for them may be small.
    std::stable_sort(late.begin(), late.end(), [&](TaskNumber a, TaskNumber b) {
      const TaskRecord* first = tasks_.find(a);
      const TaskRecord* second = tasks_.find(b);
      return first != nullptr && second != nullptr && first->deadline < second->deadline;
    });
    send_away_late(timer.device, l);
    for (const TaskNumber number : late) {
      TaskRecord* record = tasks_.find(number);
      if (record != nullptr && record->phase == TaskPhase::InFlight) {
        hedge(*record, timer.device);
      }
    }
    return;
  }
}

void Controller::hedge(TaskRecord& record, const std::string& straggler) {
  const auto runs = std::count_if(record.attempts.begin(), record.attempts.end(),
                                  [](const Attempt& attempt) { return attempt.open; });
  if (runs != 1 || record.place.has_value() || !may_be_tried(record)) {
    return;
  }
  if (!hedge_budget_.may_hedge()) {
    stats_.hedges_refused += 1;
    return;
  }
  std::vector<std::string> avoided = record.devices_failed;
  avoided.push_back(straggler);
  TaskView view = view_of(record);
  view.devices_failed = &avoided;
  const Decision decision = planner_.plan(fleet_, view, now_, policy_rng_);
  if (const auto* chosen = std::get_if<Place>(&decision)) {
    stats_.hedged += 1;
    hedge_budget_.hedged();
    decisions_.record(planner_, view, record.submission.key, record.received, now_, decision);
    place(record, chosen->candidate);
  }
}

// How long the way took, of the result of an open attempt.
void Controller::learn_way(const AttemptResult& result) {
  const auto open = open_attempts_.find(result.attempt);
  if (open == open_attempts_.end() || !open->second.tells_of_way || !config_.learns ||
      result.status != AttemptStatus::Ok) {
    return;
  }
  if (DeviceState* device = fleet_.find_to_change(open->second.device)) {
    const Micros took = now_ - open->second.dispatched - result.queued - result.compute;
    device->link.add(took, open->second.delays, now_);
  }
}

// `attempt`: that of the result, where its task still waits for it; else null.
void Controller::learn(const AttemptResult& result, const Attempt* attempt, bool first_of_batch) {
  DeviceState* device = fleet_.find_to_change(result.device);
  if (device == nullptr || result.status != AttemptStatus::Ok || !config_.learns) {
    return;
  }
  for (std::size_t l = 0; l < device->lanes.size(); ++l) {
    const Processor& processor = device->facts->processors[l];
    if (processor.id != result.processor) {
      continue;
    }
    const auto at = std::find_if(processor.profiles.begin(), processor.profiles.end(),
                                 [&](const Profile& p) { return p.variant == result.variant; });
    if (at == processor.profiles.end()) {
      return;
    }
    Lane& lane = device->lanes[l];
    lane.completed += attempt != nullptr ? 1 : 0;
    if (first_of_batch) {
      auto learned = std::make_shared<LaneLearned>(*lane.learned);
      learned->add_time(static_cast<std::size_t>(at - processor.profiles.begin()),
                        point_at(*at, result.batch_size).latency_mean,
                        result.compute - result.slowed, now_);
      lane.learned = std::move(learned);
    }
    return;
  }
}

// A new leader does not repeat what a device says it is running, and bears an earlier leader's
// stamp. Without one, anybody's task could be held up by who guesses its id.
void Controller::adopt(const Heartbeat& heartbeat) {
  for (const auto& [id, stamp] : heartbeat.running) {
    TaskRecord* record = tasks_.find(id.task);
    if (record == nullptr) {
      continue;
    }
    for (Attempt& attempt : record->attempts) {
      attempt.sent = attempt.sent || (attempt.id == id && attempt.device == heartbeat.device);
    }
    if (stamp.empty() || record->phase != TaskPhase::Waiting || !record->attempts.empty()) {
      continue;
    }
    unplace(*record);
    tasks_.leave(*record);
    record->phase = TaskPhase::InFlight;
    record->attempts.push_back({.id = id,
                                .device = heartbeat.device,
                                .processor = {},
                                .variant = {},
                                .dispatched = now_,
                                .adopted = true,
                                .sent = true,
                                .end = {}});
    OpenAttempt& open = open_attempts_[id];
    open = {.device = heartbeat.device,
            .task = record->number,
            .patience = config_.attempt_grace * 2,
            .deadline = record->deadline,
            .tells_of_way = false};
    follow(open, id);
  }
}

}  // namespace juggler
