#include "runtime/controller_shell.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "runtime/queries.h"
#include "wire/messages.h"

namespace juggler {
namespace {

// Of an eighth of what may wait to be published: strangers' junk holds up no dispatch. What comes
// beyond it is copied without its body.
constexpr Bytes kDeadOnTheWayMax = mebibytes(32);
// All that waits is planned anew for each hello. One left out is asked for again with the device's
// next heartbeat.
constexpr TokenBucket kHellosOfDevice(/*at_once=*/10, milliseconds(500));
// A device beats every 400 ms at most, and at once when something has changed. What the broker
// keeps while nobody reads, 5 s of it, comes at once.
constexpr TokenBucket kBeatsOfDevice(/*at_once=*/20, milliseconds(200));

constexpr PublishId kAsideFirst = PublishId{1} << 63U;  // the controller counts up from 1

constexpr const char* kQueryReplies =
    "a query needs a reply_to: a server-named queue of the asker's own, not direct reply-to";
constexpr const char* kTooLarge = "it has more than 16 MiB and was not read";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.rfind(prefix, 0) == 0;
}

}  // namespace

// The broker checks that whoever sets a user id is who it says; without one, nobody knows. A login
// that is also the controller's may speak for every device: it could do anything anyway
// (`juggler up --broker` has one login for all).
bool ControllerShell::sender_is(const wire::Envelope& envelope, const std::string& device) const {
  return !envelope.user_id.empty() &&
         (envelope.user_id == device || envelope.user_id == options_.login);
}

ControllerShell::ControllerShell(Controller& controller, Transport& transport, Clock& clock,
                                 ControllerShellOptions options)
    : controller_(controller),
      transport_(transport),
      clock_(clock),
      options_(std::move(options)),
      stamps_(options_.stamp_key),
      last_aside_(kAsideFirst) {}

void ControllerShell::turn(Micros wait_max) {
  const Time due = std::min(controller_.next_timer(), marks_.due());
  const Time now = clock_.now();
  const Micros until_due = due == Time::never() ? wait_max : std::max(Micros{0}, due - now);
  events_.clear();
  transport_.poll(std::min(wait_max, until_due), events_);
  if (marks_.due() <= clock_.now()) {
    // Here, where poll() has just sent every ack: the mark must not overtake those of tasks.
    const PublishId id = ++last_aside_;
    transport_.publish(id, marks_.next(id, options_.login, clock_.now()));
  }
  for (const TransportEvent& event : events_) {
    std::visit([this](const auto& e) { handle(e); }, event);
  }
  if (controller_.next_timer() <= clock_.now()) {
    step(Tick{});
  }
  say_left_out();
}

void ControllerShell::say_left_out() {
  if (const std::uint64_t lines = malformed_lines_.take_left_out(clock_.now()); lines > 0) {
    spdlog::warn("{} more messages were dead-lettered in the last second or so", lines);
  }
}

void ControllerShell::step(ControllerEvent event) {
  const Time now = clock_.now();
  actions_.clear();
  if (ControllerObserver* observer = options_.observer) {
    observer->before(now, event);
    controller_.step(now, ControllerEvent(event), actions_);
    observer->after(now, event, actions_);
  } else {
    controller_.step(now, std::move(event), actions_);
  }
  for (ControllerAction& action : actions_) {
    perform(action);
  }
}

void ControllerShell::handle(const TransportConnected& event) {
  spdlog::info("leading, epoch {}", event.epoch);
  no_broker_.forget();
  marks_.begin(event.epoch, clock_.now());
  step(LeadBegun{event.epoch, event.previous_epoch});
}

void ControllerShell::handle(const TransportDisconnected& event) {
  if (const std::uint64_t times = no_broker_.to_say(event.reason); times > 0) {
    spdlog::warn("no connection to the broker: {}; trying again{}", event.reason,
                 times_text(times));
  }
  marks_.lost();
  step(LeadEnded{});
}

void ControllerShell::handle(const TransportBlocked& event) {
  spdlog::warn("the broker {}", event.blocked ? "takes no messages: " + event.reason
                                              : std::string("takes messages again"));
  step(BrokerBlocked{event.blocked});
}

