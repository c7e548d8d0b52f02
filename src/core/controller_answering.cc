#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: how a task comes in and how its one outcome goes out. The order that makes a crash at
// any point harmless: the record of an outcome that no result stands for, the outcome, the
// submission's ack, the result's; each only after the one before it was confirmed.

namespace juggler {

PublishId Controller::open(OpenPublish publish) {
  const PublishId id = ++last_publish_;
  publishes_.emplace(id, std::move(publish));
  return id;
}

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
  if (tasks_.size() >= config_.tasks_max ||
      tasks_.payload_bytes() + task.payload.size > config_.tasks_bytes_max) {
    return fmt::format("overload: {} tasks with {} MiB are being served; try again later",
                       tasks_.size(), tasks_.payload_bytes().count >> 20U);
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

  TaskRecord record;
  record.requesters.push_back(
      {task.delivery, task.submission.reply_to, task.submission.correlation_id});
  record.submission = std::move(task.submission);
  record.received = now_;
  record.deadline = now_ + deadline;
  record.deadline_stated = deadline_stated;
  record.dispatch_from = record.submission.redelivered ? led_since_ + config_.adopt_wait : now_;
  TaskRecord& live = tasks_.insert(std::move(record));
  live.deadline_timer =
      timers_.set(live.deadline, {.kind = ControllerTimer::Kind::Deadline, .task = live.number});
  tasks_.wait(live);
  fleet_.arrivals.arrived(now_.us);

  const auto orphan = orphans_.find(live.submission.key);
  if (orphan != orphans_.end() && orphan->second.result.status == AttemptStatus::Ok) {
    Orphan found = std::move(orphan->second);
    orphans_.erase(orphan);
    live.results.push_back(found.delivery);
    completed(live, found.result);
    return;
  }
  plan(live);
}

// The same task again while it lives: one run, an answer for each who asked.
void Controller::attach(TaskRecord& record, const Submitted& event) {
  stats_.attached += 1;
  act(DropPayload{event.submission.payload.handle});
  for (Requester& requester : record.requesters) {
    if (!requester.delivery.has_value() && requester.reply_to == event.submission.reply_to &&
        requester.correlation_id == event.submission.correlation_id) {
      requester.delivery = event.delivery;  // the broker's redelivery of what we had
      if (record.phase == TaskPhase::Answering && record.publishes_open == 0 &&
          !record.resend_due) {
        all_settled(record);  // it was only waited for
      }
      return;
    }
  }
  record.requesters.push_back(
      {event.delivery, event.submission.reply_to, event.submission.correlation_id});
  const bool sent =
      record.phase == TaskPhase::Answering && (!record.record_decided || record.decided_kept);
  if (sent && leading_) {
    send_outcome(record, record.requesters.size() - 1);
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
  TaskRecord record;
  record.submission = event.submission;
  record.requesters.push_back(
      {event.delivery, event.submission.reply_to, event.submission.correlation_id});
  record.received = now_;
  record.deadline = now_;
  record.dead_letter = dead_letter;
  answer(tasks_.insert(std::move(record)), OutcomeKind::Rejected, reason);
}

// The same task again after it was answered: never run again.
void Controller::repeat(const Submitted& event, const Answered& given) {
  stats_.repeated += 1;
  TaskRecord record;
  record.submission = event.submission;
  record.requesters.push_back(
      {event.delivery, event.submission.reply_to, event.submission.correlation_id});
  record.received = now_;
  record.deadline = now_;
  record.phase = TaskPhase::Answering;
  record.outcome = given.outcome;
  record.stands = given.stands;
  // Only a redelivery can mean that the dead letter was never confirmed.
  record.dead_kept = !event.submission.redelivered;
  TaskRecord& live = tasks_.insert(std::move(record));
  drop_payload(live);
  send_answer(live);
}

void Controller::answer(TaskRecord& record, OutcomeKind kind, std::string reason) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.reason = std::move(reason);
  answer(record, std::move(outcome));
}

void Controller::answer(TaskRecord& record, Outcome outcome) {
  JUGGLER_CHECK(record.phase != TaskPhase::Answering, "one outcome per task");
  unplace(record);
  tasks_.leave(record);
  timers_.cancel(record.deadline_timer);
  record.phase = TaskPhase::Answering;
  outcome.key = record.submission.key;
  outcome.total = now_ - record.received;
  outcome.deadline = record.submission.requirements.deadline;
  for (const Attempt& attempt : record.attempts) {
    outcome.attempts.push_back({attempt.device, attempt.processor, attempt.variant,
                                attempt.open ? "still running" : attempt.end});
  }
  switch (outcome.kind) {
    case OutcomeKind::Completed:
      stats_.completed += 1;
      break;
    case OutcomeKind::Rejected:
      stats_.rejected += 1;
      break;
    case OutcomeKind::Expired:
      stats_.expired += 1;
      break;
    case OutcomeKind::Failed:
      stats_.failed += 1;
      break;
  }
  record.record_decided = outcome.kind != OutcomeKind::Completed && !record.dead_letter;
  record.outcome = std::move(outcome);
  act(TaskAnswered{*record.outcome});
  drop_payload(record);
  if (leading_) {
    send_answer(record);
  }
}

// An earlier leader has decided it, and its record came after the task.
void Controller::take_decided(TaskRecord& record, const Outcome& outcome) {
  unplace(record);
  tasks_.leave(record);
  timers_.cancel(record.deadline_timer);
  record.phase = TaskPhase::Answering;
  record.outcome = outcome;
  drop_payload(record);
  if (leading_) {
    send_answer(record);
  }
}

// An answered task needs its payload no more, unless a copy of it goes to the dead letters.
void Controller::drop_payload(TaskRecord& record) {
  const bool dead_letter_due = record.outcome.has_value() &&
                               (*record.outcome)->kind == OutcomeKind::Failed && !record.dead_kept;
  if (record.payload_kept && !dead_letter_due) {
    act(DropPayload{record.submission.payload.handle});
    tasks_.drop_payload(record);
  }
}

// Sends whatever of the answer the broker has not confirmed yet. An outcome that no result stands
// for follows its record: sent beside it, it could reach the client, and the record be lost with
// the broker before it was on disk; the next leader would run the task, and contradict what was
// told.
void Controller::send_answer(TaskRecord& record) {
  record.resend_due = false;
  if (record.record_decided && !record.decided_kept) {
    record.publishes_open += 1;
    act(SendDecided{open({.kind = OpenPublish::Kind::Decided, .task = record.number}),
                    *record.outcome});
  }
  if ((*record.outcome)->kind == OutcomeKind::Failed && !record.dead_kept) {
    record.publishes_open += 1;
    act(SendDead{open({.kind = OpenPublish::Kind::Dead, .task = record.number}), *record.outcome,
                 record.submission.payload});
  }
  if (!record.record_decided || record.decided_kept) {
    send_outcomes(record);
  }
  if (record.publishes_open == 0) {
    all_settled(record);  // all was confirmed in an earlier lead
  }
}

void Controller::send_outcomes(TaskRecord& record) {
  for (std::size_t i = 0; i < record.requesters.size(); ++i) {
    if (!record.requesters[i].answered) {
      send_outcome(record, i);
    }
  }
}

void Controller::send_outcome(TaskRecord& record, std::size_t requester) {
  const Requester& to = record.requesters[requester];
  record.publishes_open += 1;
  act(SendOutcome{
      open({.kind = OpenPublish::Kind::Outcome, .task = record.number, .requester = requester}),
      *record.outcome, to.unrouted ? std::string() : to.reply_to, to.correlation_id});
}

// A missing queue, as that of a new device is, takes a connection of its own to make. Until the
// device is heard again nothing goes there: sent again at once, tasks would have used up their
// attempts before the queue is there.
void Controller::dispatch_settled(TaskRecord& record, const AttemptId& id, PublishEnd end) {
  // Confirmed says nothing yet. Unknown may have arrived: the attempt's timer decides.
  if (end != PublishEnd::Returned && end != PublishEnd::Refused) {
    return;
  }
  for (Attempt& attempt : record.attempts) {
    if (attempt.id == id && attempt.open) {
      const std::string device = attempt.device;
      if (end == PublishEnd::Refused) {
        end_attempt(record, attempt, "the device's queue is full", true);
        refresh_all(device);
      } else {
        end_attempt(record, attempt, "the device's queue is missing", false);
        act(Enrol{device});
        DeviceState* state = fleet_.find(device);
        if (state != nullptr && state->liveness == Liveness::Live) {
          set_liveness(*state, Liveness::Suspect);
        }
      }
      try_again(record);
      return;
    }
  }
}

void Controller::settled(const OpenPublish& publish, PublishEnd end) {
  TaskRecord* record = tasks_.find(publish.task);
  if (record == nullptr) {
    return;
  }
  if (publish.kind == OpenPublish::Kind::Dispatch) {
    dispatch_settled(*record, publish.attempt, end);
    return;
  }
  record->publishes_open -= 1;
  const bool confirmed = end == PublishEnd::Confirmed;
  if (publish.kind == OpenPublish::Kind::Decided) {
    record->decided_kept = confirmed;
    if (confirmed && leading_) {
      send_outcomes(*record);
    }
  } else if (publish.kind == OpenPublish::Kind::Dead) {
    record->dead_kept = confirmed;
    drop_payload(*record);
  } else {
    Requester& requester = record->requesters[publish.requester];
    if (end == PublishEnd::Returned && !requester.reply_to.empty() && !requester.unrouted) {
      requester.unrouted = true;  // nobody reads that reply queue any more
      send_outcome(*record, publish.requester);
      return;
    }
    requester.answered = confirmed || end == PublishEnd::Returned;
  }
  if (record->publishes_open == 0) {
    all_settled(*record);
  }
}

// Nothing is under way any more: done, or what was lost or refused goes out again.
void Controller::all_settled(TaskRecord& record) {
  std::vector<Requester>& requesters = record.requesters;
  const auto answered = [](const Requester& requester) { return requester.answered; };
  const bool kept = (!record.record_decided || record.decided_kept) &&
                    ((*record.outcome)->kind != OutcomeKind::Failed || record.dead_kept);
  if (kept && std::all_of(requesters.begin(), requesters.end(), answered)) {
    if (!comes_again(record)) {
      close(record);
    } else if (leading_) {
      timers_.set(led_since_ + config_.orphan_result_max,
                  {.kind = ControllerTimer::Kind::Redelivery, .task = record.number});
    }
    return;
  }
  if (!leading_) {
    return;  // the next lead sends it
  }
  if (record.resends >= config_.resends_max) {
    if (!give_way(record)) {
      close(record);
      return;
    }
    record.resends = 0;
  }
  record.resends += 1;
  record.resend_due = true;
  timers_.set(now_ + config_.resend_after,
              {.kind = ControllerTimer::Kind::Resend, .task = record.number});
}

// Whether a submission is still to be acked, which the broker will deliver again over this
// connection. Until then the task lives, so that it is known and its result is kept.
bool Controller::comes_again(const TaskRecord& record) const {
  const std::vector<Requester>& requesters = record.requesters;
  const bool all_here =
      std::all_of(requesters.begin(), requesters.end(),
                  [](const Requester& requester) { return requester.delivery.has_value(); });
  return !all_here && !record.dead_letter &&
         (!leading_ || now_ < led_since_ + config_.orphan_result_max);
}

// What was refused for so long is done without: the record, so that the outcome is sent at all;
// then the reply queue, for where the outcome can be found. False where nothing is left to do
// without.
bool Controller::give_way(TaskRecord& record) {
  if (record.record_decided && !record.decided_kept) {
    record.record_decided = false;
    return true;
  }
  bool redirected = false;
  for (Requester& requester : record.requesters) {
    if (!requester.answered && !requester.reply_to.empty() && !requester.unrouted) {
      requester.unrouted = true;
      redirected = true;
    }
  }
  return redirected;
}

// Everything is confirmed: the submission's ack, then the result's. A submission whose outcome the
// broker takes nowhere goes to the dead letters, so that it is not lost.
void Controller::close(TaskRecord& record) {
  bool all_acked = leading_;
  for (const Requester& requester : record.requesters) {
    if (!requester.delivery.has_value()) {
      all_acked = false;
      continue;
    }
    if (record.dead_letter || !requester.answered) {
      act(RejectDelivery{*requester.delivery});
    } else {
      act(AckDelivery{*requester.delivery});
    }
  }
  for (const DeliveryId& result : record.results) {
    act(AckDelivery{result});
  }
  if (!record.dead_letter) {
    answered_.remember({*record.outcome, record.stands, all_acked ? epoch_ : 0});
  }
  record.dead_kept = true;
  drop_payload(record);
  tasks_.erase(record.number);
}

}  // namespace juggler
