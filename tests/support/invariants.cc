#include "support/invariants.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/profile_point.h"

namespace juggler::test {
namespace {

// The controller looks at silence twice a second, so a device may be given work for so long after
// it should have been suspect.
constexpr Micros kLivenessSlack = milliseconds(501);
constexpr Micros kHeldMax = seconds(5);
constexpr Micros kAttemptSlack = milliseconds(10);
constexpr std::size_t kComplaintsMax = 20;

// Whether the controller still waits for this attempt's result.
bool still_open(const AttemptId& id, const Controller& controller) {
  const TaskRecord* record = controller.tasks().find(id.task);
  return record != nullptr && record->phase == TaskPhase::InFlight &&
         std::any_of(record->attempts.begin(), record->attempts.end(),
                     [&](const Attempt& attempt) { return attempt.id == id && attempt.open; });
}

std::size_t in_flight_on(const Controller& controller, const Dispatch& dispatch) {
  const DeviceState* device = controller.fleet().find(dispatch.device);
  for (std::size_t l = 0; device != nullptr && l < device->lanes.size(); ++l) {
    if (device->facts->processors[l].id == dispatch.processor) {
      return device->lanes[l].in_flight.size();
    }
  }
  return 0;
}

}  // namespace

bool same_answer(const Outcome& a, const Outcome& b) {
  return a.key == b.key && a.kind == b.kind && a.labels == b.labels && a.device == b.device &&
         a.processor == b.processor && a.variant == b.variant;
}

void InvariantChecker::complain(std::string what) {
  if (complaints_.size() < kComplaintsMax) {
    complaints_.push_back(fmt::format("{} us: {}", now_.us, what));
  }
}

std::string InvariantChecker::report() const {
  std::string text;
  for (const std::string& complaint : complaints_) {
    text += complaint + "\n";
  }
  return text;
}

bool InvariantChecker::answered(const TaskKey& key) const {
  const auto at = tasks_.find(key);
  return at != tasks_.end() && at->second.outcome_confirmed;
}

std::vector<TaskKey> InvariantChecker::unanswered() const {
  std::vector<TaskKey> keys;
  for (const auto& [key, book] : tasks_) {
    if (!book.refused && !book.outcome_confirmed) {
      keys.push_back(key);
    }
  }
  return keys;
}

void InvariantChecker::controller_died() {
  publishes_.clear();
  attempts_.clear();
  broker_there_ = false;
  submissions_.clear();
  results_.clear();
  for (auto& [key, book] : tasks_) {
    book.unacked.clear();
  }
}

void InvariantChecker::stepped(Time now, const ControllerEvent& event,
                               std::span<const ControllerAction> actions,
                               const Controller& controller) {
  now_ = now;
  see(event, controller);
  for (const ControllerAction& action : actions) {
    see(action, event, controller);
  }
  check_bounds(controller);
}

void InvariantChecker::see(const ControllerEvent& event, const Controller& controller) {
  if (const auto* task = std::get_if<Submitted>(&event)) {
    const TaskKey& key = task->submission.key;
    // A task without an id gets the rest of it from the controller: see the answer or dispatch.
    if (task->id_given || task->submission.redelivered) {
      if (!task->refusal.empty() && tasks_.contains(key) && !tasks_[key].refused) {
        return;  // what is wrong with this one says nothing of the task of that id
      }
      TaskBook& book = tasks_[key];
      if (!task->refusal.empty()) {
        book.refused = true;
      } else if (book.refused) {
        book = {};  // corrected: now it is a task
      }
      book.unacked.insert(task->delivery);
      submissions_[task->delivery] = key;
    }
  } else if (const auto* arrived = std::get_if<ResultArrived>(&event)) {
    const AttemptResult& result = arrived->result;
    results_[arrived->delivery] = result.attempt;
    tasks_[result.attempt.task].results[result.attempt] = result;
    attempts_.erase(result.attempt);
  } else if (const auto* hello = std::get_if<HelloArrived>(&event)) {
    if (devices_.size() < controller.config().devices_max || devices_.contains(hello->facts.id)) {
      devices_[hello->facts.id] = {hello->facts, now_, false};
    }
  } else if (const auto* beat = std::get_if<HeartbeatArrived>(&event)) {
    const auto at = devices_.find(beat->heartbeat.device);
    if (at != devices_.end() && at->second.facts.incarnation == beat->heartbeat.incarnation) {
      at->second.last_heard = now_;
      at->second.draining = beat->heartbeat.draining || beat->heartbeat.leaving;
    }
  } else if (const auto* decided = std::get_if<DecidedRead>(&event)) {
    TaskBook& book = tasks_[decided->outcome.key];
    book.decided_confirmed = true;
    if (!book.outcome.has_value()) {
      book.outcome = decided->outcome;
    }
  } else if (const auto* settled = std::get_if<PublishSettled>(&event)) {
    settle(*settled);
  } else if (std::holds_alternative<LeadEnded>(event)) {
    submissions_.clear();
    results_.clear();
    for (auto& [key, book] : tasks_) {
      book.unacked.clear();
    }
  }
  see_broker(event);
}

void InvariantChecker::see_broker(const ControllerEvent& event) {
  const auto* blocked = std::get_if<BrokerBlocked>(&event);
  if (std::holds_alternative<LeadEnded>(event) || (blocked != nullptr && blocked->blocked)) {
    broker_there_ = false;
  }
  if (std::holds_alternative<LeadBegun>(event) || (blocked != nullptr && !blocked->blocked)) {
    broker_there_ = true;
    for (auto& [id, device] : devices_) {
      device.last_heard = now_;  // nobody could be heard before
    }
    for (auto& [id, attempt] : attempts_) {
      attempt.give_up = now_ + attempt.patience;  // nor could a result come
    }
  }
}

void InvariantChecker::settle(const PublishSettled& event) {
  const auto at = publishes_.find(event.id);
  if (at == publishes_.end()) {
    return;
  }
  const PublishBook publish = at->second;
  publishes_.erase(at);
  TaskBook& book = tasks_[publish.key];
  // What comes back from juggler.unrouted itself has nowhere else to go.
  const bool arrived = event.end == PublishEnd::Confirmed ||
                       (event.end == PublishEnd::Returned && !publish.addressed);
  if (publish.kind == PublishBook::Kind::Outcome && arrived) {
    book.outcome_confirmed = true;
  } else if (publish.kind == PublishBook::Kind::Decided && event.end == PublishEnd::Confirmed) {
    book.decided_confirmed = true;
  }
}

void InvariantChecker::see(const ControllerAction& action, const ControllerEvent& event,
                           const Controller& controller) {
  if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
    publishes_[dispatch->id] = {PublishBook::Kind::Dispatch, dispatch->dispatch.attempt.task};
    check_dispatch(dispatch->dispatch, controller);
  } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
    publishes_[outcome->id] = {PublishBook::Kind::Outcome, outcome->outcome->key,
                               !outcome->reply_to.empty()};
    check_outcome(outcome->outcome);
  } else if (const auto* decided = std::get_if<SendDecided>(&action)) {
    publishes_[decided->id] = {PublishBook::Kind::Decided, decided->outcome->key};
    check_outcome(decided->outcome);
  } else if (const auto* dead = std::get_if<SendDead>(&action)) {
    publishes_[dead->id] = {PublishBook::Kind::Dead, dead->outcome->key};
    check_outcome(dead->outcome);
  } else if (const auto* answered = std::get_if<TaskAnswered>(&action)) {
    check_outcome(answered->outcome);
    TaskBook& book = tasks_[answered->outcome->key];
    if (const auto* result = std::get_if<ResultArrived>(&event)) {
      book.stands = result->result.attempt;
    } else if (answered->outcome->kind == OutcomeKind::Completed) {
      // From a result that came before its task.
      for (const auto& [attempt, seen] : book.results) {
        if (seen.status == AttemptStatus::Ok && seen.device == answered->outcome->device) {
          book.stands = attempt;
        }
      }
    }
    for (auto at = attempts_.begin(); at != attempts_.end();) {
      at = at->first.task == answered->outcome->key ? attempts_.erase(at) : std::next(at);
    }
  } else if (const auto* ack = std::get_if<AckDelivery>(&action)) {
    check_ack(ack->delivery);
  } else if (const auto* reject = std::get_if<RejectDelivery>(&action)) {
    const auto at = submissions_.find(reject->delivery);
    if (at != submissions_.end() && !tasks_[at->second].refused) {
      complain("the submission of " + at->second.id + " was thrown to the dead letters");
    }
  }
}

