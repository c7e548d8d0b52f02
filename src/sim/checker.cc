#include "sim/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

namespace juggler::sim {
namespace {

constexpr std::size_t kComplaintsMax = 20;

// Whether the controller still waits for this attempt's result.
bool still_open(const AttemptId& id, const Controller& controller) {
  const TaskRecord* record = controller.tasks().find(id.task);
  return record != nullptr && record->phase == TaskPhase::InFlight &&
         std::any_of(record->attempts.begin(), record->attempts.end(),
                     [&](const Attempt& attempt) { return attempt.id == id && attempt.open; });
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

void InvariantChecker::ControllerBook::forget(std::map<AttemptId, OpenAttempt>::iterator attempt) {
  give_up.erase({attempt->second.give_up, attempt->first});
  attempts.erase(attempt);
}

void InvariantChecker::forget_deliveries() {
  book_->submissions.clear();
  book_->results.clear();
  go_back([this](std::size_t holder) { return holder == who_; });
}

// What these controllers hold unacked the broker delivers again.
void InvariantChecker::go_back(const std::function<bool(std::size_t)>& of) {
  for (auto& [key, task] : tasks_) {
    const std::size_t lost =
        std::erase_if(task.unacked, [&of](const auto& open) { return of(open.first); });
    task.comes_again = task.comes_again || lost > 0;
  }
}

void InvariantChecker::controller_died(std::size_t who) {
  who_ = who;
  book_ = &books_[who];
  forget_deliveries();
  books_.erase(who);
  if (leader_ == who) {
    leader_.reset();
  }
}

void InvariantChecker::result_lost(const AttemptId& attempt) {
  const auto at = tasks_.find(attempt.task);
  if (at != tasks_.end() && at->second.stands == attempt) {
    at->second.stands.reset();
    at->second.outcome.reset();
    at->second.outcome_confirmed = false;
  }
}

void InvariantChecker::stepped(Time now, const ControllerEvent& event,
                               std::span<const ControllerAction> actions,
                               const Controller& controller, std::size_t who) {
  now_ = now;
  who_ = who;
  book_ = &books_[who];
  allow_for_stall(controller.config());
  see(event, controller);
  for (const ControllerAction& action : actions) {
    see(action, event, controller);
  }
  check_bounds(controller);
  book_->due = controller.next_timer();
}

// A controller that comes later than it wanted to be woken was stopped itself, and could hear
// nobody.
void InvariantChecker::allow_for_stall(const ControllerConfig& config) {
  const Micros late = now_ - std::min(now_, book_->due);
  if (late > config.own_stall) {
    for (auto& [id, device] : book_->devices) {
      device.last_heard = std::min(now_, device.last_heard + late);
    }
  }
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
        return;  // nothing is promised for it
      }
      if (book.refused) {
        book = {};  // corrected: now it is a task
      }
      if (leader_.has_value() && *leader_ != who_) {
        return;  // it was stopped, and reads what the broker has given to its successor since
      }
      if (of_the_past(book, task->submission)) {
        book = {};
      }
      if (book.askers.empty()) {
        book.size = task->submission.payload.size;
      }
      book.askers.insert(task->submission.reply_to);
      if (task->submission.payload.size > book.size) {
        return;  // no copy of it: told what it is told, and let go of
      }
      book.comes_again = false;
      book.unacked.insert({who_, task->delivery});
      book_->submissions[task->delivery] = key;
    }
  } else if (const auto* arrived = std::get_if<ResultArrived>(&event)) {
    const AttemptResult& result = arrived->result;
    if (invented(result.attempt.task, result.device)) {
      return;  // nothing may come of it
    }
    book_->results[arrived->delivery] = result.attempt;
    tasks_[result.attempt.task].results[result.attempt] = result;
    book_->powered.erase(result.attempt);
    if (const auto open = book_->attempts.find(result.attempt); open != book_->attempts.end()) {
      book_->forget(open);
    }
  } else if (const auto* hello = std::get_if<HelloArrived>(&event)) {
    if (book_->devices.size() < controller.config().devices_max ||
        book_->devices.contains(hello->facts.id)) {
      book_->devices[hello->facts.id] = {hello->facts, now_, false};
    }
  } else if (const auto* beat = std::get_if<HeartbeatArrived>(&event)) {
    const auto at = book_->devices.find(beat->heartbeat.device);
    if (at != book_->devices.end() && at->second.facts.incarnation == beat->heartbeat.incarnation) {
      at->second.last_heard = now_;
      at->second.beat = beat->heartbeat.every;
      at->second.draining = beat->heartbeat.draining || beat->heartbeat.leaving;
      at->second.left = beat->heartbeat.leaving;
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
    forget_deliveries();
    book_->publishes.clear();
    if (leader_ == who_) {
      leader_.reset();
    }
  }
  if (std::holds_alternative<LeadBegun>(event)) {
    // Nobody leads before the broker has closed the connection of who led, who may be frozen and
    // not know of it.
    go_back([this](std::size_t holder) { return holder != who_; });
    book_->redelivered_by = Time::never();
    leader_ = who_;
  }
  if (std::holds_alternative<TasksRead>(event)) {
    book_->redelivered_by = now_ + controller.config().orphan_result_max;
  }
  see_broker(event);
}

void InvariantChecker::see_broker(const ControllerEvent& event) {
  const auto* blocked = std::get_if<BrokerBlocked>(&event);
  if (std::holds_alternative<LeadEnded>(event) || (blocked != nullptr && blocked->blocked)) {
    book_->broker_there = false;
  }
  if (std::holds_alternative<LeadBegun>(event) || (blocked != nullptr && !blocked->blocked)) {
    book_->broker_there = true;
    for (auto& [id, device] : book_->devices) {
      device.last_heard = now_;  // nobody could be heard before
    }
    book_->give_up.clear();
    for (auto& [id, attempt] : book_->attempts) {
      attempt.give_up = now_ + attempt.patience;  // nor could a result come
      book_->give_up.insert({attempt.give_up, id});
    }
  }
}

void InvariantChecker::settle(const PublishSettled& event) {
  const auto at = book_->publishes.find(event.id);
  if (at == book_->publishes.end()) {
    return;
  }
  const PublishBook publish = at->second;
  book_->publishes.erase(at);
  const bool undelivered = event.end == PublishEnd::Returned || event.end == PublishEnd::Refused;
  if (publish.attempt.has_value() && undelivered) {
    book_->powered.erase(*publish.attempt);
  }
  if (publish.of_refused) {
    return;  // a task may have come under its id since
  }
  TaskBook& book = tasks_[publish.key];
  // What comes back from juggler.unrouted itself has nowhere else to go.
  const bool arrived = event.end == PublishEnd::Confirmed ||
                       (event.end == PublishEnd::Returned && !publish.addressed);
  if (publish.kind == PublishBook::Kind::Outcome && arrived) {
    book.outcome_confirmed = true;
    book.answered_by = who_;
  } else if (publish.kind == PublishBook::Kind::Decided && event.end == PublishEnd::Confirmed) {
    book.decided_confirmed = true;
  }
}

void InvariantChecker::see(const ControllerAction& action, const ControllerEvent& event,
                           const Controller& controller) {
  if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
    book_->publishes[dispatch->id] = {PublishBook::Kind::Dispatch, dispatch->dispatch.attempt.task,
                                      dispatch->dispatch.attempt};
    given_[dispatch->dispatch.attempt.task].insert(dispatch->dispatch.device);
    check_dispatch(dispatch->dispatch, controller);
  } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
    book_->publishes[outcome->id] = {.kind = PublishBook::Kind::Outcome,
                                     .key = outcome->outcome->key,
                                     .addressed = !outcome->reply_to.empty(),
                                     .of_refused = tasks_[outcome->outcome->key].refused};
    check_outcome(outcome->outcome);
    check_record(outcome->outcome);
  } else if (const auto* decided = std::get_if<SendDecided>(&action)) {
    book_->publishes[decided->id] = {PublishBook::Kind::Decided, decided->outcome->key};
    check_outcome(decided->outcome);
  } else if (const auto* dead = std::get_if<SendDead>(&action)) {
    book_->publishes[dead->id] = {PublishBook::Kind::Dead, dead->outcome->key};
    check_outcome(dead->outcome);
  } else if (const auto* answered = std::get_if<TaskAnswered>(&action)) {
    if (!controller.leading()) {
      return;  // it is sent when the controller leads again, unless another has led meanwhile
    }
    check_outcome(answered->outcome);
    if (answered->outcome->kind == OutcomeKind::Completed &&
        invented(answered->outcome->key, answered->outcome->device)) {
      complain(answered->outcome->key.id + " was answered by " + answered->outcome->device +
               ", which was not given it");
    }
    TaskBook& book = tasks_[answered->outcome->key];
    if (const auto* result = std::get_if<ResultArrived>(&event)) {
      book.stands = result->result.attempt;
    } else if (answered->outcome->kind == OutcomeKind::Completed) {
      // From a result that came before its task.
      for (const auto& [attempt, seen] : book.results) {
        const Outcome& given = *answered->outcome;
        if (seen.status == AttemptStatus::Ok && seen.device == given.device &&
            seen.processor == given.processor && seen.variant == given.variant &&
            seen.queued == given.queued && seen.compute == given.compute) {
          book.stands = attempt;
        }
      }
    }
    auto open = book_->attempts.lower_bound(AttemptId{answered->outcome->key, INT64_MIN, INT_MIN});
    while (open != book_->attempts.end() && open->first.task == answered->outcome->key) {
      book_->forget(open++);
    }
  } else if (const auto* ack = std::get_if<AckDelivery>(&action)) {
    check_ack(ack->delivery);
  } else if (const auto* reject = std::get_if<RejectDelivery>(&action)) {
    const auto at = book_->submissions.find(reject->delivery);
    if (at != book_->submissions.end() && !tasks_[at->second].refused) {
      complain("the submission of " + at->second.id + " was thrown to the dead letters");
    }
  }
}

