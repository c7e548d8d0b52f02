#include "support/controller_harness.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/check.h"

namespace juggler::test {

ControllerHarness::ControllerHarness(ControllerConfig config, const std::string& policy) {
  auto made = make_policy(policy);
  JUGGLER_CHECK(made.has_value(), "the test names a policy that exists");
  controller_ = std::make_unique<Controller>(std::move(config), std::move(*made));
}

ControllerHarness::~ControllerHarness() {
  if (!complaints_expected_) {
    EXPECT_TRUE(checker_.complaints().empty()) << checker_.report();
  }
}

ControllerHarness& ControllerHarness::lead_with(std::vector<DeviceFacts> devices) {
  begin_lead(1);
  for (const DeviceFacts& facts : devices) {
    hello(facts);
  }
  advance(controller_->config().warm_up + milliseconds(1));
  clear();
  return *this;
}

void ControllerHarness::step(const ControllerEvent& event) {
  std::vector<ControllerAction> done;
  controller_->step(now_, event, done);
  checker_.stepped(now_, event, done, *controller_);
  for (const ControllerAction& action : done) {
    const auto open = [this](PublishId id) { open_.insert(id); };
    if (const auto* dispatch = std::get_if<SendDispatch>(&action)) {
      open(dispatch->id);
    } else if (const auto* outcome = std::get_if<SendOutcome>(&action)) {
      open(outcome->id);
    } else if (const auto* decided = std::get_if<SendDecided>(&action)) {
      open(decided->id);
    } else if (const auto* dead = std::get_if<SendDead>(&action)) {
      open(dead->id);
    }
  }
  actions_.insert(actions_.end(), done.begin(), done.end());
  for (const ControllerAction& action : done) {
    const auto* decided = std::get_if<SendDecided>(&action);
    if (decided != nullptr && !records_held_ && controller_->leading()) {
      settle(decided->id);
    }
  }
}

void ControllerHarness::advance(Micros by) {
  const Time end = now_ + by;
  while (true) {
    const Time next = std::min(controller_->next_timer(), next_beat_);
    if (next > end) {
      break;
    }
    now_ = std::max(now_, next);
    if (next_beat_ <= now_) {
      next_beat_ = now_ + seconds(1);
      beat_all();
    }
    if (controller_->next_timer() <= now_) {
      step(Tick{});
    }
  }
  now_ = end;
}

void ControllerHarness::jump(Micros by) {
  now_ = now_ + by;
  next_beat_ = now_ + seconds(1);
  beating_.clear();
  step(Tick{});
}

void ControllerHarness::beat_all() {
  const std::map<std::string, std::int64_t> beating = beating_;
  for (const auto& [device, incarnation] : beating) {
    heartbeat(device);
  }
}

void ControllerHarness::begin_lead(std::int64_t epoch, std::int64_t predecessor) {
  incarnation_ += 1;
  step(LeadBegun{epoch, predecessor});
  if (reads_tasks) {
    step(TasksRead{});
  }
}

void ControllerHarness::end_lead() {
  step(LeadEnded{});
  const std::set<PublishId> open = open_;
  for (const PublishId id : open) {
    settle(id, PublishEnd::Unknown);
  }
}

void ControllerHarness::hello(const DeviceFacts& facts) {
  ASSERT_TRUE(validate(facts).has_value());
  beating_[facts.id] = facts.incarnation;
  step(HelloArrived{facts});
}

void ControllerHarness::heartbeat(const std::string& device, Heartbeat extra) {
  extra.device = device;
  if (extra.incarnation == 0) {
    const auto at = beating_.find(device);
    extra.incarnation = at == beating_.end() ? 1 : at->second;
  }
  step(HeartbeatArrived{std::move(extra)});
}

DeliveryId ControllerHarness::submit(const Submission& submission) {
  return submit(Submitted{.submission = submission, .delivery = {}, .refusal = {}});
}

DeliveryId ControllerHarness::submit(Submitted event) {
  event.delivery = next_delivery();
  event.submission.payload.handle = ++last_payload_;
  step(event);
  return event.delivery;
}

DeliveryId ControllerHarness::result(AttemptResult result) {
  const DeliveryId delivery = next_delivery();
  result.stamp = "0123456789abcdef";
  step(ResultArrived{std::move(result), delivery});
  return delivery;
}

DeliveryId ControllerHarness::result_without_stamp(AttemptResult result) {
  const DeliveryId delivery = next_delivery();
  result.stamp.clear();
  step(ResultArrived{std::move(result), delivery});
  return delivery;
}

void ControllerHarness::decided(const Outcome& outcome) { step(DecidedRead{outcome}); }

void ControllerHarness::settle(PublishId id, PublishEnd end) {
  JUGGLER_CHECK(open_.erase(id) == 1, "a test settles what is open, once");
  step(PublishSettled{id, end});
}

void ControllerHarness::confirm_all() {
  while (!open_.empty()) {
    settle(*open_.begin());
  }
}

std::vector<Dispatch> ControllerHarness::dispatches() const {
  std::vector<Dispatch> found;
  for (const SendDispatch& send : all<SendDispatch>()) {
    found.push_back(send.dispatch);
  }
  return found;
}

Dispatch ControllerHarness::last_dispatch() const {
  const std::vector<Dispatch> found = dispatches();
  EXPECT_FALSE(found.empty()) << "nothing was dispatched";
  return found.empty() ? Dispatch{} : found.back();
}

std::vector<Outcome> ControllerHarness::outcomes() const {
  std::vector<Outcome> found;
  for (const SendOutcome& send : all<SendOutcome>()) {
    found.push_back(send.outcome);
  }
  return found;
}

Outcome ControllerHarness::last_outcome() const {
  const std::vector<Outcome> found = outcomes();
  EXPECT_FALSE(found.empty()) << "no outcome was sent";
  return found.empty() ? Outcome{} : found.back();
}

bool ControllerHarness::acked(DeliveryId delivery) const {
  return index_of_ack(delivery) < actions_.size();
}

std::size_t ControllerHarness::index_of_ack(DeliveryId delivery) const {
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    const auto* ack = std::get_if<AckDelivery>(&actions_[i]);
    if (ack != nullptr && ack->delivery == delivery) {
      return i;
    }
  }
  return actions_.size();
}

bool ControllerHarness::rejected(DeliveryId delivery) const {
  const std::vector<RejectDelivery> found = all<RejectDelivery>();
  return std::any_of(found.begin(), found.end(),
                     [&](const RejectDelivery& one) { return one.delivery == delivery; });
}

}  // namespace juggler::test