void InvariantChecker::check_dispatch(const Dispatch& dispatch, const Controller& controller) {
  const TaskKey& key = dispatch.attempt.task;
  const auto task = tasks_.find(key);
  const bool anonymous = key.id.rfind("anonymous", 0) == 0;
  if (task == tasks_.end() ? !anonymous : task->second.refused) {
    complain("a dispatch of " + key.id + ", which was never accepted");
  }
  if (task != tasks_.end() && task->second.outcome_confirmed) {
    complain("a dispatch of " + key.id + ", which is answered: it would run again");
  }
  const auto device = devices_.find(dispatch.device);
  if (device == devices_.end()) {
    complain("a dispatch to " + dispatch.device + ", which never said hello");
    return;
  }
  if (device->second.draining) {
    complain("a dispatch to " + dispatch.device + ", which is draining");
  }
  const Micros silent = now_ - device->second.last_heard;
  if (silent > controller.config().suspect_after + kLivenessSlack) {
    complain(fmt::format("a dispatch to {}, silent for {} us", dispatch.device, silent.count));
  }
  check_requirements(dispatch, controller);
  check_prediction(dispatch, controller);
}

void InvariantChecker::check_requirements(const Dispatch& dispatch, const Controller& controller) {
  const DeviceFacts& facts = devices_[dispatch.device].facts;
  const Profile* profile = nullptr;
  for (const Processor& processor : facts.processors) {
    const auto window = static_cast<std::size_t>(processor.window_batches);
    if (processor.id == dispatch.processor && in_flight_on(controller, dispatch) > window) {
      complain("more in flight on " + dispatch.device + "/" + processor.id + " than its window");
    }
    for (const Profile& candidate : processor.profiles) {
      if (processor.id == dispatch.processor && candidate.variant == dispatch.variant) {
        profile = &candidate;
      }
    }
  }
  const Variant* variant = facts.find_variant(dispatch.variant);
  const TaskRecord* record = controller.tasks().find(dispatch.attempt.task);
  if (profile == nullptr || variant == nullptr) {
    complain(fmt::format("a dispatch to {}/{} without a profile for {}", dispatch.device,
                         dispatch.processor, dispatch.variant));
    return;
  }
  if (record == nullptr) {
    return;  // a mutated driver renamed it
  }
  const Requirements& wanted = record->submission.requirements;
  if (wanted.min_accuracy.has_value() && variant->accuracy < *wanted.min_accuracy) {
    complain("a dispatch of " + record->submission.key.id + " below its accuracy floor");
  }
  // Its share of the batch, at the board's input, by the upper end of the interval.
  const std::optional<EnergyFigure> energy = point_at(*profile, dispatch.batch_size).energy;
  const std::int64_t to_input = facts.to_board_input.factor_permille;
  if (wanted.max_energy.has_value() &&
      (!energy.has_value() ||
       energy->high * to_input / 1000 / dispatch.batch_size > *wanted.max_energy)) {
    complain("a dispatch of " + record->submission.key.id + " over its energy limit");
  }
  if (dispatch.budget <= Micros{0} || now_ + dispatch.budget > record->deadline) {
    complain("a dispatch of " + record->submission.key.id + " with time it does not have");
  }
}

