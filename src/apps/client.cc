#include "apps/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "runtime/queries.h"
#include "runtime/topology.h"
#include "wire/messages.h"

namespace juggler {
namespace {

constexpr Micros kTurn = milliseconds(100);
constexpr Micros kQuietHint = seconds(5);
constexpr const char* kNoController =
    "no controller has declared the queue juggler.tasks on this broker: is one running? Start "
    "`juggler up`, or `juggler controller`";

}  // namespace

std::string fresh_task_id(const std::string& prefix) {
  std::random_device entropy;
  const std::uint64_t number = (std::uint64_t{entropy()} << 32U) | entropy();
  return fmt::format("{}-{:016x}", prefix, number);
}

void Client::poll(Micros wait_max) {
  events_.clear();
  transport_.poll(wait_max, events_);
  std::vector<TransportEvent> events;
  std::swap(events, events_);
  for (const TransportEvent& event : events) {
    std::visit([this](const auto& e) { handle(e); }, event);
  }
  std::swap(events, events_);
}

void Client::handle(const TransportConnected& event) {
  reply_queue_ = event.reply_queue;
  problem_.clear();
  // The reply queue of the last connection is gone, and with it every outcome that was on its way:
  // all that is open is sent again, under the same id, and run once all the same.
  for (auto& [id, open] : open_) {
    send(open);
  }
}

void Client::handle(const TransportDisconnected& event) {
  reply_queue_.clear();
  problem_ = event.reason;
  say("no connection to the broker: " + event.reason + "; trying again");
}

void Client::handle(const TransportBlocked& event) {
  blocked_ = event.blocked;
  say(event.blocked ? "the broker takes no messages now (memory or disk alarm): " + event.reason
                    : std::string("the broker takes messages again"));
}

void Client::handle(const TransportDelivery& event) {
  transport_.ack(event.id);
  const wire::Envelope& message = event.envelope;
  if (!question_.empty() && message.correlation_id == question_) {
    answer_ = message.body != nullptr ? *message.body : std::string();
    return;
  }
  const Result<Outcome> outcome = wire::decode_outcome(message);
  if (!outcome) {
    say("an outcome could not be read: " + outcome.error().message);
    return;
  }
  // What nobody waits for is a second copy of an outcome, after a crash or a repeated submission.
  const auto open = open_.find(outcome->key.id);
  if (open == open_.end()) {
    return;
  }
  ClientAnswer answer;
  answer.end = ClientEnd::Answered;
  answer.outcome = *outcome;
  answer.json = message.body != nullptr ? *message.body : std::string();
  answer.sent = open->second.sent;
  answer.round_trip = clock_.now() - answer.sent;
  end(open->second.index, std::move(answer));
}

void Client::handle(const TransportSettled& event) {
  if (event.id == question_publish_) {
    question_end_ = event.end;
    return;
  }
  const auto open = std::find_if(open_.begin(), open_.end(), [&event](const auto& entry) {
    return entry.second.publish == event.id;
  });
  if (open == open_.end()) {
    return;
  }
  open->second.publish = 0;
  if (event.end == PublishEnd::Returned) {
    end(open->second.index, {.end = ClientEnd::Unroutable, .problem = kNoController});
  } else if (event.end == PublishEnd::Refused) {
    end(open->second.index,
        {.end = ClientEnd::Refused,
         .problem = "the broker refused the message: its queue of tasks is full, or the message is "
                    "too large; try again later"});
  }
  // Unknown: its connection is gone, and it is sent again with the next.
}

Result<void> Client::connect(Micros wait_max) {
  const Time until = clock_.now() + wait_max;
  while (reply_queue_.empty()) {
    const Time now = clock_.now();
    if (stopped()) {
      return fail(ErrorCode::Unavailable, "stopped before there was a connection to the broker");
    }
    if (now >= until) {
      return fail(ErrorCode::Unavailable,
                  "no connection to the broker: " +
                      (problem_.empty() ? std::string("it does not answer") : problem_) +
                      ". Is it running? Check its address (see juggler doctor)");
    }
    poll(std::min(kTurn, until - now));
  }
  return {};
}

Result<nlohmann::json> Client::ask(const std::string& what, const std::string& task,
                                   Micros wait_max) {
  return ask_with(make_query(what, task, "", ""), wait_max,
                  "no controller answers questions on this broker: is one running? Start "
                  "`juggler up`, or `juggler controller`",
                  fmt::format("the controller did not answer within {} s: is it running and "
                              "connected? Look at its log (`juggler up` writes "
                              "<home>/logs/controller.log)",
                              wait_max.count / 1'000'000));
}

Result<nlohmann::json> Client::ask_keeper(Micros wait_max) {
  wire::Envelope question = make_query("fleet", "", "", "");
  question.routing_key = kKeeperQueue;
  return ask_with(std::move(question), wait_max,
                  "no keeper answers on this broker, and it has the labels, groups and models: "
                  "start `juggler keeper` (`juggler up` runs it)",
                  "the keeper did not answer: is it connected? Look at its log (`juggler up` "
                  "writes <home>/logs/keeper.log)");
}

Result<nlohmann::json> Client::ask_with(wire::Envelope question, Micros wait_max,
                                        const std::string& nobody, const std::string& silent) {
  const Time until = clock_.now() + wait_max;
  if (Result<void> connected = connect(wait_max); !connected) {
    return connected.error();
  }
  question_ = fresh_task_id("question");
  question_publish_ = ++last_publish_;
  question_end_.reset();
  answer_.reset();
  question.reply_to = reply_queue_;
  question.correlation_id = question_;
  question.user_id = user_;  // whoever asks is told of its own tasks alone
  // A submitter may publish to this exchange alone; the queues are bound to it by their names.
  question.exchange = wire::kSubmitExchange;
  transport_.publish(question_publish_, std::move(question));
  while (!answer_.has_value() && clock_.now() < until && !stopped() &&
         question_end_ != PublishEnd::Returned && question_end_ != PublishEnd::Refused &&
         question_end_ != PublishEnd::Unknown) {
    poll(std::min(kTurn, std::max(Micros{0}, until - clock_.now())));
  }
  question_.clear();
  if (!answer_.has_value() && stopped()) {
    return fail(ErrorCode::Unavailable, "stopped before there was an answer");
  }
  if (!answer_.has_value() && question_end_ == PublishEnd::Unknown && !problem_.empty()) {
    return fail(ErrorCode::Unavailable, "no connection to the broker: " + problem_);
  }
  if (!answer_.has_value()) {
    return fail(ErrorCode::Unavailable, question_end_ == PublishEnd::Returned ? nobody : silent);
  }
  nlohmann::json answer = nlohmann::json::parse(*answer_, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) {
    return fail(ErrorCode::Corrupt, "the answer is no JSON object");
  }
  if (const auto error = answer.find("error"); error != answer.end() && error->is_string()) {
    return fail(ErrorCode::NotFound, error->get<std::string>());
  }
  return answer;
}

void Client::idle(Micros wait) {
  const Time until = clock_.now() + wait;
  for (Time now = clock_.now(); now < until; now = clock_.now()) {
    poll(until - now);
  }
}

std::vector<ClientAnswer> Client::run(const std::vector<ClientTask>& tasks,
                                      const ClientRun& options) {
  tasks_ = &tasks;
  options_ = &options;
  answers_.assign(tasks.size(), {});
  open_.clear();
  next_ = 0;
  quiet_said_ = false;
  last_said_.clear();
  bool stopped = false;
  while (next_ < tasks.size() || !open_.empty()) {
    if (options.stop && options.stop()) {
      stopped = true;
      break;
    }
    // One at a time: a picture may take a while to be read and reduced, and the broker wants its
    // heartbeats meanwhile.
    const bool more = next_ < tasks.size() && open_.size() < options.outstanding_max;
    if (more) {
      start_next();
    }
    if (!open_.empty()) {
      poll(more ? Micros{} : kTurn);
      check_times();
    }
  }
  if (stopped) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const bool sent = open_.find(tasks[i].id) != open_.end();
      if (sent || i >= next_) {
        end(i, {.end = sent ? ClientEnd::Stopped : ClientEnd::NotSent,
                .problem = sent ? "stopped before its outcome came; it was submitted and is served"
                                : "stopped before it was submitted"});
      }
    }
  }
  tasks_ = nullptr;
  options_ = nullptr;
  return std::move(answers_);
}