void ControllerShell::handle(const TransportSettled& event) {
  if (event.id < kAsideFirst) {
    step(PublishSettled{event.id, event.end});
  } else if (marks_.is_open(event.id)) {
    ack(marks_.settled(event.end, clock_.now()));
  } else if (const auto copy = dead_on_the_way_.find(event.id); copy != dead_on_the_way_.end()) {
    dead_bytes_ -= copy->second;
    dead_on_the_way_.erase(copy);
    if (event.end == PublishEnd::Refused || event.end == PublishEnd::Returned) {
      if (const std::uint64_t times = dead_refused_.to_say("refused"); times > 0) {
        spdlog::warn(
            "the broker did not take a dead letter, which is lost: look whether the queue "
            "'{}' is there and why it refuses{}",
            wire::kDeadQueue, times_text(times));
      }
    }
  }
}

void ControllerShell::handle(const TransportPresence& event) {
  step(PresenceTold{event.device, event.present});
}

void ControllerShell::handle(const TransportDelivery& event) {
  if (event.too_large && event.queue != wire::kTasksQueue) {
    malformed(event, fail(ErrorCode::TooLarge, kTooLarge));
  } else if (event.queue == wire::kTasksQueue && wire::is_mark(event.envelope)) {
    mark(event);
  } else if (event.queue == wire::kTasksQueue) {
    submission(event);
  } else if (event.queue == wire::kResultsQueue) {
    result(event);
  } else if (event.queue == wire::kDecidedQueue) {
    Result<Outcome> outcome = wire::decode_outcome(event.envelope);
    if (outcome) {
      step(DecidedRead{std::move(*outcome)});
    } else {
      malformed(event, outcome.error());
    }
  } else if (event.queue == wire::kQueriesQueue) {
    if (event.envelope.reply_to.empty() || !wire::allowed_reply_to(event.envelope.reply_to)) {
      malformed(event, fail(ErrorCode::InvalidArgument, kQueryReplies));
      return;
    }
    transport_.ack(event.id);
    send_aside(answer_query(controller_, stats_,
                            {.version = options_.version, .login = options_.login}, clock_.now(),
                            event.envelope));
  } else {
    from_device(event);
  }
}

void ControllerShell::malformed(const TransportDelivery& delivery, const Error& error) {
  bury(delivery, error.message);
  transport_.ack(delivery.id);
}

// A copy, and never the broker's dead-lettering (runtime/topology.cc).
void ControllerShell::bury(const TransportDelivery& delivery, const std::string& reason) {
  stats_.malformed += 1;
  say_left_out();
  if (malformed_lines_.may_say(clock_.now())) {
    spdlog::warn("message by '{}' from queue {} dead-lettered: {}", delivery.envelope.routing_key,
                 delivery.queue, reason);
  }
  wire::Envelope copy = wire::encode_unreadable(delivery.envelope, delivery.queue, reason);
  Bytes size{static_cast<std::int64_t>(copy.body->size())};
  if (dead_bytes_ + size > kDeadOnTheWayMax) {
    copy.body = wire::make_body("");
    size = {};
  }
  send_aside(std::move(copy));
  dead_on_the_way_.emplace(last_aside_, size);
  dead_bytes_ += size;
}

void ControllerShell::mark(const TransportDelivery& delivery) {
  if (delivery.envelope.user_id != options_.login) {
    transport_.ack(delivery.id);  // nobody else's says anything
    return;
  }
  std::vector<DeliveryId> acks;
  const bool all_read = marks_.arrived(delivery, acks);
  ack(acks);
  if (all_read) {
    step(TasksRead{});
  }
}

