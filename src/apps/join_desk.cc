#include "apps/join_desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>

#include "amqp/join_line.h"
#include "telemetry/printable.h"
#include "wire/messages.h"

namespace juggler {
namespace {

constexpr std::size_t kUsedMax = 10'000;

wire::JoinAnswer refusal(std::string code, std::string reason) {
  return {.address = "", .code = std::move(code), .reason = std::move(reason)};
}

}  // namespace

SessionPlan join_desk_plan() {
  SessionPlan plan;
  plan.connection_name = "juggler desk";
  plan.reconnect_max = seconds(2);
  Subscription joins;
  joins.queue = wire::kJoinsQueue;
  joins.prefetch = 0;
  joins.no_ack = true;  // who gets no answer asks again
  joins.own = {.wanted = true,
               .message_ttl_ms = 60'000,
               .length_max = 100,
               .bytes_max = mebibytes(4),
               .bindings = {{wire::kJoinExchange, wire::kJoinsQueue}}};
  plan.subscriptions = {joins};
  return plan;
}

JoinDesk::JoinDesk(Transport& transport, Clock& clock, FleetAdmin admin)
    : transport_(transport), clock_(clock), admin_(std::move(admin)) {
  // What comes in the meantime waits its turn.
  admin_.users.set_meanwhile([this] { transport_.poll(Micros{0}, events_); });
}

void JoinDesk::turn(Micros wait_max) {
  transport_.poll(events_.empty() ? wait_max : Micros{0}, events_);
  std::vector<TransportEvent> events;
  std::swap(events, events_);
  for (const TransportEvent& event : events) {
    handle(event);
  }
  remove_spent();
}

void JoinDesk::handle(const TransportEvent& event) {
  if (const auto* delivery = std::get_if<TransportDelivery>(&event)) {
    serve(*delivery);
  } else if (const auto* lost = std::get_if<TransportDisconnected>(&event)) {
    spdlog::warn("no connection to the broker: {}; trying again", lost->reason);
  } else if (std::holds_alternative<TransportConnected>(event)) {
    spdlog::info("ready: devices may join");
  }
}

void JoinDesk::serve(const TransportDelivery& delivery) {
  const wire::Envelope& envelope = delivery.envelope;
  if (!wire::allowed_reply_to(envelope.reply_to) || envelope.reply_to.empty()) {
    return;  // nobody to tell
  }
  const Judgement judged = judge(envelope);
  transport_.publish(++last_publish_, wire::encode_joined(judged.answer, envelope.reply_to));
  if (judged.device.empty()) {
    spdlog::warn("refused: {}", printable(judged.answer.reason));
    return;
  }
  spdlog::info("{} has a login now, for the token {}", judged.device, envelope.user_id);
  // The answer first: with the token's user its connection ends.
  spent_.push_back({envelope.user_id, clock_.now() + seconds(2)});
}

void JoinDesk::remove_spent() {
  while (!spent_.empty() && spent_.front().removed_at <= clock_.now()) {
    const std::string token = std::move(spent_.front().token);
    spent_.pop_front();
    if (const Result<void> gone = admin_.users.remove(token); !gone) {
      spdlog::warn("the used token {} stays: {}", token, gone.error().message);
    }
  }
}

JoinDesk::Judgement JoinDesk::judge(const wire::Envelope& envelope) {
  const std::int64_t now = clock_.unix_seconds();
  const std::optional<std::int64_t> end = amqp::token_end(envelope.user_id);
  if (!end) {
    return {refusal("token", "that login is no one-time token"), ""};
  }
  if (used_.contains(envelope.user_id)) {
    return {refusal("token", "the token was used already: ask for another line"), ""};
  }
  if (now > *end) {
    return {refusal("token", "the token has ended: ask for another line"), ""};
  }
  const Result<wire::JoinRequest> request = wire::decode_join(envelope);
  if (!request) {
    const bool version = request.error().code == ErrorCode::Unsupported;
    return {
        refusal(version ? "version" : "request",
                version ? fmt::format("this fleet speaks version {} of the protocol, that device "
                                      "another: install the same version of Juggler there ({})",
                                      wire::kMajor, request.error().message)
                        : request.error().message),
        ""};
  }
  if (const Result<void> named = amqp::check_device_name(request->device); !named) {
    return {refusal("name", named.error().message), ""};
  }
  const std::int64_t off = request->unix_seconds - now;
  if (std::abs(off) > kClockSecondsMax) {
    return {refusal("clock", fmt::format("the device's clock is {} s {}: set it (timedatectl "
                                         "set-ntp true), then try again",
                                         std::abs(off), off > 0 ? "ahead" : "behind")),
            ""};
  }
  return enrol(envelope.user_id, request->device);
}

JoinDesk::Judgement JoinDesk::enrol(const std::string& token, const std::string& device) {
  const auto known = admin_.users.list();
  if (!known) {
    return {refusal("broker", known.error().message), ""};
  }
  const bool taken = std::any_of(known->begin(), known->end(),
                                 [&](const amqp::KnownUser& user) { return user.name == device; });
  if (taken) {
    return {refusal("taken", fmt::format("the name '{0}' is taken: choose another by --id, or take "
                                         "that device's login away (juggler devices revoke {0})",
                                         device)),
            ""};
  }
  amqp::BrokerUrl address = admin_.address;
  address.set_login(device, amqp::new_password());
  // Both at once: a token without a password lets nobody in, whatever happens to this program.
  const Result<void> put =
      admin_.users.put({{device, amqp::UserRole::Device, amqp::password_hash(address.password)},
                        {token, amqp::UserRole::Token, ""}});
  if (!put) {
    return {refusal("broker", put.error().message), ""};
  }
  if (used_.size() >= kUsedMax) {
    used_.clear();  // those are gone from the broker long since
  }
  used_.insert(token);
  return {{.address = address.text(), .code = "", .reason = ""}, device};
}

void JoinDesk::sweep() {
  const auto known = admin_.users.list();
  if (!known) {
    spdlog::warn("old tokens are not looked for: {}", known.error().message);
    return;
  }
  const std::int64_t now = clock_.unix_seconds();
  for (const amqp::KnownUser& user : *known) {
    const std::optional<std::int64_t> end = amqp::token_end(user.name);
    if (user.role == amqp::UserRole::Token && end && now > *end) {
      (void)admin_.users.remove(user.name);
    }
  }
}

}  // namespace juggler
