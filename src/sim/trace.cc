#include "sim/trace.h"

#include <fmt/format.h>

#include "wire/messages.h"

namespace juggler::sim {
namespace {

std::string text(const TaskKey& key) { return key.submitter + "/" + key.id; }
std::string text(const AttemptId& id) {
  return fmt::format("{}@{}.{}", text(id.task), id.epoch, id.number);
}
std::string text(const DeliveryId& id) { return fmt::format("{}:{}", id.incarnation, id.tag); }
std::string text(const Outcome& outcome) { return wire::outcome_json(outcome); }
std::string text(const Dispatch& d) {
  return fmt::format("{} {}/{} {} budget {}", text(d.attempt), d.device, d.processor, d.variant,
                     d.budget.count);
}
std::string text(const AttemptResult& r) {
  return fmt::format("{} {}/{} {} {} {} queued {} compute {}", text(r.attempt), r.device,
                     r.processor, r.variant, to_string(r.status), r.reason, r.queued.count,
                     r.compute.count);
}
std::string text(const Heartbeat& h) {
  std::string line = fmt::format("{} #{}{}{}", h.device, h.incarnation,
                                 h.draining ? " draining" : "", h.leaving ? " leaving" : "");
  for (const StartedAttempt& started : h.running) {
    line += " " + text(started.id);
  }
  return line;
}
int number_of(PublishEnd end) { return static_cast<int>(end); }

struct EventText {
  std::string operator()(const LeadBegun& e) const { return fmt::format("lead {}", e.epoch); }
  std::string operator()(const LeadEnded& /*e*/) const { return "lead ended"; }
  std::string operator()(const BrokerBlocked& e) const {
    return fmt::format("blocked {}", e.blocked);
  }
  std::string operator()(const Submitted& e) const {
    return fmt::format("submitted {} by {} {}{}", text(e.submission.key), text(e.delivery),
                       e.submission.redelivered ? "again " : "", e.refusal);
  }
  std::string operator()(const ResultArrived& e) const {
    return fmt::format("result {} by {}", text(e.result), text(e.delivery));
  }
  std::string operator()(const HelloArrived& e) const {
    return fmt::format("hello {} #{}", e.facts.id, e.facts.incarnation);
  }
  std::string operator()(const HeartbeatArrived& e) const {
    return "heartbeat " + text(e.heartbeat);
  }
  std::string operator()(const DecidedRead& e) const { return "decided " + text(e.outcome); }
  std::string operator()(const PublishSettled& e) const {
    return fmt::format("settled {} as {}", e.id, number_of(e.end));
  }
  std::string operator()(const Tick& /*e*/) const { return "tick"; }
  std::string operator()(const PresenceTold& e) const {
    return fmt::format("presence of {}: {}", e.device, e.present);
  }
  std::string operator()(const TasksRead& /*e*/) const { return "tasks read"; }
  std::string operator()(const LinkUp& /*e*/) const { return "link up"; }
  std::string operator()(const LinkDown& /*e*/) const { return "link down"; }
  std::string operator()(const ServingChanged& e) const {
    return e.serving ? "serves" : "has no queues";
  }
  std::string operator()(const DispatchArrived& e) const {
    return fmt::format("dispatch {} by {}{}", text(e.dispatch), text(e.delivery),
                       e.redelivered ? " again" : "");
  }
  std::string operator()(const BatchFinished& e) const {
    return fmt::format("batch {} of {} took {}", e.batch, e.report.outputs.size(),
                       e.report.compute.count);
  }
  std::string operator()(const HelloAsked& /*e*/) const { return "hello asked"; }
  std::string operator()(const HostSampled& /*e*/) const { return "host sampled"; }
  std::string operator()(const DrainAsked& /*e*/) const { return "drain asked"; }
  std::string operator()(const BeatAsked& e) const {
    return fmt::format("heartbeats each {}", e.every.count);
  }
  std::string operator()(const VariantUnloaded& e) const {
    return fmt::format("{} unloaded from {}", e.variant, e.processor);
  }
};

struct ActionText {
  std::string operator()(const SendDispatch& a) const {
    return fmt::format("send dispatch {} as {}", text(a.dispatch), a.id);
  }
  std::string operator()(const SendOutcome& a) const {
    return fmt::format("send outcome to '{}' ({}) as {}: {}", a.reply_to, a.correlation_id, a.id,
                       text(a.outcome));
  }
  std::string operator()(const SendDecided& a) const {
    return fmt::format("send decided as {}: {}", a.id, text(a.outcome));
  }
  std::string operator()(const SendDead& a) const {
    return fmt::format("send dead as {}: {}", a.id, text(a.outcome));
  }
  std::string operator()(const AskHello& a) const { return "ask hello of " + a.device; }
  std::string operator()(const Enrol& a) const { return "enrol " + a.device; }
  std::string operator()(const AskPresence& a) const { return "ask presence of " + a.device; }
  std::string operator()(const SetHeartbeat& a) const {
    return fmt::format("heartbeats of {} each {}", a.device, a.every.count);
  }
  std::string operator()(const AckDelivery& a) const { return "ack " + text(a.delivery); }
  std::string operator()(const RejectDelivery& a) const { return "reject " + text(a.delivery); }
  std::string operator()(const DropPayload& a) const { return fmt::format("drop {}", a.handle); }
  std::string operator()(const TaskAnswered& a) const { return "answered " + text(a.outcome); }
  std::string operator()(const StartBatch& a) const {
    return fmt::format("start batch {} of {} on {} with {}", a.batch, a.items.size(), a.processor,
                       a.variant);
  }
  std::string operator()(const SendResult& a) const {
    return fmt::format("send result {} as {}", text(a.result), a.id);
  }
  std::string operator()(const SendHello& /*a*/) const { return "send hello"; }
  std::string operator()(const SendHeartbeat& a) const {
    return "send heartbeat " + text(a.heartbeat);
  }
  std::string operator()(const Left& /*a*/) const { return "left"; }
};

}  // namespace

std::string describe(const ControllerEvent& event) { return std::visit(EventText{}, event); }
std::string describe(const ControllerAction& action) { return std::visit(ActionText{}, action); }
std::string describe(const ConsumerEvent& event) { return std::visit(EventText{}, event); }
std::string describe(const ConsumerAction& action) { return std::visit(ActionText{}, action); }

}  // namespace juggler::sim