void ControllerShell::submission(const TransportDelivery& delivery) {
  wire::DecodedSubmission decoded =
      wire::decode_submission(delivery.envelope, delivery.redelivered);
  if (delivery.too_large) {
    decoded.refusal = kTooLarge;
  }
  PayloadRef& payload = decoded.submission.payload;
  const bool picture = payload.kind == PayloadKind::Jpeg || payload.kind == PayloadKind::Png;
  const wire::Body body =
      delivery.envelope.body != nullptr ? delivery.envelope.body : wire::make_body("");
  if (decoded.refusal.empty() && picture && payload.size <= kPayloadMax && options_.read_picture) {
    if (const Result<PictureSize> size = options_.read_picture(payload.kind, *body)) {
      payload.width = size->width;
      payload.height = size->height;
    } else {
      decoded.refusal = size.error().message;
    }
  }
  if (!decoded.refusal.empty()) {
    bury(delivery, decoded.refusal);
  }
  payload.handle = ++last_payload_;
  payloads_.emplace(payload.handle, body);
  step(Submitted{.submission = std::move(decoded.submission),
                 .delivery = delivery.id,
                 .refusal = std::move(decoded.refusal),
                 .id_given = decoded.id_given});
}

void ControllerShell::result(const TransportDelivery& delivery) {
  Result<AttemptResult> result = wire::decode_result(delivery.envelope);
  if (result && !sender_is(delivery.envelope, result->device)) {
    result =
        fail(ErrorCode::InvalidArgument, "user '" + delivery.envelope.user_id +
                                             "' sent a result as device '" + result->device + "'");
  }
  if (result) {
    check_stamp(result->stamp, result->attempt, result->device);
    step(ResultArrived{std::move(*result), delivery.id,
                       Bytes{static_cast<std::int64_t>(delivery.envelope.body->size())}});
  } else {
    malformed(delivery, result.error());
  }
}

void ControllerShell::from_device(const TransportDelivery& delivery) {
  const std::string& key = delivery.envelope.routing_key;
  const std::string device = key.substr(std::min(key.find('.') + 1, key.size()));
  const bool beats = starts_with(key, "heartbeat.");
  if (!sender_is(delivery.envelope, device)) {
    malformed(delivery,
              fail(ErrorCode::InvalidArgument,
                   "user '" + delivery.envelope.user_id + "' speaks as device '" + device + "'"));
  } else if (!beats && !starts_with(key, "hello.")) {
    malformed(delivery, fail(ErrorCode::Unsupported, "unknown routing key"));
  } else if (!may_be_heard(beats ? beats_ : greetings_, device,
                           beats ? kBeatsOfDevice : kHellosOfDevice)) {
    transport_.ack(delivery.id);
    stats_.beats_left_out += 1;
    if (const std::uint64_t times = floods_.to_say("flood"); times > 0) {
      spdlog::warn("device {} sends too many {}: those above {} a second are left out{}", device,
                   beats ? "heartbeats" : "hellos", beats ? 5 : 2, times_text(times));
    }
  } else if (beats) {
    heartbeat(delivery);
  } else {
    hello(delivery);
  }
}

void ControllerShell::heartbeat(const TransportDelivery& delivery) {
  Result<Heartbeat> heartbeat = wire::decode_heartbeat(delivery.envelope);
  if (!heartbeat) {
    malformed(delivery, heartbeat.error());
    return;
  }
  transport_.ack(delivery.id);
  const DeviceState* known = controller_.fleet().find(heartbeat->device);
  const int given = known != nullptr ? dispatches_max(*known->facts) : 0;
  std::vector<StartedAttempt>& running = heartbeat->running;
  running.resize(std::min(running.size(), static_cast<std::size_t>(given)));
  for (StartedAttempt& started : running) {
    if (controller_.tasks().find(started.id.task) == nullptr) {
      started.stamp.clear();  // there is nothing to adopt
    }
    check_stamp(started.stamp, started.id, heartbeat->device);
  }
  step(HeartbeatArrived{std::move(*heartbeat)});
}

void ControllerShell::hello(const TransportDelivery& delivery) {
  Result<DeviceFacts> facts = wire::decode_hello(delivery.envelope);
  if (!facts) {
    malformed(delivery, facts.error());
    return;
  }
  transport_.ack(delivery.id);
  const DeviceState* known = controller_.fleet().find(facts->id);
  if (known == nullptr || known->facts->incarnation != facts->incarnation) {
    spdlog::info("device {} joins: {}{}, {} processors, {} variants", facts->id, facts->board,
                 facts->twin ? " (twin)" : "", facts->processors.size(), facts->variants.size());
  }
  step(HelloArrived{std::move(*facts)});
}

