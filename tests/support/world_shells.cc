#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/check.h"
#include "support/world_host.h"

// This file: the loops around the controller and the consumers, as src/runtime has them, with the
// planted bugs.

namespace juggler::test {
namespace {

// The task id without what the planted bug ForgetsIds has added to it.
void strip(TaskKey& key) { key.id = key.id.substr(0, key.id.find('#')); }

ControllerEvent stripped(ControllerEvent event) {
  if (auto* task = std::get_if<Submitted>(&event)) {
    strip(task->submission.key);
  } else if (auto* result = std::get_if<ResultArrived>(&event)) {
    strip(result->result.attempt.task);
  }
  return event;
}

Outcome stripped(Outcome outcome) {
  strip(outcome.key);
  return outcome;
}

ControllerAction stripped(ControllerAction action) {
  if (auto* dispatch = std::get_if<SendDispatch>(&action)) {
    strip(dispatch->dispatch.attempt.task);
  } else if (auto* outcome = std::get_if<SendOutcome>(&action)) {
    outcome->outcome = stripped(*outcome->outcome);
  } else if (auto* decided = std::get_if<SendDecided>(&action)) {
    decided->outcome = stripped(*decided->outcome);
  } else if (auto* dead = std::get_if<SendDead>(&action)) {
    dead->outcome = stripped(*dead->outcome);
  } else if (auto* answered = std::get_if<TaskAnswered>(&action)) {
    answered->outcome = stripped(*answered->outcome);
  }
  return action;
}

}  // namespace

void World::start_controller() {
  if (controller_ != nullptr) {
    return;
  }
  auto policy = make_policy(plan_.policy);
  JUGGLER_CHECK(policy.has_value(), "a world names a policy that exists");
  controller_ = std::make_unique<Controller>(plan_.config, std::move(*policy));
  controller_life_ += 1;
  controller_wakes_ = Time::never();
  controller_up();
}

void World::controller_up() {
  if (controller_ == nullptr || controller_link_.up) {
    return;
  }
  controller_link_.up = true;
  controller_link_.incarnation += 1;
  epoch_ += 1;
  controller_step(LeadBegun{epoch_});
  browse_decided();
  for (const char* queue : {wire::kResultsQueue, "juggler.events", wire::kTasksQueue}) {
    deliver(queue);
  }
}

// As the real session does: everything that lies there, before any task.
void World::browse_decided() {
  for (const Message& message : queues_[wire::kDecidedQueue].ready) {
    const auto outcome = wire::decode_outcome(message.envelope);
    JUGGLER_CHECK(outcome.has_value(), "a decided record decodes");
    controller_step(DecidedRead{*outcome});
  }
}

void World::controller_down() {
  if (controller_ == nullptr || !controller_link_.up) {
    return;
  }
  const std::vector<PublishId> unknown = cut(controller_link_);
  controller_step(LeadEnded{});
  for (const PublishId id : unknown) {
    controller_step(PublishSettled{id, PublishEnd::Unknown});
  }
}

void World::controller_died() {
  if (controller_ == nullptr) {
    return;
  }
  if (controller_link_.up) {
    cut(controller_link_);
  }
  controller_.reset();
  payloads_.clear();
  checker_.controller_died();
}

void World::controller_step(const ControllerEvent& event) {
  std::vector<ControllerAction> actions;
  controller_->step(now_, event, actions);
  if (const auto* task = std::get_if<Submitted>(&event);
      task != nullptr && bug_ == PlantedBug::AcksEarly) {
    actions.emplace_back(AckDelivery{task->delivery});
  }
  const ControllerEvent seen = stripped(event);
  std::vector<ControllerAction> shown;
  digest_.add(fmt::format("{} {}", now_.us, describe(seen)));
  for (const ControllerAction& action : actions) {
    shown.push_back(stripped(action));
    digest_.add(describe(shown.back()));
  }
  if (std::getenv("JUGGLER_TRACE") != nullptr) {
    fmt::print(stderr, "{} {}\n", now_.us, describe(seen));
    for (const ControllerAction& action : shown) {
      fmt::print(stderr, "    {}\n", describe(action));
    }
  }
  checker_.stepped(now_, seen, shown, *controller_);
  for (const ControllerAction& action : actions) {
    controller_act(action);
  }
  wake_controller();
}

void World::wake_controller() {
  const Time next = controller_->next_timer();
  if (next >= controller_wakes_) {
    return;
  }
  controller_wakes_ = next;
  at(next, [this, life = controller_life_] {
    if (controller_ == nullptr || life != controller_life_) {
      return;
    }
    controller_wakes_ = Time::never();
    if (controller_->next_timer() <= now_) {
      controller_step(Tick{});
    } else {
      wake_controller();
    }
  });
}

wire::Body World::payload_of(const PayloadRef& payload) const {
  const auto at = payloads_.find(payload.handle);
  JUGGLER_CHECK(at != payloads_.end(), "a live task's payload is kept");
  return at->second;
}

void World::controller_act(const ControllerAction& action) {
  Link& link = controller_link_;
  if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
    const Dispatch& d = dispatch->dispatch;
    placements_.push_back(
        fmt::format("{} {}/{} {}", d.attempt.task.id, d.device, d.processor, d.variant));
    publish(link, dispatch->id, wire::encode_dispatch(d, payload_of(d.payload)));
  } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
    const auto clean = std::get<SendOutcome>(stripped(*outcome));
    publish(link, outcome->id,
            wire::encode_outcome(clean.outcome, outcome->reply_to, outcome->correlation_id));
  } else if (const auto* decided = std::get_if<SendDecided>(&action)) {
    publish(link, decided->id, wire::encode_decided(decided->outcome));
  } else if (const auto* dead = std::get_if<SendDead>(&action)) {
    publish(link, dead->id, wire::encode_dead(dead->outcome, payload_of(dead->payload)));
  } else if (const auto* ask = std::get_if<AskHello>(&action)) {
    publish(link, ++aside_, wire::encode_control(ask->device, wire::ControlKind::Hello));
  } else if (const auto* enrol = std::get_if<Enrol>(&action)) {
    at(now_ + milliseconds(2), [this, device = enrol->device] { enrolled_.insert(device); });
  } else if (const auto* ack_it = std::get_if<AckDelivery>(&action)) {
    ack(link, ack_it->delivery);
  } else if (const auto* reject = std::get_if<RejectDelivery>(&action)) {
    ack(link, reject->delivery);
  } else if (const auto* drop = std::get_if<DropPayload>(&action)) {
    if (payloads_.erase(drop->handle) != 1) {
      broken_.push_back("a payload was dropped twice");
    }
  }
}

