#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/controller.h"

// This file: which task goes into which line, and which wait for none. When a line's batches go
// out is in controller_lines.cc.

namespace juggler {
namespace {

// Each round sends away the less urgent only, of ten priorities.
constexpr int kPlanRoundsMax = 16;

}  // namespace

TaskView Controller::view_of(const TaskRecord& record) const {
  const Requirements& wanted = record.submission.requirements;
  return {.number = record.number,
          .requirements = &wanted,
          .model = wanted.model == "auto" ? std::string_view(config_.auto_model) : wanted.model,
          .allow_synthetic = wanted.allow_synthetic || config_.allow_synthetic,
          .payload = record.submission.payload.kind,
          .bytes = record.submission.payload.size.count,
          .priority = wanted.priority,
          .deadline = record.deadline,
          .deadline_stated = record.deadline_stated,
          .asks = !record.asked,
          .devices_failed = &record.devices_failed};
}

Decision Controller::think(const TaskRecord& record) {
  TaskView view = view_of(record);
  Decision decision = planner_.plan(fleet_, view, now_, policy_rng_);
  if (std::holds_alternative<Infeasible>(decision) && !record.devices_failed.empty()) {
    // Better the same device again than none.
    view.devices_failed = nullptr;
    decision = planner_.plan(fleet_, view, now_, policy_rng_);
  }
  return decision;
}

// For who asks why; the planner still knows what it saw.
void Controller::keep(const TaskRecord& record, const Decision& decision) {
  decisions_.record(planner_, view_of(record), record.submission.key, record.received, now_,
                    decision);
}

Decision Controller::decide_for(const TaskRecord& record) {
  Decision decision = think(record);
  keep(record, decision);
  return decision;
}

// Decides for a task that waits in no line.
void Controller::plan(TaskRecord& record) {
  if (!leading_ || blocked_) {
    record.waiting_for = leading_ ? "the broker takes no messages" : "no connection to the broker";
    return;
  }
  if (now_ < record.dispatch_from) {
    record.waiting_for =
        "word of an attempt that may still run, or a queue that takes its dispatch";
    return;
  }
  if (record.deadline <= now_) {
    if (record.waiting_for.empty()) {
      record.waiting_for = "a controller to read it";
    }
    return;  // its timer is due too, and says that it has expired
  }
  const Decision decision = decide_for(record);
  if (!record.asked) {
    record.asked = true;
    ask_for(record, decision);
  }
  if (const auto* chosen = std::get_if<Place>(&decision)) {
    place(record, chosen->candidate);
  } else if (record.phase == TaskPhase::InFlight) {
    return;  // a copy loads what it needs, and may still be in time
  } else if (const auto* wait = std::get_if<Wait>(&decision)) {
    record.waiting_for = wait->reason;
  } else if (const Infeasible& never = std::get<Infeasible>(decision);
             !never.overload || !placed_by_making_way(record)) {
    infeasible(record, never.reason);
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

// Puts a task into the line of a processor, and lets the line go on.
void Controller::place(TaskRecord& record, const Candidate& candidate) {
  DeviceState& device = fleet_.change(candidate.device);
  Lane& lane = device.lanes[candidate.lane];
  OpenBatch fresh;
  fresh.id = candidate.batch != 0 ? candidate.batch : ++last_batch_;
  fresh.profile = candidate.profile;
  fresh.hoped = candidate.hoped;
  fresh.opened = now_;
  fresh.opened_at = fleet_.arrivals.count();
  const Member member{
      .task = record.number,
      .priority = record.submission.requirements.priority,
      .due = candidate.due,
      .patient = planner_.objective().batching == Batching::Planned && record.deadline_stated,
      .bytes = record.submission.payload.size.count,
      .joined_at = fleet_.arrivals.count()};
  lane.join(candidate.batch, fresh, member, candidate.position);
  tasks_.enter_line(record, {device.facts->id, candidate.lane, fresh.id});
  record.waiting_for =
      "its turn on " + device.facts->id + "/" + device.facts->processors[candidate.lane].id;
  const std::string id = device.facts->id;
  if (planner_.over_lower_priorities()) {
    make_room(id, candidate.lane, record.submission.requirements.priority);
  }
  serve(id, candidate.lane);
}

// Whoever is less urgent and stands before somebody of this priority who would not be in time then
// goes behind: the least urgent first, of these the last in line. Who is late there looks
// elsewhere.
void Controller::make_room(const std::string& device_id, std::size_t lane_index, int priority) {
  while (true) {
    DeviceState& device = *fleet_.find_to_change(device_id);
    Lane& lane = device.lanes[lane_index];
    build_timeline(device, lane);
    const Line& line = *lane.line;
    const std::size_t in_need = timeline_.last_short(priority);
    std::size_t least = in_need;
    for (std::size_t i = 0; i < in_need; ++i) {
      if (line[i].priority < priority &&
          (least == in_need || line[i].priority <= line[least].priority)) {
        least = i;
      }
    }
    if (least == in_need) {
      break;
    }
    lane.move_back(least, in_need);
  }
  send_away_late(device_id, lane_index);
}

// Takes a task out of the line in which it stands; it is among those that wait in none.
void Controller::unplace(TaskRecord& record) {
  if (!record.place.has_value()) {
    return;
  }
  const TaskRecord::Place place = tasks_.leave_line(record);
  DeviceState* device = fleet_.find_to_change(place.device);
  JUGGLER_CHECK(device != nullptr && place.lane < device->lanes.size(), "lines end with unplace()");
  device->lanes[place.lane].leave(place.batch, record.number);
}

// Empties the lines of a device; whoever stood there has to be planned anew.
std::vector<TaskNumber> Controller::unplace_all(const DeviceState& device) {
  std::vector<TaskNumber> numbers;
  for (const Lane& lane : device.lanes) {
    for (const auto& [batch, members] : lane.members) {
      for (const Member& member : members) {
        numbers.push_back(member.task);
      }
    }
  }
  for (const TaskNumber number : numbers) {
    unplace(*tasks_.find(number));
  }
  return numbers;
}

// Plans tasks that stand in no line, as far as they still wait, the most urgent first. Who is
// sent away by one of them is planned after them, so that one step never goes deeper than this;
// after some rounds the rest waits for the next look at all who wait.
void Controller::plan_all(const std::vector<TaskNumber>& numbers) {
  to_plan_.insert(to_plan_.end(), numbers.begin(), numbers.end());
  if (planning_all_) {
    return;
  }
  planning_all_ = true;
  for (int round = 0; round < kPlanRoundsMax && !to_plan_.empty(); ++round) {
    for (const TaskNumber number : tasks_.most_urgent_first(std::exchange(to_plan_, {}))) {
      TaskRecord* record = tasks_.find(number);
      if (record != nullptr && record->phase == TaskPhase::Waiting && !record->place.has_value()) {
        plan(*record);
      }
    }
  }
  to_plan_.clear();
  planning_all_ = false;
}

// A device has come, or come back: whoever stands in a line may do better now. Whoever does not
// keeps the place, whatever its predictions have become.
void Controller::reconsider_lines() {
  std::vector<TaskNumber> numbers;
  for (const DeviceState& device : fleet_.devices()) {
    for (const Lane& lane : device.lanes) {
      for (const auto& [batch, members] : lane.members) {
        for (const Member& member : members) {
          numbers.push_back(member.task);
        }
      }
    }
  }
  numbers.resize(std::min(numbers.size(), config_.reconsidered_max));
  for (const TaskNumber number : numbers) {
    TaskRecord* record = tasks_.find(number);
    if (record != nullptr && record->place.has_value()) {
      reconsider(*record);
    }
  }
}

void Controller::reconsider(TaskRecord& record) {
  const Stood before = take_out(record);
  const Decision decision = decide_for(record);
  if (const auto* chosen = std::get_if<Place>(&decision)) {
    place(record, chosen->candidate);
    return;
  }
  put_back(before);
}

// Takes a task out of its line for a look at what were without it.
Controller::Stood Controller::take_out(TaskRecord& record) {
  const TaskRecord::Place place = *record.place;
  const Lane& lane = fleet_.find(place.device)->lanes[place.lane];
  const Line& line = *lane.line;
  const auto at = std::find_if(line.begin(), line.end(),
                               [&](const OpenBatch& batch) { return batch.id == place.batch; });
  const std::vector<Member>& members = lane.members_of(place.batch);
  Stood stood{.task = record.number,
              .place = place,
              .batch = *at,
              .position = static_cast<std::size_t>(at - line.begin()),
              .member = *std::find_if(members.begin(), members.end(),
                                      [&](const Member& one) { return one.task == record.number; }),
              .alone = members.size() == 1};
  unplace(record);
  return stood;
}

// To where it stood. Of several that were taken out, the last first.
void Controller::put_back(const Stood& stood) {
  Lane& lane = fleet_.find_to_change(stood.place.device)->lanes[stood.place.lane];
  lane.join(stood.alone ? 0 : stood.batch.id, stood.batch, stood.member, stood.position);
  tasks_.enter_line(*tasks_.find(stood.task), stood.place);
}

// Looks at the tasks again that wait in no line, the most urgent first.
void Controller::replan(std::size_t tasks_max) {
  if (tasks_.in_no_line_size() == 0 || !leading_ || blocked_) {
    return;
  }
  plan_all(tasks_.in_no_line(tasks_max));
}

}  // namespace juggler
