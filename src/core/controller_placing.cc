#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: which task goes where, and which wait.

namespace juggler {

TaskView Controller::view_of(const TaskRecord& record) const {
  const Requirements& wanted = record.submission.requirements;
  return {.number = record.number,
          .requirements = &wanted,
          .model = wanted.model == "auto" ? std::string_view(config_.auto_model) : wanted.model,
          .allow_synthetic = wanted.allow_synthetic || config_.allow_synthetic,
          .payload = record.submission.payload.kind,
          .priority = wanted.priority,
          .deadline = record.deadline,
          .devices_failed = &record.devices_failed};
}

Decision Controller::decide_for(TaskRecord& record) {
  TaskView view = view_of(record);
  Decision decision = policy_->plan(fleet_, view, now_, policy_rng_);
  if (std::holds_alternative<Infeasible>(decision) && !record.devices_failed.empty()) {
    // Better the same device again than none.
    view.devices_failed = nullptr;
    decision = policy_->plan(fleet_, view, now_, policy_rng_);
  }
  decisions_.record(fleet_, view, record.submission.key, record.received, now_, policy_->name(),
                    decision);
  return decision;
}

// Decides for a waiting task that stands in the line.
void Controller::plan(TaskRecord& record) {
  if (!leading_ || blocked_) {
    record.waiting_for = leading_ ? "the broker takes no messages" : "no connection to the broker";
    return;
  }
  if (now_ < record.dispatch_from) {
    record.waiting_for = "word of an attempt that an earlier controller began";
    return;
  }
  unreserve(record);
  const Decision decision = decide_for(record);
  if (const auto* place = std::get_if<Place>(&decision)) {
    dispatch(record, place->candidate);
  } else if (const auto* wait = std::get_if<Wait>(&decision)) {
    record.waiting_for = wait->reason;
    if (wait->reserve.has_value()) {
      reserve(record, *wait->reserve);
    }
  } else {
    infeasible(record, std::get<Infeasible>(decision).reason);
  }
}

void Controller::infeasible(TaskRecord& record, const std::string& reason) {
  if (now_ < led_since_ + config_.warm_up) {
    record.waiting_for = "devices to report to a controller that has just started: " + reason;
  } else if (record.attempts.empty()) {
    answer(record, OutcomeKind::Rejected, reason);
  } else {
    answer(record, OutcomeKind::Failed, "after an attempt failed, " + reason);
  }
}

void Controller::reserve(TaskRecord& record, const Candidate& candidate) {
  DeviceState& device = fleet_.devices[candidate.device];
  record.reserved_device = device.facts->id;
  record.reserved_lane = candidate.lane;
  device.lanes[candidate.lane].reservations.push_back(
      {.task = record.number,
       .priority = record.submission.requirements.priority,
       .deadline = record.deadline,
       .expected = candidate.latency});
}

void Controller::unreserve(TaskRecord& record) {
  if (record.reserved_device.empty()) {
    return;
  }
  DeviceState* device = fleet_.find(record.reserved_device);
  record.reserved_device.clear();
  if (device == nullptr || record.reserved_lane >= device->lanes.size()) {
    return;  // the device has gone or said hello anew
  }
  std::vector<Reservation>& line = device->lanes[record.reserved_lane].reservations;
  line.erase(std::remove_if(line.begin(), line.end(),
                            [&](const Reservation& r) { return r.task == record.number; }),
             line.end());
}

void Controller::dispatch(TaskRecord& record, const Candidate& candidate) {
  DeviceState& device = fleet_.devices[candidate.device];
  Lane& lane = device.lanes[candidate.lane];
  const Processor& processor = device.facts->processors[candidate.lane];
  const Profile& profile = processor.profiles[candidate.profile];
  JUGGLER_CHECK(device.liveness == Liveness::Live, "only live devices are given work");
  JUGGLER_CHECK(candidate.finish <= record.deadline, "no placement misses its deadline knowingly");

  const AttemptId id{record.submission.key, epoch_, static_cast<int>(record.attempts.size()) + 1};
  tasks_.leave(record);
  record.phase = TaskPhase::InFlight;
  record.attempts.push_back({.id = id,
                             .device = device.facts->id,
                             .processor = processor.id,
                             .variant = profile.variant,
                             .dispatched = now_,
                             .end = {}});
  if (lane.in_flight.empty()) {
    lane.head_since = now_;
  }
  lane.in_flight.push_back({.attempt = id, .expected = candidate.latency});

  // Every attempt has its own deadline: a dispatch can be lost inside a device that never fell
  // silent for long enough to be called lost.
  const Micros predicted = candidate.finish - now_;
  follow({.kind = ControllerTimer::Kind::Attempt,
          .task = record.number,
          .attempt = id,
          .device = device.facts->id,
          .patience = predicted * 2 + config_.attempt_grace});
  stats_.dispatched += 1;
  Dispatch message;
  message.attempt = id;
  message.device = device.facts->id;
  message.processor = processor.id;
  message.variant = profile.variant;
  message.batch = static_cast<std::int64_t>(stats_.dispatched);
  message.budget = record.deadline - now_;
  message.priority = record.submission.requirements.priority;
  message.top_k = record.submission.requirements.top_k;
  message.payload = record.submission.payload;
  act(SendDispatch{
      open({.kind = OpenPublish::Kind::Dispatch, .task = record.number, .attempt = id}),
      std::move(message)});
}

bool Controller::any_room() const {
  for (const DeviceState& device : fleet_.devices) {
    if (device.liveness != Liveness::Live) {
      continue;
    }
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      const auto window = static_cast<std::size_t>(device.facts->processors[l].window_batches);
      if (device.lanes[l].in_flight.size() < window) {
        return true;
      }
    }
  }
  return false;
}

