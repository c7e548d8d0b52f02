#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/controller.h"

// This file: how a task comes in: new, again while it lives, again after it was answered, or to be
// refused.

namespace juggler {
namespace {

// A task as it came, with the one who asked for it. Takes the submission.
TaskRecord record_of(DeliveryId delivery, Submission submission, Time now) {
  TaskRecord record;
  record.requesters.push_back({delivery, submission.reply_to, submission.correlation_id});
  record.submission = std::move(submission);
  record.received = now;
  record.deadline = now;
  return record;
}

}  // namespace

void Controller::submit(Submitted& task) {
  stats_.submitted += 1;
  TaskKey& key = task.submission.key;
  const bool taken = tasks_.find(key) != nullptr || answered_.find(key) != nullptr;
  if (!task.refusal.empty() && (taken || !task.id_given)) {
    // It has an outcome of its own, which must not be taken for another's.
    key.id += fmt::format("-malformed-{}-{}", epoch_, ++own_ids_);
  } else if (taken && !task.id_given && !task.submission.redelivered) {
    // Without an id two equal submissions are two tasks. The first keeps the id that its content
    // gives it, so that it is recognised when the broker delivers it again.
    key.id += fmt::format("-{}-{}", epoch_, ++own_ids_);
  }
  if (!task.refusal.empty()) {
    refuse(task, task.refusal, true);
    return;
  }
  TaskRecord* live = tasks_.find(task.submission.key);
  if (live != nullptr && !live->dead_letter) {  // a malformed message leaves its id to a task
    attach(*live, task);
    return;
  }
  if (const Answered* given = answered_.find(task.submission.key)) {
    repeat(task, *given);
    return;
  }
  accept(task);
}

// Why a task is refused though it is well formed; empty if it is taken.
std::string Controller::refusal_of(const Submission& task, Micros deadline) const {
  if (task.payload.size > kPayloadMax) {
    return fmt::format(
        "the payload has {} bytes; at most {} (8 MiB) are taken: send a smaller picture, networks "
        "see about 260 x 260 pixels of it",
        task.payload.size.count, kPayloadMax.count);
  }
  if (deadline > config_.deadline_max) {
    return fmt::format("a deadline of {} ms is longer than the {} ms this controller allows",
                       deadline.count / 1000, config_.deadline_max.count / 1000);
  }
  return {};
}

// A task that is new here. What it leaves out takes the defaults.
void Controller::accept(Submitted& task) {
  Requirements& wanted = task.submission.requirements;
  if (!wanted.min_accuracy.has_value()) {
    wanted.min_accuracy = config_.min_accuracy;
  }
  if (!wanted.max_energy.has_value()) {
    wanted.max_energy = config_.max_energy;
  }
  const bool deadline_stated = wanted.deadline.has_value();
  const Micros deadline = wanted.deadline.value_or(config_.deadline);
  wanted.deadline = deadline;
  if (const std::string reason = refusal_of(task.submission, deadline); !reason.empty()) {
    refuse(task, reason, false);
    return;
  }
  const auto orphan = orphans_.find(task.submission.key);
  const bool done = orphan != orphans_.end() && orphan->second.result.status == AttemptStatus::Ok;
  // One that is done needs no room, and must not be told otherwise.
  std::optional<std::vector<TaskNumber>> way;
  if (!done) {
    way = room_for(task.submission);
  }
  if (!done && !way.has_value()) {
    // The bounds and not the counts: whoever is refused in a flood gets one text, not a thousand.
    refuse(task,
           fmt::format("overload: at most {} tasks with {} MiB are served at once; try again later",
                       config_.tasks_max, config_.tasks_bytes_max.count >> 20U),
           false);
    return;
  }

  TaskRecord record = record_of(task.delivery, std::move(task.submission), now_);
  record.deadline = now_ + deadline;
  record.deadline_stated = deadline_stated;
  record.dispatch_from = record.submission.redelivered ? led_since_ + config_.adopt_wait : now_;
  TaskRecord& live = tasks_.insert(std::move(record));
  live.deadline_timer =
      timers_.set(live.deadline, {.kind = ControllerTimer::Kind::Deadline, .task = live.number});
  tasks_.wait(live);
  fleet_.arrivals.arrived(now_.us);

  if (done) {
    Orphan found = take_orphan(orphan);
    for (const auto& [attempt, delivery] : found.deliveries) {
      live.results.push_back(delivery);
    }
    completed(live, found.result, found.size);
    return;
  }
  const TaskNumber number = live.number;
  plan(live);
  // For one that nobody can serve, nobody makes way.
  const TaskRecord* taken = tasks_.find(number);
  if (taken != nullptr && taken->phase != TaskPhase::Answering) {
    make_way(*way);
  }
}

// The same task again while it lives: one run, an answer for each who asked.
void Controller::attach(TaskRecord& record, const Submitted& event) {
  stats_.attached += 1;
  act(DropPayload{event.submission.payload.handle});
  Requester asker{event.delivery, event.submission.reply_to, event.submission.correlation_id};
  std::vector<Requester>& all = record.requesters;
  auto had = std::find_if(all.begin(), all.end(), [&](const Requester& requester) {
    return !requester.delivery.has_value() && requester.reply_to == asker.reply_to &&
           requester.correlation_id == asker.correlation_id;
  });
  if (had == all.end() && event.submission.redelivered && all.front().number > 0 &&
      !all.front().delivery.has_value()) {
    had = all.begin();  // of who asked first, in whose place another is told
  }
  if (had != all.end()) {
    had->delivery = event.delivery;  // the broker's redelivery of what we had
    if (record.phase == TaskPhase::Answering && record.publishes_open == 0 && !record.resend_due) {
      all_settled(record);  // it was only waited for
    }
    return;
  }
  // The latest who asks is told: whoever sends again after it was cut off listens nowhere else.
  const Bytes size = record.submission.payload.size;
  const bool a_copy = event.submission.payload.size <= size;
  if (a_copy && all.size() < kAskersMax && tasks_.joined() < kJoinedMax &&
      tasks_.joined_bytes() + size <= kJoinedBytesMax) {
    tasks_.join(record, std::move(asker));
  } else if (const auto done = tasks_.join_instead(record, std::move(asker), a_copy);
             done.has_value()) {
    act(AckDelivery{*done});
  }
  const bool sent =
      record.phase == TaskPhase::Answering && (!record.record_decided || record.decided_kept);
  if (sent && leading_) {
    send_outcome(record, all.size() - 1);
  }
}

// Not a task: rejected where there is somebody to tell; malformed ones also go to the dead letters.
void Controller::refuse(const Submitted& event, const std::string& reason, bool dead_letter) {
  if (event.submission.reply_to.empty() && dead_letter) {
    stats_.rejected += 1;
    act(DropPayload{event.submission.payload.handle});
    act(RejectDelivery{event.delivery});
    return;
  }
  TaskRecord record = record_of(event.delivery, event.submission, now_);
  record.dead_letter = dead_letter;
  answer(tasks_.insert(std::move(record)), OutcomeKind::Rejected, reason);
}

// The same task again after it was answered: never run again.
void Controller::repeat(const Submitted& event, const Answered& given) {
  stats_.repeated += 1;
  TaskRecord record = record_of(event.delivery, event.submission, now_);
  record.phase = TaskPhase::Answering;
  record.outcome = given.outcome;
  record.stands = given.stands;
  record.result_bytes = given.result_bytes;
  // Only a redelivery can mean that the dead letter was never confirmed.
  record.dead_kept = !event.submission.redelivered;
  TaskRecord& live = tasks_.insert(std::move(record));
  drop_payload(live);
  send_answer(live);
}

}  // namespace juggler
