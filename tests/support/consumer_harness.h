#pragma once
// Drives a Consumer by events in virtual time and records what it does.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/consumer.h"
#include "support/builders.h"

namespace juggler::test {

// A dispatch of task `id` for the first processor and variant of `facts`, number 1 of epoch 1.
Dispatch dispatch_for(const DeviceFacts& facts, const std::string& id, Micros budget = seconds(10));

class ConsumerHarness {
 public:
  explicit ConsumerHarness(DeviceFacts facts, ConsumerConfig config = {});

  void step(const ConsumerEvent& event);
  void advance(Micros by);  // due timers run at their time

  DeliveryId dispatch(Dispatch dispatch, bool redelivered = false);
  DeliveryId dispatch(const std::string& id, Micros budget = seconds(10));
  // The engine has finished the batch that was started last, every task with this status.
  void finish(AttemptStatus status = AttemptStatus::Ok, const std::string& reason = "");
  // The engine has failed the batch that was started last.
  void fail(EngineFailure failure, const std::string& reason);
  void settle(PublishId id, PublishEnd end = PublishEnd::Confirmed);
  void confirm_results();
  void link_up();
  void link_down() { step(LinkDown{}); }

  template <class Action>
  std::vector<Action> all() const {
    std::vector<Action> found;
    for (const ConsumerAction& action : actions_) {
      if (const auto* one = std::get_if<Action>(&action)) {
        found.push_back(*one);
      }
    }
    return found;
  }
  bool acked(DeliveryId delivery) const;
  void clear() { actions_.clear(); }

  Consumer& consumer() { return consumer_; }
  const DeviceFacts& facts() const { return consumer_.facts(); }
  Time now() const { return now_; }

 private:
  Consumer consumer_;
  Time now_{1'000'000};
  std::uint64_t incarnation_ = 0;
  std::uint64_t last_tag_ = 0;
  std::uint64_t last_payload_ = 0;
  StartBatch last_batch_;
  std::vector<PublishId> open_;
  std::vector<ConsumerAction> actions_;
};

}  // namespace juggler::test
