#include "sim/client.h"

#include <charconv>
#include <utility>

#include "wire/messages.h"

namespace juggler::sim {
namespace {

constexpr std::size_t kComplaintsMax = 20;
constexpr Micros kRepeatWithin = seconds(8);

std::string replies_of(const std::string& client) { return "replies-of-" + client; }

// Bodies are shared: as many sizes as these and no more are kept.
std::int64_t rounded(std::int64_t bytes) {
  constexpr std::int64_t kStep = 1024;
  return bytes <= kStep ? bytes : (bytes + kStep - 1) / kStep * kStep;
}

}  // namespace

std::string task_id(std::uint64_t task) { return "t" + std::to_string(task); }

std::optional<std::uint64_t> task_number(std::string_view id) {
  std::uint64_t number = 0;
  if (id.size() < 2 || id[0] != 't') {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
  const bool whole = error == std::errc{} && end == id.data() + id.size();
  return whole ? std::optional(number) : std::nullopt;
}

ClientMachine::ClientMachine(Agenda& agenda, Broker& broker, ClientOptions options,
                             std::vector<ClientClass> classes, Metrics& metrics)
    : agenda_(agenda),
      broker_(broker),
      options_(std::move(options)),
      classes_(std::move(classes)),
      metrics_(metrics),
      link_(agenda, options_.link, options_.seed),
      transport_(agenda, broker, link_, options_.seed),
      rng_(options_.seed) {}

void ClientMachine::begin() {
  SessionPlan plan = client_plan(options_.name);
  if (options_.durable_replies) {
    broker_.declare({.queues = {{.name = replies_of(options_.name), .arguments = {}}}});
    plan.reply_queue = false;
    plan.subscriptions.push_back({.queue = replies_of(options_.name), .prefetch = 0});
    plan.announce_after = 1;
  }
  if (options_.reads_unrouted) {
    Subscription unrouted;
    unrouted.queue = wire::kUnroutedExchange;
    unrouted.prefetch = 0;
    unrouted.no_ack = !options_.durable_replies && !options_.resubmits;
    plan.subscriptions.push_back(std::move(unrouted));
  }
  transport_.begin(std::move(plan), *this);
}

wire::Body ClientMachine::body_of(Bytes size) {
  wire::Body& body = bodies_[rounded(size.count)];
  if (body == nullptr) {
    body = wire::make_body(std::string(static_cast<std::size_t>(rounded(size.count)), 'x'));
  }
  return body;
}

wire::Envelope ClientMachine::message(std::uint64_t task, std::size_t demand) {
  Submission submission;
  submission.key.id = task_id(task);
  submission.reply_to = reply_queue_;
  submission.requirements = classes_[demand].requirements;
  submission.payload.kind = classes_[demand].payload_kind;
  const wire::Body body = body_of(classes_[demand].payload);
  submission.payload.size = {static_cast<std::int64_t>(body->size())};
  wire::Envelope envelope = wire::encode_submission(submission, body);
  envelope.user_id = options_.name;
  return envelope;
}

void ClientMachine::submit(std::uint64_t task, std::size_t demand) {
  if (reply_queue_.empty()) {
    waiting_.push_back({task, demand, session_});
  } else {
    send(task, demand);
  }
}

void ClientMachine::send(std::uint64_t task, std::size_t demand) {
  wire::Envelope envelope = message(task, demand);
  const auto odd = [&](std::int64_t per_million) {
    return per_million > 0 && rng_.below(1'000'000) < static_cast<std::uint64_t>(per_million);
  };
  if (odd(options_.malformed)) {
    envelope.content_type = "text/html";
    metrics_.turned_away(task);
    transport_.publish(++last_publish_, std::move(envelope));
    return;
  }
  if (odd(options_.no_reply)) {
    envelope.reply_to.clear();
  } else if (odd(options_.repeats)) {
    repeats_.push_back({task, demand, session_});
    const auto wait = rng_.below(static_cast<std::uint64_t>(kRepeatWithin.count));
    agenda_.at(agenda_.now() + Micros{static_cast<std::int64_t>(wait)}, *this, repeats_.size() - 1);
  }
  open_.emplace(++last_publish_, Sent{task, demand, session_});
  transport_.publish(last_publish_, std::move(envelope));
}

void ClientMachine::wake(std::uint64_t what) {
  const Sent& again = repeats_[what];
  if (!reply_queue_.empty()) {
    if (again.session != session_) {
      metrics_.sent_twice(again.task);
    }
    transport_.publish(++last_publish_, message(again.task, again.demand));
  }
}

void ClientMachine::input() {
  events_.clear();
  transport_.poll(Micros{0}, events_);
  for (const TransportEvent& event : events_) {
    if (const auto* delivery = std::get_if<TransportDelivery>(&event)) {
      delivered(*delivery);
    } else if (const auto* end = std::get_if<TransportSettled>(&event)) {
      settled(*end);
    } else if (const auto* up = std::get_if<TransportConnected>(&event)) {
      reply_queue_ = options_.durable_replies ? replies_of(options_.name) : up->reply_queue;
      session_ += 1;
      for (const auto& [task, demand] : unanswered_) {
        transport_.publish(++last_publish_, message(task, demand));
      }
      const std::vector<Sent> waited = std::exchange(waiting_, {});
      for (const Sent& one : waited) {
        send(one.task, one.demand);
      }
    } else if (std::holds_alternative<TransportDisconnected>(event)) {
      reply_queue_.clear();
    }
  }
  transport_.flush();
}

void ClientMachine::settled(const TransportSettled& event) {
  const auto at = open_.find(event.id);
  if (at == open_.end()) {
    return;
  }
  const Sent sent = at->second;
  open_.erase(at);
  if (event.end == PublishEnd::Confirmed) {
    metrics_.accepted(sent.task);
    if (options_.resubmits && !answered_.contains(sent.task)) {
      unanswered_.emplace(sent.task, sent.demand);
    }
  } else if (event.end != PublishEnd::Unknown) {
    metrics_.turned_away(sent.task);
  } else {
    metrics_.sent_twice(sent.task);
    waiting_.push_back(sent);  // goes out again under its id
  }
}

void ClientMachine::delivered(const TransportDelivery& delivery) {
  transport_.ack(delivery.id);  // nothing where its queue takes none
  const Result<Outcome> outcome = wire::decode_outcome(delivery.envelope);
  if (!outcome) {
    if (complaints_.size() < kComplaintsMax) {
      complaints_.push_back("an outcome that does not decode: " + outcome.error().message);
    }
    return;
  }
  const std::optional<std::uint64_t> task = task_number(outcome->key.id);
  if (!task.has_value() || *task >= metrics_.offered_so_far()) {
    return;
  }
  metrics_.answered(*task, *outcome, agenda_.now());
  if (options_.resubmits) {
    unanswered_.erase(*task);
    answered_.insert(*task);
  }
  if (told_) {
    told_(*task, *outcome);
  }
}

}  // namespace juggler::sim
