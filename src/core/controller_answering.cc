#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: how a task's one outcome goes out. The order that makes a crash at any point harmless:
// the record of an outcome that no result stands for, the outcome, the submission's ack, the
// result's; each only after the one before it was confirmed.

namespace juggler {
namespace {

// For the queue of a device that has just come to be made, with those of many others before it.
constexpr Micros kQueueTakes = milliseconds(200);

// Of one submitter, outcomes that its reply queues refuse: above, they are sent once more and then
// to where they can be found, since each keeps a place in the window of deliveries meanwhile.
constexpr std::size_t kResendingMax = 512;

}  // namespace

PublishId Controller::open(OpenPublish publish) {
  const PublishId id = ++last_publish_;
  publishes_.emplace_hint(publishes_.end(), id, std::move(publish));
  return id;
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
                 record.submission});
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
      open({.kind = OpenPublish::Kind::Outcome, .task = record.number, .requester = to.number}),
      *record.outcome, to.unrouted ? std::string() : to.reply_to, to.correlation_id});
}

// A missing queue, as that of a new device is, takes a connection of its own to make. Until the
// device is heard again nothing goes there.
void Controller::dispatch_settled(TaskRecord& record, const AttemptId& id, PublishEnd end) {
  for (Attempt& attempt : record.attempts) {
    if (attempt.id != id || !attempt.open) {
      continue;
    }
    // Confirmed says no more. Unknown may have arrived: the attempt's timer decides.
    attempt.sent = attempt.sent || end == PublishEnd::Confirmed;
    if (end == PublishEnd::Returned || end == PublishEnd::Refused) {
      const std::string device = attempt.device;
      if (end == PublishEnd::Refused) {
        end_attempt(record, attempt, "the device's queue is full", true);
        refresh_all(device);
      } else {
        attempt.came_back = true;
        end_attempt(record, attempt, "the device's queue is missing", false);
        back_off(record, kQueueTakes);  // a large fleet that has just joined: its queues come
        act(Enrol{device});
        const DeviceState* state = fleet_.find(device);
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
    std::vector<Requester>& all = record->requesters;
    const auto requester = std::find_if(
        all.begin(), all.end(), [&](const auto& one) { return one.number == publish.requester; });
    const bool told = requester != all.end();  // else another is told in its place
    const bool elsewhere = told && !requester->reply_to.empty() && !record->dead_letter;
    if (end == PublishEnd::Returned && elsewhere && !requester->unrouted) {
      requester->unrouted = true;  // nobody reads that reply queue any more
      send_outcome(*record, static_cast<std::size_t>(requester - all.begin()));
      return;
    }
    if (told) {
      requester->answered = confirmed || end == PublishEnd::Returned;
    }
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
    } else if (leading_ && tasks_read_.has_value()) {
      timers_.set(*tasks_read_ + config_.orphan_result_max,
                  {.kind = ControllerTimer::Kind::Redelivery, .task = record.number});
    }
    return;
  }
  if (!leading_) {
    return;  // the next lead sends it
  }
  const bool enough = record.resends >= config_.resends_max;
  const bool many = record.resends > 0 && tasks_.resending_beside(record) > kResendingMax;
  const bool gave_way = (enough || many) && give_way(record);
  if ((enough || (many && record.dead_letter)) && !gave_way) {
    close(record);
    return;
  }
  tasks_.resend(record, gave_way ? 1 : record.resends + 1);
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
         (!leading_ || !tasks_read_.has_value() || now_ < *tasks_read_ + config_.orphan_result_max);
}

// What was refused for so long is done without: the record, so that the outcome is sent at all;
// then the reply queue, for where the outcome can be found; but for what is malformed, whose dead
// letter is enough, and of which anybody could send so much that others' outcomes went there. False
// where nothing is left to do without.
bool Controller::give_way(TaskRecord& record) {
  if (record.record_decided && !record.decided_kept) {
    record.record_decided = false;
    return true;
  }
  bool redirected = false;
  for (Requester& requester : record.requesters) {
    const bool elsewhere = !requester.reply_to.empty() && !record.dead_letter;
    if (!requester.answered && elsewhere && !requester.unrouted) {
      requester.unrouted = true;
      redirected = true;
    }
  }
  return redirected;
}

// Everything is confirmed: the submission's ack, then the result's. An outcome that the broker
// takes nowhere goes to the dead letters, so that it is not lost.
void Controller::close(TaskRecord& record) {
  bool all_acked = leading_;
  for (const Requester& requester : record.requesters) {
    if (!requester.delivery.has_value()) {
      all_acked = false;
      continue;
    }
    if (record.dead_letter) {
      act(RejectDelivery{*requester.delivery});
    } else if (!requester.answered) {
      act(RejectDelivery{*requester.delivery, record.outcome});
    } else {
      act(AckDelivery{*requester.delivery});
    }
  }
  for (const DeliveryId& result : record.results) {
    act(AckDelivery{result, /*after_tasks=*/true});
  }
  if (!record.dead_letter) {
    answered_.remember(
        {*record.outcome, record.stands, all_acked ? epoch_ : 0, record.result_bytes});
  }
  record.dead_kept = true;
  drop_payload(record);
  tasks_.erase(record.number);
}

}  // namespace juggler