void Client::start_next() {
  const std::size_t index = next_++;
  const ClientTask& task = (*tasks_)[index];
  Result<PictureFile> payload = task.load();
  if (!payload) {
    end(index, {.end = ClientEnd::Unreadable, .problem = payload.error().message});
    return;
  }
  Open& open = open_[task.id];
  open.index = index;
  open.payload = std::move(*payload);
  open.sent = clock_.now();
  if (!reply_queue_.empty()) {
    send(open);
  }
}

void Client::send(Open& open) {
  const ClientTask& task = (*tasks_)[open.index];
  Submission submission;
  submission.key.id = task.id;
  submission.reply_to = reply_queue_;
  submission.correlation_id = task.id;
  submission.requirements = task.requirements;
  submission.payload.kind = open.payload.kind;
  submission.payload.size = {static_cast<std::int64_t>(open.payload.bytes->size())};
  wire::Envelope envelope = wire::encode_submission(submission, open.payload.bytes);
  envelope.user_id = user_;
  open.publish = ++last_publish_;
  open.sent = clock_.now();
  transport_.publish(open.publish, std::move(envelope));
}

void Client::end(std::size_t index, ClientAnswer answer) {
  open_.erase((*tasks_)[index].id);
  answers_[index] = std::move(answer);
  if (options_->ended) {
    options_->ended(index, answers_[index]);
  }
}

// Tasks that nobody answers, and what may be the reason.
void Client::check_times() {
  const Time now = clock_.now();
  std::vector<std::size_t> late;
  bool quiet = false;
  for (const auto& [id, open] : open_) {
    quiet = quiet || (now - open.sent >= kQuietHint && !reply_queue_.empty() && !blocked_);
    if (now - open.sent >= options_->answer_wait_max) {
      late.push_back(open.index);
    }
  }
  if (quiet && !quiet_said_) {
    quiet_said_ = true;
    say("no outcome yet after 5 s: a controller must be running (`juggler status` asks it)");
  }
  for (const std::size_t index : late) {
    end(index, {.end = ClientEnd::TimedOut,
                .problem = reply_queue_.empty()
                               ? "no connection to the broker: " + problem_
                               : fmt::format("no outcome within {} s",
                                             options_->answer_wait_max.count / 1'000'000)});
  }
}

// Says something once while it repeats.
void Client::say(const std::string& text) {
  if (options_ != nullptr && options_->notice && text != last_said_) {
    last_said_ = text;
    options_->notice(text);
  }
}

}  // namespace juggler
