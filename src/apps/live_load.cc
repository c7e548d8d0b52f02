#include "apps/live_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "wire/messages.h"

namespace juggler {
namespace {

constexpr Micros kTurn = milliseconds(100);
// After the last outcome, for a second copy of one.
constexpr Micros kLinger = milliseconds(300);
constexpr std::size_t kComplaintsMax = 20;

}  // namespace

Result<void> LiveLoad::connect(Micros wait_max) {
  const Time until = clock_.now() + wait_max;
  while (reply_queue_.empty()) {
    const bool stop = options_.stop && options_.stop();
    if (stop || clock_.now() >= until) {
      return fail(ErrorCode::Unavailable,
                  "no connection to the broker: " +
                      (problem_.empty() ? std::string("it does not answer") : problem_));
    }
    poll(std::min(kTurn, std::max(Micros{0}, until - clock_.now())));
  }
  return {};
}

void LiveLoad::poll(Micros wait_max) {
  events_.clear();
  transport_.poll(wait_max, events_);
  now_ = clock_.now();
  for (const TransportEvent& event : events_) {
    std::visit([this](const auto& e) { handle(e); }, event);
  }
}

void LiveLoad::handle(const TransportConnected& event) {
  reply_queue_ = event.reply_queue;
  // What was open under the last reply queue has lost its way back: it goes out again, under its
  // id, and is run once all the same.
  for (std::size_t task = 0; task < next_; ++task) {
    if (!tasks_[task].ended) {
      metrics_->sent_twice(task);
      sent_again_ += 1;
      send(task);
    }
  }
}

void LiveLoad::handle(const TransportDisconnected& event) {
  reply_queue_.clear();
  open_publishes_.clear();
  problem_ = event.reason;
}

void LiveLoad::handle(const TransportBlocked& event) {
  if (event.blocked) {
    complain("the broker took no messages for a time: " + event.reason);
  }
}

std::optional<std::size_t> LiveLoad::number_of(const std::string& id) const {
  if (!id.starts_with(options_.prefix)) {
    return std::nullopt;
  }
  const char* begin = id.data() + options_.prefix.size();
  const char* end = id.data() + id.size();
  std::size_t number = 0;
  const auto [at, error] = std::from_chars(begin, end, number);
  const bool ours = error == std::errc{} && at == end && number < next_;
  return ours ? std::optional(number) : std::nullopt;
}

void LiveLoad::handle(const TransportDelivery& event) {
  transport_.ack(event.id);
  const Result<Outcome> outcome = wire::decode_outcome(event.envelope);
  if (!outcome) {
    complain("an outcome that does not decode: " + outcome.error().message);
    return;
  }
  const std::optional<std::size_t> task = number_of(outcome->key.id);
  if (metrics_ == nullptr || !task.has_value()) {
    complain("an outcome of a task that was not sent: " + outcome->key.id);
    return;
  }
  if (outcome->kind == OutcomeKind::Completed && !metrics_->knows(*outcome)) {
    complain(fmt::format("{} on {} answered, which was not there when the run began",
                         outcome->variant, outcome->device));
    end(*task);
    return;
  }
  metrics_->answered(*task, *outcome, now_);
  end(*task);
}

void LiveLoad::handle(const TransportSettled& event) {
  const auto open = open_publishes_.find(event.id);
  if (open == open_publishes_.end()) {
    return;
  }
  const std::size_t task = open->second;
  open_publishes_.erase(open);
  if (event.end == PublishEnd::Confirmed) {
    tasks_[task].settled = true;
    metrics_->accepted(task);
  } else if (event.end != PublishEnd::Unknown) {
    tasks_[task].settled = true;
    metrics_->turned_away(task);
    end(task);
  }
  // Unknown: its connection is gone, and it goes out again with the next.
}

void LiveLoad::end(std::size_t task) {
  if (!tasks_[task].ended) {
    tasks_[task].ended = true;
    ended_ += 1;
  }
}

void LiveLoad::send(std::size_t task) {
  if (reply_queue_.empty()) {
    return;  // as soon as there is a connection
  }
  const LiveDemand& demand = demands_[arrivals_[task].demand];
  Submission submission;
  submission.key.id = options_.prefix + std::to_string(task);
  submission.reply_to = reply_queue_;
  submission.correlation_id = submission.key.id;
  submission.requirements = demand.requirements;
  submission.payload.kind = demand.kind;
  submission.payload.size = {static_cast<std::int64_t>(demand.payload->size())};
  wire::Envelope envelope = wire::encode_submission(submission, demand.payload);
  envelope.user_id = options_.user;
  open_publishes_.emplace(++last_publish_, task);
  transport_.publish(last_publish_, std::move(envelope));
}

void LiveLoad::send_due() {
  while (next_ < arrivals_.size()) {
    const Time now = clock_.now();
    const Time at = due(next_);
    if (at > now) {
      return;
    }
    const std::size_t task = next_++;
    metrics_->offered(task, arrivals_[task].demand, at);
    late_us_.push_back((now - at).count);
    send(task);
  }
}

void LiveLoad::run(sim::Metrics& metrics, Time origin) {
  metrics_ = &metrics;
  origin_ = origin;
  const Time last = arrivals_.empty() ? origin : due(arrivals_.size() - 1);
  const Time give_up = last + options_.answer_wait_max;
  Time all_ended = Time::never();
  Time told;
  for (;;) {
    send_due();
    const Time now = clock_.now();
    if (next_ == arrivals_.size() && ended_ == arrivals_.size() && all_ended == Time::never()) {
      all_ended = now;
    }
    if (now >= give_up || (all_ended != Time::never() && now >= all_ended + kLinger)) {
      break;
    }
    if (now - told >= kTurn) {
      told = now;
      if (options_.progress) {
        options_.progress({next_, ended_, arrivals_.size()});
      }
      if (options_.stop && options_.stop()) {
        stopped_ = true;
        return;
      }
    }
    const Time next = next_ < arrivals_.size() ? due(next_) : give_up;
    poll(std::clamp(next - now, Micros{0}, kTurn));
  }
  close_books();
}

// The metrics count those as lost that the broker had confirmed; here are the others.
void LiveLoad::close_books() {
  std::size_t unsettled = 0;
  for (const Task& task : tasks_) {
    unsettled += !task.ended && !task.settled ? 1U : 0U;
  }
  if (unsettled > 0) {
    complain(fmt::format("{} tasks were neither confirmed by the broker nor answered{}", unsettled,
                         problem_.empty() ? "" : " (" + problem_ + ")"));
  }
}

void LiveLoad::complain(std::string what) {
  if (complaints_.size() < kComplaintsMax) {
    complaints_.push_back(std::move(what));
  }
}

SenderReport LiveLoad::sender() const {
  SenderReport report;
  report.sent = late_us_.size();
  report.sent_again = sent_again_;
  if (late_us_.empty()) {
    return report;
  }
  std::vector<std::int64_t> sorted = late_us_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](std::size_t percent) {
    return Micros{sorted[(sorted.size() * percent + 99) / 100 - 1]};
  };
  report.late_p50 = rank(50);
  report.late_p99 = rank(99);
  report.late_max = {sorted.back()};
  report.late = static_cast<std::uint64_t>(std::count_if(
      sorted.begin(), sorted.end(), [](std::int64_t late) { return late > kSenderLateMax.count; }));
  return report;
}

}  // namespace juggler
