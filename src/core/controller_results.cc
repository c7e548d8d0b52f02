#include <algorithm>
#include <iterator>
#include <utility>

#include "core/controller.h"
#include "core/text.h"

// This file: what a result does, whether its task is there, still to come, or answered. It is acked
// after its task's submission, or else a successor could find that one without it.

namespace juggler {
namespace {

// No honest task has more attempts that succeed.
constexpr std::size_t kOrphansOfTaskMax = 16;
// Of one device, results that wait for their tasks. One that is honest has no more than its queue
// holds (256) and its lanes have under way, of 70 KB each with a thousand labels.
constexpr std::size_t kOrphansOfDeviceMax = 2048;
constexpr Bytes kOrphanBytesOfDeviceMax = mebibytes(64);

// A task that devices refuse one after the other waits for them: an engine is back in seconds.
constexpr Micros kRefusedStep = milliseconds(250);

Bytes size_of(const AttemptResult& result) {
  std::size_t size = sizeof(AttemptResult) + result.reason.size() + result.fell_back.size();
  for (const Label& label : result.labels) {
    size += sizeof(Label) + label.name.size();
  }
  return Bytes{static_cast<std::int64_t>(size)};
}

}  // namespace

void Controller::on(ResultArrived& event) {
  if (!was_given(event.result)) {
    disbelieve(event);
    return;
  }
  if (!leading_) {
    keep_orphan(event);  // which tasks live on is known only when the lead begins
    return;
  }
  AttemptResult& result = event.result;
  learn_way(result);
  const bool first_of_batch = leave_lane(result.attempt);
  if (result.status == AttemptStatus::Ok) {
    praise(result.device);
  }
  TaskRecord* record = tasks_.find(result.attempt.task);
  if (record == nullptr) {
    learn(result, nullptr, first_of_batch);  // too late for its task: all the more to be learned
    if (outlives_its_task(result)) {
      keep_orphan(event);
    } else {
      stats_.results_late += 1;
      act(AckDelivery{event.delivery});
    }
    refresh(result.device, result.processor);
    return;
  }
  const auto attempt =
      std::find_if(record->attempts.begin(), record->attempts.end(),
                   [&](const Attempt& candidate) { return candidate.id == result.attempt; });
  const bool known = attempt != record->attempts.end() && attempt->open;
  learn(result, known ? &*attempt : nullptr, first_of_batch);
  if (record->phase == TaskPhase::Answering) {
    stats_.results_late += 1;
    if (known && attempt->loads && result.status != AttemptStatus::Ok) {
      not_loaded(*attempt);
    }
    if (record->stands == result.attempt) {
      record->results.push_back(event.delivery);  // it comes again: still acked last
    } else {
      act(AckDelivery{event.delivery});
    }
  } else if (result.status == AttemptStatus::Ok) {
    record->results.push_back(event.delivery);
    completed(*record, result, event.size);
  } else {
    act(AckDelivery{event.delivery});
    if (result.status == AttemptStatus::BadPayload) {
      unreadable(*record, result);
    } else if (known) {
      if (result.status == AttemptStatus::Error) {
        blame(result.device, record);
      }
      attempt->came_back = result.status == AttemptStatus::Refused;  // nobody has tried it
      end_attempt(*record, *attempt, result.reason, result.status != AttemptStatus::Expired);
      if (result.status == AttemptStatus::Refused) {
        back_off(*record, kRefusedStep);
      }
      try_again(*record);
    }
  }
  refresh(result.device, result.processor);
}

// Whether this device was given this attempt: by this controller, which knows of it, or by another
// one, whose stamp the result bears. Ids can be guessed.
bool Controller::was_given(const AttemptResult& result) const {
  return gave(result.attempt, result.device).value_or(!result.stamp.empty());
}

std::optional<bool> Controller::gave(const AttemptId& attempt, const std::string& device) const {
  const auto open = open_attempts_.find(attempt);
  if (open != open_attempts_.end()) {
    return open->second.device == device;
  }
  if (const TaskRecord* record = tasks_.find(attempt.task)) {
    for (const Attempt& one : record->attempts) {
      if (one.id == attempt) {
        return one.device == device;
      }
    }
  }
  return std::nullopt;
}

// Nothing is done for what nobody has asked, and nothing learned from it. A consumer that gives no
// stamp back may be honest: what it has done for an earlier leader is done once more.
void Controller::disbelieve(const ResultArrived& event) {
  const bool late = answered_.find(event.result.attempt.task) != nullptr;
  (late ? stats_.results_late : stats_.results_invented) += 1;
  act(AckDelivery{event.delivery});
}

// A device says that the payload cannot be read. One alone may be wrong about it, or dishonest, and
// is not blamed for it either: the task fails where a second says so, or where none could.
void Controller::unreadable(TaskRecord& record, const AttemptResult& result) {
  const auto said_elsewhere = [&](const Attempt& attempt) {
    return attempt.unreadable && attempt.device != result.device;
  };
  const bool confirmed =
      std::any_of(record.attempts.begin(), record.attempts.end(), said_elsewhere);
  auto attempt = std::find_if(record.attempts.begin(), record.attempts.end(),
                              [&](const Attempt& one) { return one.id == result.attempt; });
  if (attempt == record.attempts.end()) {  // given by an earlier leader
    record.attempts.push_back({.id = result.attempt,
                               .device = result.device,
                               .processor = result.processor,
                               .variant = result.variant,
                               .dispatched = now_,
                               .adopted = true,
                               .sent = true,
                               .end = {}});
    attempt = std::prev(record.attempts.end());
  }
  attempt->unreadable = true;
  if (attempt->open) {
    end_attempt(record, *attempt, result.reason, true);
  }
  if (confirmed || !another_may_read(record, result.device)) {
    answer(record, OutcomeKind::Failed,
           "the payload cannot be read: " + shortened(result.reason, kAttemptEndMax));
  } else {
    try_again(record);
  }
}

bool Controller::another_may_read(const TaskRecord& record, const std::string& device) {
  const bool tries =
      std::any_of(record.attempts.begin(), record.attempts.end(),
                  [&](const Attempt& attempt) { return attempt.open && attempt.device != device; });
  // One that has to be waited for may too: its deadline ends that.
  return tries || (may_be_tried(record) && !std::holds_alternative<Infeasible>(planner_.plan(
                                               fleet_, view_of(record), now_, policy_rng_)));
}

// `size`: of the message with the result.
void Controller::completed(TaskRecord& record, AttemptResult& result, Bytes size) {
  Time dispatched = now_;
  record.stands = result.attempt;
  record.result_bytes = size;
  for (Attempt& attempt : record.attempts) {
    if (attempt.id == result.attempt) {
      attempt.open = false;
      attempt.end = result.fell_back.empty()
                        ? "ok"
                        : shortened("ok on " + result.processor + ", after " + result.fell_back,
                                    kAttemptEndMax);
      dispatched = attempt.dispatched;
    }
  }
  Outcome outcome;
  outcome.kind = OutcomeKind::Completed;
  outcome.labels = std::move(result.labels);
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

// Results and decisions that came over the new connection before the lead began.
void Controller::read_what_came_early() {
  const std::map<TaskKey, Orphan> early = std::exchange(orphans_, {});
  orphan_shares_.clear();
  for (const auto& [key, orphan] : early) {
    ResultArrived event{orphan.result, orphan.deliveries.front().second, orphan.size};
    on(event);  // if its task is still to come, it waits from now
    const auto waits = orphans_.find(key);
    TaskRecord* record = tasks_.find(key);
    for (std::size_t i = 1; i < orphan.deliveries.size(); ++i) {
      if (waits != orphans_.end()) {
        waits->second.deliveries.push_back(orphan.deliveries[i]);
      } else if (record != nullptr) {
        record->results.push_back(orphan.deliveries[i].second);
      } else {
        act(AckDelivery{orphan.deliveries[i].second, /*after_tasks=*/true});
      }
    }
  }
  for (DecidedRead& decided : std::exchange(early_decided_, {})) {
    on(decided);
  }
}

// Whether a result whose task is not live may be all that the broker has of the answer. Then it is
// kept until the task's submission has had its time to come again: a successor that found that one
// without its result would run it once more, and might answer otherwise. One without a stamp says
// nothing to a successor.
bool Controller::outlives_its_task(const AttemptResult& result) const {
  const Answered* known = answered_.find(result.attempt.task);
  return !result.stamp.empty() &&
         (known == nullptr || (known->stands == result.attempt && known->acked_in != epoch_ &&
                               result.status == AttemptStatus::Ok));
}

// Whether this very result is the answer that was given, or is about to be.
bool Controller::stands(const AttemptResult& result) {
  const TaskRecord* record = tasks_.find(result.attempt.task);
  const Answered* known = answered_.find(result.attempt.task);
  return (record != nullptr && record->stands == result.attempt) ||
         (known != nullptr && known->stands == result.attempt);
}

// The submission of this result has had its time, which begins when all that lay in the broker has
// been read: one that starts slowly, or hangs, may give the results long before.
void Controller::release_orphan(const TaskKey& key) {
  const auto at = orphans_.find(key);
  if (!leading_ || at == orphans_.end() || at->second.until > now_) {
    return;
  }
  const Orphan orphan = take_orphan(at);
  TaskRecord* record = tasks_.find(key);
  if (record != nullptr && record->stands == orphan.result.attempt) {
    for (const auto& [attempt, delivery] : orphan.deliveries) {
      record->results.push_back(delivery);  // its submission is being answered again
    }
    return;
  }
  (answered_.find(key) != nullptr ? stats_.results_late : stats_.results_orphaned) += 1;
  for (const auto& [attempt, delivery] : orphan.deliveries) {
    act(AckDelivery{delivery, /*after_tasks=*/true});
  }
}

// A result whose task is not here: it may be about to come again from the broker. Of two that
// succeeded, an answer may have been given by either, and the client have it though nothing was
// confirmed: both stay until the task is known to be gone, in case this controller goes first.
void Controller::keep_orphan(const ResultArrived& event) {
  const AttemptResult& result = event.result;
  const TaskKey& key = result.attempt.task;
  const auto at = orphans_.find(key);
  if (at == orphans_.end()) {
    OrphanShare& share = orphan_shares_[result.device];
    // Before the lead nothing is known of what was answered; the broker bounds what comes then.
    const bool surplus =
        share.results >= kOrphansOfDeviceMax || share.bytes >= kOrphanBytesOfDeviceMax;
    if (surplus && leading_ && !stands(result)) {
      stats_.results_surplus += 1;
      act(AckDelivery{event.delivery});
      return;
    }
    share.results += 1;
    share.bytes += size_of(result);
    Orphan orphan{result,
                  {{result.attempt, event.delivery}},
                  {result.device, size_of(result)},
                  Time::never(),
                  event.size};
    wait_for_task(key, orphans_.emplace(key, std::move(orphan)).first->second);
    return;
  }
  Orphan& kept = at->second;
  const bool copy = std::any_of(kept.deliveries.begin(), kept.deliveries.end(),
                                [&](const auto& one) { return one.first == result.attempt; });
  if (copy || result.status != AttemptStatus::Ok || kept.deliveries.size() >= kOrphansOfTaskMax) {
    act(AckDelivery{event.delivery});
  } else if (kept.result.status != AttemptStatus::Ok) {
    act(AckDelivery{kept.deliveries.front().second});
    recount(kept, result);
    kept.result = result;
    kept.size = event.size;
    kept.deliveries = {{result.attempt, event.delivery}};
  } else if (stands(result) ||
             (kept.result.stamp.empty() && !result.stamp.empty() && !stands(kept.result))) {
    recount(kept, result);
    kept.result = result;
    kept.size = event.size;
    kept.deliveries.insert(kept.deliveries.begin(), {result.attempt, event.delivery});
  } else {
    kept.deliveries.emplace_back(result.attempt, event.delivery);
  }
}

Orphan Controller::take_orphan(Orphans::iterator at) {
  Orphan orphan = std::move(at->second);
  orphans_.erase(at);
  discount(orphan);
  return orphan;
}

void Controller::discount(const Orphan& orphan) {
  const auto share = orphan_shares_.find(orphan.counted.first);
  share->second.results -= 1;
  share->second.bytes -= orphan.counted.second;
  if (share->second.results == 0) {
    orphan_shares_.erase(share);
  }
}

void Controller::recount(Orphan& orphan, const AttemptResult& result) {
  discount(orphan);
  orphan.counted = {result.device, size_of(result)};
  OrphanShare& share = orphan_shares_[result.device];
  share.results += 1;
  share.bytes += size_of(result);
}

void Controller::wait_for_task(const TaskKey& key, Orphan& orphan) {
  if (!leading_ || !tasks_read_.has_value()) {
    return;  // for as long as tasks may lie in the broker
  }
  orphan.until = now_ + config_.orphan_result_max;
  ControllerTimer patience;
  patience.kind = ControllerTimer::Kind::OrphanResult;
  patience.key = key;
  timers_.set(orphan.until, std::move(patience));
}

}  // namespace juggler
