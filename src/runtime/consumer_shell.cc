#include "runtime/consumer_shell.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "runtime/topology.h"
#include "wire/messages.h"
#include "wire/models.h"

namespace juggler {
namespace {

constexpr PublishId kAsideFirst = PublishId{1} << 63U;  // the consumer counts up from 1

}  // namespace

ConsumerShell::ConsumerShell(Consumer& consumer, Transport& transport, Executor& executor,
                             Clock& clock, ConsumerShellOptions options)
    : consumer_(consumer),
      transport_(transport),
      executor_(executor),
      clock_(clock),
      options_(std::move(options)),
      control_queue_(device_control_queue(consumer.facts().id)),
      last_aside_(kAsideFirst) {}

void ConsumerShell::turn(Micros wait_max) {
  const Time due = consumer_.next_timer();
  const Micros until_due =
      due == Time::never() ? wait_max : std::max(Micros{0}, due - clock_.now());
  events_.clear();
  transport_.poll(std::min(wait_max, until_due), events_);
  done_.clear();
  executor_.collect(done_);
  for (BatchDone& done : done_) {
    step(BatchFinished{done.id, std::move(done.report)});
  }
  unloaded_.clear();
  executor_.collect_unloaded(unloaded_);
  for (const VariantUnloaded& unloaded : unloaded_) {
    step(unloaded);
  }
  for (const TransportEvent& event : events_) {
    std::visit([this](const auto& e) { handle(e); }, event);
  }
  if (consumer_.next_timer() <= clock_.now()) {
    if (options_.sample_host) {
      step(HostSampled{options_.sample_host()});
    }
    step(Tick{});
  }
}

void ConsumerShell::drain() {
  if (!consumer_.draining()) {
    step(DrainAsked{});
  }
}

void ConsumerShell::step(ConsumerEvent event) {
  const Time now = clock_.now();
  std::vector<ConsumerAction> actions;
  std::swap(actions, actions_);
  actions.clear();
  if (ConsumerObserver* observer = options_.observer) {
    observer->before(now, event);
    consumer_.step(now, ConsumerEvent(event), actions);
    observer->after(now, event, actions);
  } else {
    consumer_.step(now, std::move(event), actions);
  }
  for (ConsumerAction& action : actions) {
    perform(action);
  }
  std::swap(actions, actions_);
}

void ConsumerShell::handle(const TransportConnected& /*event*/) {
  spdlog::info("{} is connected", consumer_.facts().id);
  no_broker_.forget();
  if (options_.sample_host) {
    step(HostSampled{options_.sample_host()});
  }
  step(LinkUp{});
}

void ConsumerShell::handle(const TransportDisconnected& event) {
  if (const std::uint64_t times = no_broker_.to_say(event.reason); times > 0) {
    spdlog::warn("{} has no connection to the broker: {}; trying again{}", consumer_.facts().id,
                 event.reason, times_text(times));
  }
  step(LinkDown{});
}

void ConsumerShell::handle(const TransportServing& event) { step(ServingChanged{event.serving}); }

void ConsumerShell::handle(const TransportBlocked& /*event*/) {}  // the transport holds back

void ConsumerShell::handle(const TransportSettled& event) {
  if (event.id < kAsideFirst) {
    step(PublishSettled{event.id, event.end});
  }
}

void ConsumerShell::handle(const TransportDelivery& event) {
  if (event.queue == control_queue_ && wire::is_models_answer(event.envelope)) {
    if (options_.models) {
      options_.models(event.envelope);
    }
    return;
  }
  if (event.queue == control_queue_) {
    const Result<wire::Control> control = wire::decode_control(event.envelope);
    if (!control) {
      malformed_ += 1;
      spdlog::warn("control message refused: {}", control.error().message);
      transport_.reject(event.id, /*requeue=*/false);
      return;
    }
    transport_.ack(event.id);
    switch (control->kind) {
      case wire::ControlKind::Hello:
        step(HelloAsked{});
        break;
      case wire::ControlKind::Drain:
        step(DrainAsked{});
        break;
      case wire::ControlKind::Heartbeat:
        step(BeatAsked{control->every});
        break;
      case wire::ControlKind::Models:
      case wire::ControlKind::Rename:
        if (options_.order) {
          options_.order(*control);
        }
        break;
    }
    return;
  }
  Result<Dispatch> dispatch = event.too_large
                                  ? fail(ErrorCode::TooLarge, "it is too large to be read")
                                  : wire::decode_dispatch(event.envelope);
  if (!dispatch) {
    malformed_ += 1;
    spdlog::warn("dispatch refused: {}", dispatch.error().message);
    transport_.reject(event.id, /*requeue=*/false);
    return;
  }
  dispatch->payload.handle = ++last_payload_;
  payloads_.emplace(dispatch->payload.handle, event.envelope.body);
  step(DispatchArrived{std::move(*dispatch), event.id, event.redelivered});
}

// The controller takes nothing from whom it cannot know: the broker checks the user id.
void ConsumerShell::publish(PublishId id, wire::Envelope envelope) {
  envelope.user_id = options_.login.empty() ? consumer_.facts().id : options_.login;
  transport_.publish(id, std::move(envelope));
}

void ConsumerShell::perform(ConsumerAction& action) {
  if (auto* start = std::get_if<StartBatch>(&action)) {
    BatchJob job;
    job.id = start->batch;
    job.processor = std::move(start->processor);
    job.variant = std::move(start->variant);
    for (const BatchItem& item : start->items) {
      const auto bytes = payloads_.find(item.payload.handle);
      JUGGLER_CHECK(bytes != payloads_.end(), "a waiting task's payload is kept");
      job.inputs.push_back({item.payload, bytes->second, item.top_k});
    }
    executor_.start(std::move(job));
  } else if (auto* result = std::get_if<SendResult>(&action)) {
    publish(result->id, wire::encode_result(*result->result));
  } else if (std::holds_alternative<SendHello>(action)) {
    publish(++last_aside_, wire::encode_hello(consumer_.facts()));
  } else if (auto* beat = std::get_if<SendHeartbeat>(&action)) {
    publish(++last_aside_, wire::encode_heartbeat(beat->heartbeat));
  } else if (auto* ack = std::get_if<AckDelivery>(&action)) {
    transport_.ack(ack->delivery);
  } else if (auto* drop = std::get_if<DropPayload>(&action)) {
    JUGGLER_CHECK(payloads_.erase(drop->handle) == 1, "a payload is dropped once");
  } else if (std::holds_alternative<Left>(action)) {
    left_ = true;
  }
}

}  // namespace juggler