void InvariantChecker::check_prediction(const Dispatch& dispatch, const Controller& controller) {
  Micros predicted = controller.config().deadline_max;
  const std::optional<Explanation> why = controller.decisions().explain(dispatch.attempt.task.id);
  if (why.has_value() && !why->candidates.empty() && why->candidates.front().chosen) {
    predicted = why->candidates.front().finish;
    if (predicted > why->remaining) {
      complain(fmt::format("a dispatch of {} predicted to finish in {} us, with {} us left",
                           dispatch.attempt.task.id, predicted.count, why->remaining.count));
    }
  }
  // The rule of one deadline per attempt: by then it has its result, or counts as lost.
  // It runs only while the broker is there.
  // A batch may have been held back since it was planned; never beyond its deadline.
  const Micros patience =
      std::min(dispatch.budget, predicted + kHeldMax) * 2 + seconds(2) + kAttemptSlack;
  attempts_[dispatch.attempt] = {patience, now_ + patience};
}

void InvariantChecker::check_outcome(const Outcome& outcome) {
  TaskBook& book = tasks_[outcome.key];
  if (book.refused) {
    return;
  }
  if (!book.outcome.has_value()) {
    book.outcome = outcome;
  } else if (!same_answer(*book.outcome, outcome)) {
    if (book.outcome_confirmed || book.decided_confirmed) {
      complain(fmt::format("a second outcome of {}: {} after {}", outcome.key.id,
                           to_string(outcome.kind), to_string(book.outcome->kind)));
    }
    book.outcome = outcome;
  }
}

void InvariantChecker::check_ack(DeliveryId delivery) {
  const auto submitted = submissions_.find(delivery);
  if (submitted != submissions_.end()) {
    TaskBook& book = tasks_[submitted->second];
    const std::string& id = submitted->second.id;
    if (!book.outcome_confirmed) {
      complain("the submission of " + id + " was acked before its outcome was confirmed");
    }
    if (book.outcome.has_value() && book.outcome->kind != OutcomeKind::Completed &&
        !book.decided_confirmed && !book.refused) {
      complain("the submission of " + id + " was acked before its decided record was confirmed");
    }
    book.unacked.erase(delivery);
    submissions_.erase(submitted);
  }
  const auto result = results_.find(delivery);
  if (result != results_.end()) {
    const TaskBook& book = tasks_[result->second.task];
    const auto seen = book.results.find(result->second);
    const bool ok = seen != book.results.end() && seen->second.status == AttemptStatus::Ok;
    const bool stands = book.stands == result->second && book.outcome.has_value() &&
                        book.outcome->kind == OutcomeKind::Completed;
    if (ok && stands && (!book.outcome_confirmed || !book.unacked.empty())) {
      complain("the result of " + result->second.task.id + " was acked before its submission");
    }
    results_.erase(result);
  }
}

void InvariantChecker::check_bounds(const Controller& controller) {
  std::size_t live = 0;
  for (const auto& [number, record] : controller.tasks().all()) {
    live += record.phase == TaskPhase::Answering ? 0U : 1U;
  }
  if (live > controller.config().tasks_max) {
    complain(fmt::format("{} live tasks, over the bound", live));
  }
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    if (!broker_there_ || now_ <= at->second.give_up) {
      ++at;
      continue;
    }
    if (still_open(at->first, controller)) {
      complain("an attempt of " + at->first.task.id + " never ended: no deadline of its own");
    }
    at = attempts_.erase(at);
  }
}

}  // namespace juggler::test