// A processor has finished something: the tasks in its line go first; if none stands there, whoever
// waits.
void Controller::serve(const std::string& device_id, const std::string& processor_id) {
  DeviceState* device = fleet_.find(device_id);
  if (device == nullptr || tasks_.waiting_size() == 0) {
    return;
  }
  const std::vector<Processor>& processors = device->facts->processors;
  const auto at = std::find_if(processors.begin(), processors.end(),
                               [&](const Processor& p) { return p.id == processor_id; });
  if (at == processors.end()) {
    return;
  }
  const auto lane = static_cast<std::size_t>(at - processors.begin());
  const auto window = static_cast<std::size_t>(at->window_batches);
  std::vector<Reservation> line = device->lanes[lane].reservations;
  if (line.empty()) {
    replan(config_.replans_max);
    return;
  }
  // More than the window has room for: some may go elsewhere once they are planned anew.
  const std::size_t looked_at = std::min(line.size(), config_.replans_max);
  std::partial_sort(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(looked_at), line.end(),
                    [](const Reservation& a, const Reservation& b) {
                      return precedes(a.priority, a.deadline, a.task, b.priority, b.deadline,
                                      b.task);
                    });
  line.resize(looked_at);
  for (const Reservation& next : line) {
    device = fleet_.find(device_id);
    if (device == nullptr || device->lanes[lane].in_flight.size() >= window) {
      return;
    }
    plan(*tasks_.find(next.task));
  }
}

// Looks at the waiting tasks again, the most urgent first, while some processor has room.
void Controller::replan(std::size_t tasks_max) {
  if (tasks_.waiting_size() == 0 || !leading_ || blocked_) {
    return;
  }
  for (const TaskNumber number : tasks_.waiting(tasks_max)) {
    const bool warming = now_ < led_since_ + config_.warm_up;
    if (!any_room() && !(warming || fleet_.devices.empty())) {
      return;
    }
    plan(*tasks_.find(number));
  }
}

// Looks at every waiting task, room or not: what they waited for at the start of a lead is over, so
// the infeasible ones are told so.
void Controller::replan_all() {
  for (const TaskNumber number : tasks_.waiting(tasks_.waiting_size())) {
    plan(*tasks_.find(number));
  }
}

}  // namespace juggler
