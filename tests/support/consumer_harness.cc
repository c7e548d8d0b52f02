#include "support/consumer_harness.h"

#include <algorithm>
#include <utility>

namespace juggler::test {

Dispatch dispatch_for(const DeviceFacts& facts, const std::string& id, Micros budget) {
  Dispatch dispatch;
  dispatch.attempt = {{"reply_to:replies", id}, 1, 1};
  dispatch.device = facts.id;
  dispatch.processor = facts.processors.front().id;
  dispatch.variant = facts.processors.front().profiles.front().variant;
  dispatch.budget = budget;
  dispatch.payload = {.handle = 0, .size = {1000}, .kind = PayloadKind::Jpeg};
  return dispatch;
}

ConsumerHarness::ConsumerHarness(DeviceFacts facts, ConsumerConfig config)
    : consumer_(config, std::move(facts)) {}

void ConsumerHarness::step(const ConsumerEvent& event) {
  std::vector<ConsumerAction> done;
  consumer_.step(now_, event, done);
  for (const ConsumerAction& action : done) {
    if (const auto* start = std::get_if<StartBatch>(&action)) {
      last_batch_ = *start;
    } else if (const auto* result = std::get_if<SendResult>(&action)) {
      open_.push_back(result->id);
    }
  }
  actions_.insert(actions_.end(), done.begin(), done.end());
}

void ConsumerHarness::advance(Micros by) {
  const Time end = now_ + by;
  while (consumer_.next_timer() <= end) {
    now_ = std::max(now_, consumer_.next_timer());
    step(Tick{});
  }
  now_ = end;
}

DeliveryId ConsumerHarness::dispatch(Dispatch dispatch, bool redelivered) {
  const DeliveryId delivery{incarnation_, ++last_tag_};
  dispatch.payload.handle = ++last_payload_;
  step(DispatchArrived{std::move(dispatch), delivery, redelivered});
  return delivery;
}

DeliveryId ConsumerHarness::dispatch(const std::string& id, Micros budget) {
  return dispatch(dispatch_for(facts(), id, budget));
}

void ConsumerHarness::finish(AttemptStatus status, const std::string& reason) {
  BatchReport report;
  report.compute = milliseconds(5);
  for (std::size_t i = 0; i < last_batch_.items.size(); ++i) {
    EngineOutput output;
    output.status = status;
    output.reason = reason;
    output.labels.push_back({.index = static_cast<int>(i), .name = "label", .score = 0.5});
    report.outputs.push_back(std::move(output));
  }
  step(BatchFinished{last_batch_.batch, std::move(report)});
}

void ConsumerHarness::fail(EngineFailure failure, const std::string& reason) {
  BatchReport report;
  report.failure = failure;
  report.outputs.resize(last_batch_.items.size());
  for (EngineOutput& output : report.outputs) {
    output.reason = reason;
  }
  step(BatchFinished{last_batch_.batch, std::move(report)});
}

void ConsumerHarness::settle(PublishId id, PublishEnd end) {
  open_.erase(std::remove(open_.begin(), open_.end(), id), open_.end());
  step(PublishSettled{id, end});
}

void ConsumerHarness::confirm_results() {
  while (!open_.empty()) {
    settle(open_.front());
  }
}

void ConsumerHarness::link_up() {
  incarnation_ += 1;
  step(LinkUp{});
}

bool ConsumerHarness::acked(DeliveryId delivery) const {
  const std::vector<AckDelivery> acks = all<AckDelivery>();
  return std::any_of(acks.begin(), acks.end(),
                     [&](const AckDelivery& ack) { return ack.delivery == delivery; });
}

}  // namespace juggler::test