void World::controller_message(const std::string& queue, const Message& message,
                               DeliveryId delivery) {
  const wire::Envelope& envelope = message.envelope;
  if (queue == wire::kTasksQueue) {
    wire::DecodedSubmission decoded = wire::decode_submission(envelope, message.redelivered);
    decoded.submission.payload.handle = ++last_payload_;
    payloads_[last_payload_] = envelope.body;
    if (bug_ == PlantedBug::ForgetsIds) {
      decoded.submission.key.id += fmt::format("#{}", ++submissions_);
    }
    controller_step(Submitted{decoded.submission, delivery, decoded.refusal, decoded.id_given});
    return;
  }
  if (queue == wire::kResultsQueue) {
    const auto result = wire::decode_result(envelope);
    JUGGLER_CHECK(result.has_value(), "a device's result decodes");
    controller_step(ResultArrived{*result, delivery});
    return;
  }
  ack(controller_link_, delivery);
  if (const auto beat = wire::decode_heartbeat(envelope)) {
    controller_step(HeartbeatArrived{*beat});
  } else if (const auto facts = wire::decode_hello(envelope)) {
    controller_step(HelloArrived{*facts});
  } else {
    broken_.push_back("an event that does not decode");
  }
}

void World::device_up(Host& host) {
  if (host.consumer == nullptr) {
    host.facts.incarnation += 1;
    host.life += 1;
    host.wakes = Time::never();
    host.consumer = std::make_unique<Consumer>(ConsumerConfig{}, host.facts);
  }
  if (host.link.up) {
    return;
  }
  host.link.up = true;
  host.link.incarnation += 1;
  device_step(host, LinkUp{});
  deliver("dispatch." + host.facts.id);
  deliver("control." + host.facts.id);
}

void World::device_down(Host& host) {
  if (host.consumer == nullptr || !host.link.up) {
    return;
  }
  const std::vector<PublishId> unknown = cut(host.link);
  device_step(host, LinkDown{});
  for (const PublishId id : unknown) {
    device_step(host, PublishSettled{id, PublishEnd::Unknown});
  }
}