bool InvariantChecker::invented(const TaskKey& task, const std::string& device) const {
  const auto given = given_.find(task);
  return sees_all_dispatches_ && (given == given_.end() || !given->second.contains(device));
}

// Whether this is no more than what its client has sent once more since it was answered, and comes
// to a leader that has not answered it: it may run again (docs/protocol.md, `message_id`). What an
// earlier leader has read, and not acked, comes again as `redelivered`; not so what lay behind it.
bool InvariantChecker::of_the_past(TaskBook& book, const Submission& submission) const {
  if (!book.outcome_confirmed) {
    return false;
  }
  const bool over = book.unacked.empty() && !book.comes_again;
  const bool copy = !submission.redelivered || !book.askers.contains(submission.reply_to);
  book.only_copies = book.only_copies || (over && copy);
  return book.only_copies && book.answered_by != who_;
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

// Nobody is told an outcome that no result stands for before the broker keeps a record of it: were
// the record lost, the next leader would give another.
void InvariantChecker::check_record(const Outcome& outcome) {
  const TaskBook& book = tasks_[outcome.key];
  const bool recorded = outcome.kind == OutcomeKind::Completed || book.decided_confirmed;
  if (!recorded && !book.refused && !book.unacked.empty()) {
    complain("the outcome of " + outcome.key.id + " was sent before its record was confirmed");
  }
}

// Of more than 16 copies of one task, or 4,096 or 256 MiB of all, some are acked and not told;
// never the last.
bool InvariantChecker::one_of_too_many(const TaskBook& book) const {
  if (book.unacked.size() > kAskersMax) {
    return true;
  }
  std::size_t copies = 0;
  Bytes bytes;
  for (const auto& [key, other] : tasks_) {
    const std::size_t more = other.unacked.empty() ? 0 : other.unacked.size() - 1;
    copies += more;
    bytes += other.size * static_cast<std::int64_t>(more);
  }
  return book.unacked.size() > 1 && (copies > kJoinedMax || bytes > kJoinedBytesMax);
}

void InvariantChecker::check_ack(DeliveryId delivery) {
  const auto submitted = book_->submissions.find(delivery);
  if (submitted != book_->submissions.end()) {
    TaskBook& book = tasks_[submitted->second];
    const std::string& id = submitted->second.id;
    if (!book.outcome_confirmed && !one_of_too_many(book)) {
      complain("the submission of " + id + " was acked before its outcome was confirmed");
    }
    if (book.outcome_confirmed && book.outcome.has_value() &&
        book.outcome->kind != OutcomeKind::Completed && !book.decided_confirmed && !book.refused) {
      complain("the submission of " + id + " was acked before its decided record was confirmed");
    }
    book.unacked.erase({who_, delivery});
    book_->submissions.erase(submitted);
  }
  const auto result = book_->results.find(delivery);
  if (result != book_->results.end()) {
    const TaskBook& book = tasks_[result->second.task];
    const auto seen = book.results.find(result->second);
    const bool ok = seen != book.results.end() && seen->second.status == AttemptStatus::Ok;
    const bool stands = book.stands == result->second && book.outcome.has_value() &&
                        book.outcome->kind == OutcomeKind::Completed;
    // A copy that came by another delivery may go, as long as one stays.
    const bool copy =
        std::any_of(book_->results.begin(), book_->results.end(), [&](const auto& other) {
          return other.first != delivery && other.first.incarnation == delivery.incarnation &&
                 other.second == result->second;
        });
    // What has not come by then the broker lost with its power, before it had confirmed it.
    const bool comes_again = book.comes_again && now_ < book_->redelivered_by;
    const bool open = !book.unacked.empty() || comes_again;
    if (ok && stands && !copy && (!book.outcome_confirmed || open)) {
      complain("the result of " + result->second.task.id + " was acked before its submission");
    }
    book_->results.erase(result);
  }
}

void InvariantChecker::check_bounds(const Controller& controller) {
  // Over the bound it may be by what a newcomer was dispatched with, and stay so when that comes
  // back; what waits alone never is.
  constexpr std::size_t kDispatchedBeside = 16;
  const TaskTable& tasks = controller.tasks();
  const ControllerConfig& bounds = controller.config();
  if (tasks.held() > bounds.tasks_max || tasks.payload_bytes() > bounds.tasks_bytes_max) {
    std::size_t waiting = 0;
    Bytes bytes;
    for (const auto& [number, record] : tasks.all()) {
      const bool waits = record.phase == TaskPhase::Waiting && record.attempts.empty();
      waiting += waits ? 1U : 0U;
      bytes += waits ? record.submission.payload.size : Bytes{0};
    }
    if (waiting > bounds.tasks_max || bytes > bounds.tasks_bytes_max ||
        tasks.held() > bounds.tasks_max + kDispatchedBeside) {
      complain(fmt::format("{} live tasks, over the bound; {} of {} bytes wait", tasks.held(),
                           waiting, bytes.count));
    }
  }
  if (tasks.joined() > kJoinedMax) {
    complain(fmt::format("{} copies of live tasks, over the bound", tasks.joined()));
  }
  while (book_->broker_there && !book_->give_up.empty() && book_->give_up.begin()->first < now_) {
    const AttemptId id = book_->give_up.begin()->second;
    if (still_open(id, controller)) {
      complain("an attempt of " + id.task.id + " never ended: no deadline of its own");
    }
    book_->forget(book_->attempts.find(id));
  }
}

}  // namespace juggler::sim