// Takes a stamp away that is not right. What the controller knows that it gave needs none.
void ControllerShell::check_stamp(std::string& stamp, const AttemptId& attempt,
                                  const std::string& device) const {
  if (!stamp.empty() && controller_.gave(attempt, device) != true &&
      !stamps_.right(stamp, attempt, device)) {
    stamp.clear();
  }
}

// Judged before anything is read: one device that floods would be the controller's whole work.
bool ControllerShell::may_be_heard(Rates& rates, const std::string& device,
                                   const TokenBucket& full) {
  constexpr std::size_t kDevicesKept = 20'000;  // a fleet has fewer; names may be invented
  if (rates.size() >= kDevicesKept) {
    rates.clear();
  }
  return rates.try_emplace(device, full).first->second.take(clock_.now());
}

wire::Body ControllerShell::payload(std::uint64_t handle) const {
  const auto at = payloads_.find(handle);
  JUGGLER_CHECK(at != payloads_.end(), "a live task's payload is kept");
  return at->second;
}

void ControllerShell::send_aside(wire::Envelope envelope) {
  transport_.publish(++last_aside_, std::move(envelope));
}

void ControllerShell::ack(const std::vector<DeliveryId>& deliveries) {
  for (const DeliveryId& delivery : deliveries) {
    transport_.ack(delivery);
  }
}

void ControllerShell::perform(ControllerAction& action) {
  if (auto* send = std::get_if<SendDispatch>(&action)) {
    Dispatch& dispatch = send->dispatch;
    dispatch.stamp = stamps_.of(dispatch.attempt, dispatch.device);
    transport_.publish(send->id, wire::encode_dispatch(dispatch, payload(dispatch.payload.handle)));
  } else if (auto* outcome = std::get_if<SendOutcome>(&action)) {
    transport_.publish(outcome->id, wire::encode_outcome(*outcome->outcome, outcome->reply_to,
                                                         outcome->correlation_id));
  } else if (auto* decided = std::get_if<SendDecided>(&action)) {
    transport_.publish(decided->id, wire::encode_decided(*decided->outcome));
  } else if (auto* dead = std::get_if<SendDead>(&action)) {
    transport_.publish(dead->id, wire::encode_dead(*dead->outcome, *dead->submission,
                                                   payload(dead->submission->payload.handle)));
  } else if (auto* ask = std::get_if<AskHello>(&action)) {
    send_aside(wire::encode_control(ask->device, {.kind = wire::ControlKind::Hello}));
  } else if (auto* enrol = std::get_if<Enrol>(&action)) {
    transport_.enrol(enrol->device);
  } else if (auto* presence = std::get_if<AskPresence>(&action)) {
    transport_.ask_presence(presence->device);
  } else if (auto* beat = std::get_if<SetHeartbeat>(&action)) {
    send_aside(wire::encode_control(beat->device,
                                    {.kind = wire::ControlKind::Heartbeat, .every = beat->every}));
  } else if (auto* ack = std::get_if<AckDelivery>(&action)) {
    const bool held = ack->after_tasks && marks_.hold(ack->delivery, clock_.now());
    if (ack->after_tasks && !held) {
      const std::uint64_t times = marks_full_.to_say("full");
      if (times > 0) {
        spdlog::warn(
            "the broker confirms no marks in {}: results are acknowledged without them, and a "
            "broker that dies now may have their tasks run again{}",
            wire::kTasksQueue, times_text(times));
      }
    }
    if (!held) {
      transport_.ack(ack->delivery);
    }
  } else if (auto* reject = std::get_if<RejectDelivery>(&action)) {
    if (reject->stranded.has_value()) {
      send_aside(wire::encode_stranded(**reject->stranded));
    }
    transport_.ack(reject->delivery);
  } else if (auto* drop = std::get_if<DropPayload>(&action)) {
    JUGGLER_CHECK(payloads_.erase(drop->handle) == 1, "a payload is dropped once");
  } else if (auto* answered = std::get_if<TaskAnswered>(&action)) {
    if (options_.answered) {
      options_.answered(*answered->outcome);
    }
  }
}

}  // namespace juggler