void World::device_died(Host& host) {
  if (host.link.up) {
    cut(host.link);
  }
  host.consumer.reset();
  host.payloads.clear();
}

void World::device_step(Host& host, const ConsumerEvent& event) {
  std::vector<ConsumerAction> actions;
  host.consumer->step(now_, event, actions);
  digest_.add(fmt::format("{} {} {}", now_.us, host.facts.id, describe(event)));
  for (const ConsumerAction& action : actions) {
    digest_.add(describe(action));
  }
  for (const ConsumerAction& action : actions) {
    device_act(host, action);
  }
  if (host.consumer != nullptr) {
    wake_device(host);
  }
}

void World::wake_device(Host& host) {
  const Time next = host.consumer->next_timer();
  if (next >= host.wakes) {
    return;
  }
  host.wakes = next;
  at(next, [this, &host, life = host.life] {
    if (host.consumer == nullptr || life != host.life) {
      return;
    }
    host.wakes = Time::never();
    if (host.consumer->next_timer() <= now_) {
      device_step(host, Tick{});
    } else {
      wake_device(host);
    }
  });
}

void World::device_act(Host& host, const ConsumerAction& action) {
  if (const auto* start = std::get_if<StartBatch>(&action)) {
    run_batch(host, *start);
  } else if (const auto* result = std::get_if<SendResult>(&action)) {
    publish(host.link, result->id, wire::encode_result(result->result));
  } else if (std::holds_alternative<SendHello>(action)) {
    publish(host.link, ++aside_, wire::encode_hello(host.facts));
  } else if (const auto* beat = std::get_if<SendHeartbeat>(&action)) {
    publish(host.link, ++aside_, wire::encode_heartbeat(beat->heartbeat));
  } else if (const auto* ack_it = std::get_if<AckDelivery>(&action)) {
    ack(host.link, ack_it->delivery);
  } else if (const auto* drop = std::get_if<DropPayload>(&action)) {
    if (host.payloads.erase(drop->handle) != 1) {
      broken_.push_back(host.facts.id + " dropped a payload twice");
    }
  } else if (std::holds_alternative<Left>(action)) {
    at(now_ + milliseconds(50), [this, &host, life = host.life] {
      if (host.life == life) {
        device_died(host);
        at(now_ + seconds(3), [this, &host] { device_up(host); });
      }
    });
  }
}

void World::run_batch(Host& host, const StartBatch& start) {
  BatchReport report;
  for (const BatchItem& item : start.items) {
    const bool kept = host.payloads.contains(item.payload.handle);
    JUGGLER_CHECK(kept, "a waiting task's payload is kept on its device");
    EngineOutput output;
    output.status = AttemptStatus::Ok;
    if (host.failing && one_in(device_rng_, 2)) {
      output.status = AttemptStatus::Error;
      output.reason = "the engine failed";
    } else {
      output.labels = {{1, start.variant, 0.5}};
    }
    report.outputs.push_back(std::move(output));
  }
  Micros mean;
  for (const Processor& processor : host.facts.processors) {
    for (const Profile& profile : processor.profiles) {
      if (processor.id == start.processor && profile.variant == start.variant) {
        mean = profile.points.front().latency_mean;
      }
    }
  }
  const std::int64_t percent = plan_.same_devices ? 100 : between(device_rng_, 75, 100);
  report.compute =
      mean * percent / 100 * host.slowness * static_cast<std::int64_t>(start.items.size());
  at(now_ + report.compute, [this, &host, life = host.life, id = start.batch, report] {
    if (host.consumer != nullptr && host.life == life) {
      device_step(host, BatchFinished{id, report});
    }
  });
}

void World::device_message(Host& host, const Message& message, DeliveryId delivery, bool control) {
  if (control) {
    ack(host.link, delivery);
    const auto kind = wire::decode_control(message.envelope);
    JUGGLER_CHECK(kind.has_value(), "a control message decodes");
    device_step(host, HelloAsked{});
    return;
  }
  if (host.deaf) {
    host.deaf = false;
    ack(host.link, delivery);  // it is gone, and nobody knows
    return;
  }
  auto dispatch = wire::decode_dispatch(message.envelope);
  JUGGLER_CHECK(dispatch.has_value(), "a dispatch decodes");
  dispatch->payload.handle = ++host.last_payload;
  host.payloads[host.last_payload] = message.envelope.body;
  device_step(host, DispatchArrived{*dispatch, delivery, message.redelivered});
}

}  // namespace juggler::test
