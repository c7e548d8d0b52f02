#include "http/front.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "http/infer.h"
#include "http/replies.h"
#include "wire/messages.h"

namespace juggler::http {
namespace {

const char* content_type_of(PayloadKind kind) {
  return kind == PayloadKind::Png ? "image/png" : "image/jpeg";
}

// How long an outcome may take: a controller answers by the deadline.
Micros wait_of(const wire::Envelope& task, const FrontOptions& options) {
  const std::optional<Micros> deadline =
      wire::decode_submission(task, false).submission.requirements.deadline;
  return deadline.has_value() ? *deadline + options.answer_grace : options.answer_wait;
}

}  // namespace

Front::Front(Transport& transport, Clock& clock, FrontOptions options)
    : transport_(transport), clock_(clock), options_(std::move(options)) {}

void Front::take(Ticket ticket, const Route& route, const Request& request) {
  switch (route.asks) {
    case Asks::Classify:
      return submit(ticket, request, read_classify(request), false);
    case Asks::Submit:
      return submit(ticket, request, read_classify(request), true);
    case Asks::Infer:
      return submit(ticket, request, read_infer(request, route.name), false);
    case Asks::TaskState:
      return options_.reply(ticket, state_of(task_of(request.who, route.name), route.name));
    case Asks::Overview:
    case Asks::Live:
    case Asks::Ready:
    case Asks::Server:
    case Asks::Model:
    case Asks::ModelReady:
    case Asks::Status:
    case Asks::Devices:
    case Asks::Models:
    case Asks::Metrics:
      return look_up(ticket, route);
  }
}

void Front::turn(Micros wait_max) {
  events_.clear();
  transport_.poll(wait_max, events_);
  for (const TransportEvent& event : std::exchange(events_, {})) {
    std::visit([this](const auto& e) { handle(e); }, event);
  }
  check_tasks();
  check_questions();
}

void Front::handle(const TransportConnected& event) {
  reply_queue_ = event.reply_queue;
  // The last reply queue is gone, and with it what was on its way: all that is open is sent again
  // under its id, and run once all the same.
  for (auto& [task, open] : open_) {
    send(open);
  }
}

void Front::handle(const TransportDisconnected& /*event*/) {
  reply_queue_.clear();
  fail_questions(no_broker());
}

void Front::handle(const TransportDelivery& event) {
  transport_.ack(event.id);
  if (!answer_came(event.envelope)) {
    outcome_came(event.envelope);
  }
}

void Front::handle(const TransportSettled& event) {
  if (question_settled(event)) {
    return;
  }
  const auto open = std::find_if(open_.begin(), open_.end(), [&event](const auto& entry) {
    return entry.second.publish == event.id;
  });
  if (open == open_.end()) {
    return;
  }
  open->second.publish = 0;
  switch (event.end) {
    case PublishEnd::Confirmed:
      return accepted(open->first, open->second);
    case PublishEnd::Returned:
      return give_up(open, no_controller());
    case PublishEnd::Refused:
      return give_up(open, try_later({.status = 503,
                                      .error = "the fleet takes no more now",
                                      .why = "the broker's queue of tasks is full",
                                      .next = "send it again later, under the same id"}));
    case PublishEnd::Unknown:  // its connection is gone, and it is sent again with the next
      break;
  }
}

void Front::submit(Ticket ticket, const Request& request, Result<Asked> asked, bool acceptance) {
  if (!asked) {
    return options_.reply(ticket, unreadable(asked.error()));
  }
  const std::string id = asked->id.empty() ? options_.fresh_id() : asked->id;
  const std::string task = task_of(request.who, id);
  Waiter waiter{ticket, acceptance, std::move(asked->infer)};
  if (const auto open = open_.find(task); open != open_.end()) {
    return attach(task, open->second, std::move(waiter));
  }
  if (const auto kept = kept_.find(task); kept != kept_.end()) {
    return options_.reply(
        ticket, acceptance ? accepted_reply(id, task, true)
                           : outcome_reply(id, task, kept->second.outcome, kept->second.json));
  }
  if (asked->picture) {
    const Result<PayloadKind> kind = options_.read_picture(*asked->task.body);
    if (!kind) {
      return options_.reply(ticket, unreadable(kind.error()));
    }
    asked->task.content_type = content_type_of(*kind);
  }
  const std::size_t bytes = asked->task.body->size();
  if (std::optional<Reply> full = no_room(request.who, bytes)) {
    return options_.reply(ticket, std::move(*full));
  }
  Open& open = open_[task];
  open.who = request.who;
  open.id = id;
  open.task = std::move(asked->task);
  open.task.exchange = wire::kSubmitExchange;
  open.task.routing_key = wire::kTasksQueue;
  open.task.message_id = task;
  open.task.correlation_id = task;
  open.task.user_id = options_.user;
  open.fetched = acceptance;
  open.give_up = clock_.now() + wait_of(open.task, options_);
  open.waiters.push_back(std::move(waiter));
  payloads_ += Bytes{static_cast<std::int64_t>(bytes)};
  open_of_[request.who] += 1;
  send(open);
}

// Whether another task can be taken; why not, where it cannot.
std::optional<Reply> Front::no_room(const std::string& who, std::size_t bytes) const {
  if (reply_queue_.empty()) {
    return no_broker();
  }
  const auto of_one = open_of_.find(who);
  if (of_one != open_of_.end() && of_one->second >= options_.tasks_of_one_max) {
    return try_later({.status = 429,
                      .error = "too many tasks of yours are under way",
                      .why = fmt::format("at most {} at once", options_.tasks_of_one_max),
                      .next = "wait for some of their outcomes"});
  }
  if (open_.size() >= options_.tasks_max ||
      payloads_ + Bytes{static_cast<std::int64_t>(bytes)} > options_.payloads_max) {
    return try_later({.status = 503,
                      .error = "too many tasks are under way",
                      .why = fmt::format("at most {} with {} MiB at once", options_.tasks_max,
                                         options_.payloads_max.count >> 20U),
                      .next = "send it again later"});
  }
  return std::nullopt;
}

// The same task again while it lives: one run, a reply for each who asked.
void Front::attach(const std::string& task, Open& open, Waiter waiter) {
  open.fetched = open.fetched || waiter.acceptance;
  if (waiter.acceptance && open.confirmed) {
    return options_.reply(waiter.ticket, accepted_reply(open.id, task, false));
  }
  if (!waiter.acceptance) {
    open.give_up = std::max(open.give_up, clock_.now() + wait_of(open.task, options_));
  }
  open.waiters.push_back(std::move(waiter));
}

void Front::send(Open& open) {
  open.task.reply_to = reply_queue_;
  open.publish = ++last_publish_;
  transport_.publish(open.publish, open.task);
}

void Front::accepted(const std::string& task, Open& open) {
  open.confirmed = true;
  const auto waits = [](const Waiter& waiter) { return !waiter.acceptance; };
  const auto first = std::stable_partition(open.waiters.begin(), open.waiters.end(), waits);
  for (auto waiter = first; waiter != open.waiters.end(); ++waiter) {
    options_.reply(waiter->ticket, accepted_reply(open.id, task, false));
  }
  open.waiters.erase(first, open.waiters.end());
}

void Front::outcome_came(const wire::Envelope& message) {
  const Result<Outcome> outcome = wire::decode_outcome(message);
  // By its correlation id: the outcome of a message that the controller could not read has an id
  // of its own. What nobody waits for is a copy, after a crash or a repeated submission.
  const auto at = outcome ? open_.find(message.correlation_id) : open_.end();
  if (at == open_.end()) {
    return;
  }
  const auto& [task, open] = *at;
  accepted(task, at->second);  // whoever has an outcome was accepted
  for (const Waiter& waiter : open.waiters) {
    const bool by_protocol = waiter.infer.has_value() && outcome->kind == OutcomeKind::Completed;
    options_.reply(waiter.ticket, by_protocol
                                      ? infer_reply(*waiter.infer, open.id, task, *outcome)
                                      : outcome_reply(open.id, task, *outcome, *message.body));
  }
  at->second.waiters.clear();
  if (open.fetched) {
    keep(task, {open.who, open.id, *message.body, *outcome, clock_.now() + options_.kept_for});
  }
  give_up(at, {});
}

// Ends a task here; whoever still waits gets `reply`.
void Front::give_up(std::map<std::string, Open>::iterator at, const Reply& reply) {
  for (const Waiter& waiter : at->second.waiters) {
    options_.reply(waiter.ticket, reply);
  }
  payloads_ -= Bytes{static_cast<std::int64_t>(at->second.task.body->size())};
  if (const auto of_one = open_of_.find(at->second.who); --of_one->second == 0) {
    open_of_.erase(of_one);
  }
  open_.erase(at);
}

void Front::check_tasks() {
  const Time now = clock_.now();
  for (auto at = open_.begin(); at != open_.end();) {
    const auto current = at++;
    Open& open = current->second;
    if (now < open.give_up) {
      continue;
    }
    const Reply late =
        reply_queue_.empty()
            ? no_broker()
            : refuse({.status = 504,
                      .error = "no outcome has come in time",
                      .why = "the task was sent to the fleet; it may still be served",
                      .next = "send it again under the same id '" + open.id + "': it is run once"});
    if (open.fetched && !open.waiters.empty()) {  // somebody may fetch it later
      for (const Waiter& waiter : std::exchange(open.waiters, {})) {
        options_.reply(waiter.ticket, late);
      }
    }
    if (open.fetched && now < open.give_up + options_.unfetched_wait) {
      continue;
    }
    give_up(current, late);
  }
  std::vector<std::string> over;
  for (const auto& [who, of_one] : kept_of_) {
    const bool old = kept_.at(of_one.order.front()).until <= now;
    if (old) {
      over.push_back(who);
    }
  }
  for (const std::string& who : over) {
    forget_oldest(who);  // one of each at a turn
  }
}

// Whoever keeps most loses its oldest, so that nobody's outcomes are crowded out by another's.
void Front::keep(const std::string& task, Kept kept) {
  const Bytes size{static_cast<std::int64_t>(kept.json.size())};
  KeptOfOne& of_one = kept_of_[kept.who];
  of_one.order.push_back(task);
  of_one.bytes += size;
  kept_bytes_ += size;
  kept_.emplace(task, std::move(kept));
  while (kept_.size() > options_.kept_max || kept_bytes_ > options_.kept_bytes_max) {
    const bool by_bytes = kept_bytes_ > options_.kept_bytes_max;
    const auto most = std::max_element(
        kept_of_.begin(), kept_of_.end(), [by_bytes](const auto& less, const auto& more) {
          return by_bytes ? less.second.bytes < more.second.bytes
                          : less.second.order.size() < more.second.order.size();
        });
    forget_oldest(most->first);
  }
}

// requires  outcomes of this one
void Front::forget_oldest(const std::string& who) {
  const auto of_one = kept_of_.find(who);
  const auto oldest = kept_.find(of_one->second.order.front());
  const Bytes size{static_cast<std::int64_t>(oldest->second.json.size())};
  kept_bytes_ -= size;
  of_one->second.bytes -= size;
  of_one->second.order.pop_front();
  kept_.erase(oldest);
  if (of_one->second.order.empty()) {
    kept_of_.erase(of_one);
  }
}

Reply Front::state_of(const std::string& task, const std::string& id) const {
  if (const auto kept = kept_.find(task); kept != kept_.end()) {
    return state_reply(id, task, kept->second.json);
  }
  const auto open = open_.find(task);
  if (open != open_.end() && open->second.fetched) {
    return state_reply(id, task, "");
  }
  return refuse({.status = 404,
                 .error = "no task of yours by that id is kept here",
                 .why = fmt::format("outcomes are kept for {} minutes, by the server that took the "
                                    "task, until it ends",
                                    options_.kept_for.count / 60'000'000),
                 .next =
                     "send the picture again to /v1/tasks under the same id: what was answered "
                     "is answered again and not run again, as long as the controller knows it"});
}

}  // namespace juggler::http
