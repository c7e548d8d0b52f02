#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: what becomes of attempts, and what is learned of devices from them and from silence.

namespace juggler {
namespace {

constexpr Micros kLivenessPeriod = milliseconds(500);

// What the profile says a batch of this size takes: on the line between the two measured sizes
// beside it, and in proportion beyond the largest.
Micros predicted_mean(const Profile& profile, int batch) {
  const ProfilePoint* below = &profile.points.front();
  for (const ProfilePoint& point : profile.points) {
    if (point.batch >= batch && point.batch > below->batch) {
      const Micros rise = point.latency_mean - below->latency_mean;
      return below->latency_mean + rise * (batch - below->batch) / (point.batch - below->batch);
    }
    below = &point;
  }
  return batch > below->batch ? below->latency_mean * batch / below->batch : below->latency_mean;
}

}  // namespace

// Takes an attempt out of its processor's queue, whatever became of it.
void Controller::leave_lane(const AttemptId& attempt, const std::string& device_id) {
  const auto timer = attempt_timers_.find(attempt);
  if (timer != attempt_timers_.end()) {
    timers_.cancel(timer->second);
    attempt_timers_.erase(timer);
  }
  DeviceState* device = fleet_.find(device_id);
  if (device == nullptr) {
    return;
  }
  for (Lane& lane : device->lanes) {
    const auto at = std::find_if(lane.in_flight.begin(), lane.in_flight.end(),
                                 [&](const InFlight& entry) { return entry.attempt == attempt; });
    if (at != lane.in_flight.end()) {
      lane.in_flight.erase(at);
      lane.head_since = now_;
      return;
    }
  }
}

void Controller::end_attempt(TaskRecord& record, Attempt& attempt, std::string end,
                             bool device_at_fault) {
  attempt.open = false;
  attempt.end = std::move(end);
  stats_.attempts_failed += 1;
  leave_lane(attempt.id, attempt.device);
  if (device_at_fault) {
    const auto at = std::lower_bound(record.devices_failed.begin(), record.devices_failed.end(),
                                     attempt.device);
    if (at == record.devices_failed.end() || *at != attempt.device) {
      record.devices_failed.insert(at, attempt.device);
    }
  }
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
  if (static_cast<int>(record.attempts.size()) >= config_.attempts_max) {
    const Attempt& last = record.attempts.back();
    answer(record, OutcomeKind::Failed,
           fmt::format("{} attempts failed, the last on {}/{} with {}: {}", record.attempts.size(),
                       last.device, last.processor, last.variant, last.end));
    return;
  }
  record.phase = TaskPhase::Waiting;
  tasks_.wait(record);
  plan(record);
}

// Gives an attempt its time from now on.
void Controller::follow(ControllerTimer timer) {
  const AttemptId attempt = timer.attempt;
  const Time until = now_ + timer.patience;
  attempt_timers_[attempt] = timers_.set(until, std::move(timer));
}

// The broker is back. No dispatch could arrive and no result come while it was away, so that every
// attempt has its whole time once more: an outage must not be blamed on devices.
void Controller::follow_anew() {
  for (auto& [id, timer] : attempt_timers_) {
    std::optional<ControllerTimer> body = timers_.take(timer);
    JUGGLER_CHECK(body.has_value(), "a followed attempt has its timer");
    if (TaskRecord* record = tasks_.find(body->task)) {
      for (Attempt& attempt : record->attempts) {
        attempt.held_up = attempt.held_up || attempt.id == id;
      }
    }
    const Time until = now_ + body->patience;
    timer = timers_.set(until, std::move(*body));
  }
}

void Controller::attempt_timed_out(const ControllerTimer& timer) {
  if (!leading_ || blocked_) {
    follow(timer);  // it begins anew once the broker is back
    return;
  }
  leave_lane(timer.attempt, timer.device);
  TaskRecord* record = tasks_.find(timer.task);
  if (record == nullptr || record->phase == TaskPhase::Answering) {
    return;
  }
  for (Attempt& attempt : record->attempts) {
    if (attempt.id == timer.attempt && attempt.open) {
      stats_.attempts_timed_out += 1;
      end_attempt(*record, attempt, "no result in twice the predicted time", true);
      try_again(*record);
      return;
    }
  }
}

// A result whose task is not here: it may be about to come again from the broker.
void Controller::keep_orphan(const ResultArrived& event) {
  const TaskKey& key = event.result.attempt.task;
  const Time until = now_ + config_.orphan_result_max;
  Orphan spare{event.result, event.delivery, until};
  const auto [at, added] = orphans_.try_emplace(key, spare);
  if (!added) {
    // One is enough, one that succeeded if there is any.
    if (at->second.result.status != AttemptStatus::Ok && event.result.status == AttemptStatus::Ok) {
      std::swap(at->second, spare);
    }
    act(AckDelivery{spare.delivery});
    at->second.until = until;
  }
  ControllerTimer patience;
  patience.kind = ControllerTimer::Kind::OrphanResult;
  patience.key = key;
  timers_.set(until, std::move(patience));
}

void Controller::learn(const AttemptResult& result, const Attempt& attempt) {
  DeviceState* device = fleet_.find(result.device);
  if (device == nullptr || result.status != AttemptStatus::Ok) {
    return;
  }
  device->learned = now_;
  if (!attempt.adopted && !attempt.held_up) {
    const Micros network = now_ - attempt.dispatched - result.queued - result.compute;
    device->network_us.add(std::max<std::int64_t>(network.count, 0));
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
    device->lanes[l].completed += 1;
    device->lanes[l].correct(static_cast<std::size_t>(at - processor.profiles.begin()),
                             predicted_mean(*at, result.batch_size), result.compute);
  }
}

void Controller::completed(TaskRecord& record, const AttemptResult& result) {
  Time dispatched = now_;
  record.stands = result.attempt;
  for (Attempt& attempt : record.attempts) {
    if (attempt.id == result.attempt) {
      attempt.open = false;
      attempt.end = "ok";
      dispatched = attempt.dispatched;
    }
  }
  Outcome outcome;
  outcome.kind = OutcomeKind::Completed;
  outcome.labels = result.labels;
  outcome.device = result.device;
  outcome.processor = result.processor;
  outcome.variant = result.variant;
  outcome.energy = result.energy;
  if (const DeviceState* device = fleet_.find(result.device)) {
    outcome.twin = device->facts->twin;
    if (const Variant* variant = device->facts->find_variant(result.variant)) {
      outcome.accuracy = variant->accuracy;
      outcome.accuracy_evidence = variant->accuracy_evidence;
      outcome.weights = variant->weights;
    }
    for (const Processor& processor : device->facts->processors) {
      if (processor.id == result.processor) {
        outcome.runtime = processor.runtime;
      }
    }
  }
  outcome.waiting = dispatched - record.received;
  outcome.queued = result.queued;
  outcome.compute = result.compute;
  outcome.network = std::max(Micros{0}, now_ - dispatched - result.queued - result.compute);
  answer(record, std::move(outcome));
}

// A new leader does not repeat what a device says it is running.
void Controller::adopt(const Heartbeat& heartbeat) {
  for (const AttemptId& id : heartbeat.running) {
    TaskRecord* record = tasks_.find(id.task);
    if (record == nullptr || record->phase != TaskPhase::Waiting || !record->attempts.empty()) {
      continue;
    }
    unreserve(*record);
    tasks_.leave(*record);
    record->phase = TaskPhase::InFlight;
    record->attempts.push_back({.id = id,
                                .device = heartbeat.device,
                                .processor = {},
                                .variant = {},
                                .dispatched = now_,
                                .adopted = true,
                                .end = {}});
    follow({.kind = ControllerTimer::Kind::Attempt,
            .task = record->number,
            .attempt = id,
            .device = heartbeat.device,
            .patience = config_.attempt_grace * 2});
  }
}

void Controller::set_liveness(DeviceState& device, Liveness liveness) {
  if (device.liveness == liveness) {
    return;
  }
  const bool was_lost = device.liveness == Liveness::Lost;
  device.liveness = liveness;
  if (liveness == Liveness::Lost || (liveness == Liveness::Gone && !was_lost)) {
    device_lost(std::string(device.facts->id));
  } else if (liveness == Liveness::Live) {
    replan(tasks_.waiting_size());
  }
}

void Controller::check_liveness() {
  if (!leading_) {
    return;  // the next lead sets the timer again
  }
  liveness_timer_ = timers_.set(now_ + kLivenessPeriod, {.kind = ControllerTimer::Kind::Liveness});
  if (blocked_) {
    return;  // heartbeats are held up too: nobody is lost while the broker takes no messages
  }
  std::vector<std::string> forgotten;
  bool given_up = false;
  for (DeviceState& device : fleet_.devices) {
    if (now_ - device.learned >= config_.learned_fades_after) {
      device.fade();
    }
    const Micros silent = now_ - device.last_heard;
    if (silent >= config_.forgotten_after) {
      forgotten.push_back(device.facts->id);
    } else if (silent >= config_.gone_after) {
      given_up = given_up || device.liveness != Liveness::Gone;
      set_liveness(device, Liveness::Gone);
    } else if (silent >= config_.lost_after) {
      set_liveness(device, Liveness::Lost);
    } else if (silent >= config_.suspect_after && device.liveness == Liveness::Live) {
      set_liveness(device, Liveness::Suspect);
    }
  }
  for (const std::string& id : forgotten) {
    fleet_.devices.erase(
        std::find_if(fleet_.devices.begin(), fleet_.devices.end(),
                     [&](const DeviceState& device) { return device.facts->id == id; }));
  }
  if (given_up) {
    replan_all();  // who waits for that device alone is told so
  } else {
    replan(tasks_.waiting_size());
  }
}

void Controller::device_lost(const std::string& id) {
  std::vector<TaskNumber> affected;
  for (const auto& [number, record] : tasks_.all()) {
    const bool there =
        std::any_of(record.attempts.begin(), record.attempts.end(),
                    [&](const Attempt& attempt) { return attempt.open && attempt.device == id; });
    if (there || record.reserved_device == id) {
      affected.push_back(number);
    }
  }
  for (const TaskNumber number : affected) {
    TaskRecord& record = *tasks_.find(number);
    if (record.phase == TaskPhase::Waiting) {
      plan(record);
      continue;
    }
    for (Attempt& attempt : record.attempts) {
      if (attempt.open && attempt.device == id) {
        end_attempt(record, attempt, "the device was lost", true);
      }
    }
    try_again(record);
  }
}

}  // namespace juggler
