#include "core/digest.h"

#include <cmath>
#include <variant>

namespace juggler {
namespace {

class Writer {
 public:
  explicit Writer(Digest& digest) : digest_(digest) {}

  void operator()(const LeadBegun& e) { put(e.epoch); }
  void operator()(const LeadEnded& /*e*/) {}
  void operator()(const BrokerBlocked& e) { put(e.blocked ? 1 : 0); }
  void operator()(const Submitted& e) {
    put(e.submission.key);
    put(e.delivery);
    put(e.submission.payload.size.count);
    put(e.submission.redelivered ? 1 : 0);
    digest_.add(e.refusal);
  }
  void operator()(const ResultArrived& e) {
    put(e.result);
    put(e.delivery);
  }
  void operator()(const HelloArrived& e) {
    digest_.add(e.facts.id);
    put(e.facts.incarnation);
    put(e.facts.serving ? 1 : 0);
  }
  void operator()(const HeartbeatArrived& e) { put(e.heartbeat); }
  void operator()(const DecidedRead& e) { put(e.outcome); }
  void operator()(const PublishSettled& e) {
    digest_.add(e.id);
    put(static_cast<int>(e.end));
  }
  void operator()(const Tick& /*e*/) {}

  void operator()(const SendDispatch& a) {
    digest_.add(a.id);
    put(a.dispatch);
  }
  void operator()(const SendOutcome& a) {
    digest_.add(a.id);
    put(a.outcome);
    digest_.add(a.reply_to);
    digest_.add(a.correlation_id);
  }
  void operator()(const SendDecided& a) {
    digest_.add(a.id);
    put(a.outcome);
  }
  void operator()(const SendDead& a) {
    digest_.add(a.id);
    put(a.outcome);
  }
  void operator()(const AskHello& a) { digest_.add(a.device); }
  void operator()(const Enrol& a) { digest_.add(a.device); }
  void operator()(const AckDelivery& a) {
    put(a.delivery);
    put(a.after_tasks ? 1 : 0);
  }
  void operator()(const RejectDelivery& a) {
    put(a.delivery);
    put(a.stranded.has_value() ? 1 : 0);
  }
  void operator()(const DropPayload& a) { digest_.add(a.handle); }
  void operator()(const TaskAnswered& a) { put(a.outcome); }
  void operator()(const PresenceTold& e) {
    digest_.add(e.device);
    put(e.present ? 1 : 0);
  }
  void operator()(const TasksRead& /*e*/) {}
  void operator()(const AskPresence& a) { digest_.add(a.device); }
  void operator()(const SetHeartbeat& a) {
    digest_.add(a.device);
    put(a.every.count);
  }

  void operator()(const LinkUp& /*e*/) {}
  void operator()(const LinkDown& /*e*/) {}
  void operator()(const ServingChanged& e) { put(e.serving ? 1 : 0); }
  void operator()(const DispatchArrived& e) {
    put(e.dispatch);
    put(e.delivery);
    put(e.redelivered ? 1 : 0);
  }
  void operator()(const BatchFinished& e) {
    digest_.add(e.batch);
    put(e.report.compute.count);
    put(static_cast<std::int64_t>(e.report.outputs.size()));
    put(e.report.energy);
  }
  void operator()(const HelloAsked& /*e*/) {}
  void operator()(const HostSampled& e) {
    put(e.sample.memory_free.has_value() ? e.sample.memory_free->count : -1);
  }
  void operator()(const DrainAsked& /*e*/) {}
  void operator()(const BeatAsked& e) { put(e.every.count); }
  void operator()(const VariantUnloaded& e) {
    digest_.add(e.processor);
    digest_.add(e.variant);
  }
  void operator()(const StartBatch& a) {
    digest_.add(a.batch);
    digest_.add(a.processor);
    digest_.add(a.variant);
    put(static_cast<std::int64_t>(a.items.size()));
  }
  void operator()(const SendResult& a) {
    digest_.add(a.id);
    put(a.result);
  }
  void operator()(const SendHello& /*a*/) {}
  void operator()(const SendHeartbeat& a) { put(a.heartbeat); }
  void operator()(const Left& /*a*/) {}

 private:
  void put(std::int64_t number) { digest_.add(static_cast<std::uint64_t>(number)); }
  void put(const TaskKey& key) {
    digest_.add(key.submitter);
    digest_.add(key.id);
  }
  void put(const AttemptId& id) {
    put(id.task);
    put(id.epoch);
    put(id.number);
  }
  void put(const DeliveryId& id) {
    digest_.add(id.incarnation);
    digest_.add(id.tag);
  }
  void put(const std::optional<EnergyFigure>& energy) {
    put(energy.has_value() ? energy->value.count : -1);
  }
  void put(const Dispatch& dispatch) {
    put(dispatch.attempt);
    digest_.add(dispatch.device);
    digest_.add(dispatch.processor);
    digest_.add(dispatch.variant);
    put(dispatch.batch);
    put(dispatch.batch_size);
    put(dispatch.budget.count);
  }
  void put(const AttemptResult& result) {
    put(result.attempt);
    digest_.add(result.device);
    digest_.add(result.processor);
    digest_.add(result.variant);
    put(static_cast<int>(result.status));
    digest_.add(result.reason);
    put(result.queued.count);
    put(result.compute.count);
    if (result.slowed > Micros{0}) {  // as digests were before there was any
      put(result.slowed.count);
    }
    put(result.batch_size);
    put(result.energy);
    if (!result.stamp.empty()) {  // likewise
      digest_.add(result.stamp);
    }
  }
  void put(const Heartbeat& heartbeat) {
    digest_.add(heartbeat.device);
    put(heartbeat.incarnation);
    put((heartbeat.draining ? 1 : 0) + (heartbeat.leaving ? 2 : 0) + (heartbeat.serving ? 0 : 4));
    put(heartbeat.every.count);
    for (const StartedAttempt& started : heartbeat.running) {
      put(started.id);
      if (!started.stamp.empty()) {
        digest_.add(started.stamp);
      }
    }
  }
  void put(const Outcome& outcome) {
    put(outcome.key);
    put(static_cast<int>(outcome.kind));
    digest_.add(outcome.reason);
    digest_.add(outcome.device);
    digest_.add(outcome.processor);
    digest_.add(outcome.variant);
    put(static_cast<std::int64_t>(outcome.attempts.size()));
    put(outcome.total.count);
    put(outcome.waiting.count);
    put(outcome.network.count);
    put(outcome.queued.count);
    put(outcome.compute.count);
    put(outcome.energy);
  }

  Digest& digest_;
};

template <class Event, class Action>
void add_all(Digest& digest, std::uint64_t where, Time now, const Event& event,
             const std::vector<Action>& actions) {
  Writer writer(digest);
  digest.add(where << 8U | event.index());
  digest.add(static_cast<std::uint64_t>(now.us));
  std::visit(writer, event);
  for (const Action& action : actions) {
    digest.add(action.index());
    std::visit(writer, action);
  }
}

}  // namespace

void add_step(Digest& digest, std::uint64_t where, Time now, const ControllerEvent& event,
              const std::vector<ControllerAction>& actions) {
  add_all(digest, where, now, event, actions);
}

void add_step(Digest& digest, std::uint64_t where, Time now, const ConsumerEvent& event,
              const std::vector<ConsumerAction>& actions) {
  add_all(digest, where, now, event, actions);
}

}  // namespace juggler
