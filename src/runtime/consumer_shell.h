#pragma once
// The loop around the consumer: deliveries become events, batches go to the executor, results to
// the broker. It owns the payloads' bytes and the delivery tags.

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/consumer.h"
#include "runtime/clock.h"
#include "runtime/engine.h"
#include "runtime/observer.h"
#include "runtime/repeated_warning.h"
#include "runtime/transport.h"
#include "wire/messages.h"

namespace juggler {

using ConsumerObserver = StepObserver<ConsumerEvent, ConsumerAction>;

struct ConsumerShellOptions {
  std::function<HostSample()> sample_host;  // before each heartbeat; may be empty
  std::string login{};                      // the user at the broker; empty: named as the device is
  ConsumerObserver* observer = nullptr;     // outlives the shell; may be null
  // What is not the state machine's matter: models, another name. May be empty.
  std::function<void(const wire::Control&)> order{};
  // What the keeper answers: it comes by the device's control queue. May be empty.
  std::function<void(const wire::Envelope&)> models{};
};

class ConsumerShell {
 public:
  ConsumerShell(Consumer& consumer, Transport& transport, Executor& executor, Clock& clock,
                ConsumerShellOptions options);

  // One turn: waits for at most `wait_max`, handles all that has come and runs due timers.
  // thread: the owner's
  void turn(Micros wait_max);

  // Finish what is here, then leave. thread: the owner's
  void drain();
  // Drained: the loop may end.
  bool left() const { return left_; }
  std::uint64_t malformed() const { return malformed_; }
  std::size_t payloads() const { return payloads_.size(); }  // kept: one of each job on the device

 private:
  void handle(const TransportConnected& event);
  void handle(const TransportDisconnected& event);
  void handle(const TransportBlocked& event);
  void handle(const TransportPresence& /*event*/) {}  // a controller's question
  void handle(const TransportServing& event);
  void handle(const TransportDelivery& event);
  void handle(const TransportSettled& event);
  void step(ConsumerEvent event);
  void perform(ConsumerAction& action);
  void publish(PublishId id, wire::Envelope envelope);

  Consumer& consumer_;
  Transport& transport_;
  Executor& executor_;
  Clock& clock_;
  ConsumerShellOptions options_;
  std::string control_queue_;
  std::unordered_map<std::uint64_t, wire::Body> payloads_;  // looked up, never iterated
  std::uint64_t last_payload_ = 0;
  std::uint64_t malformed_ = 0;
  RepeatedWarning no_broker_;
  PublishId last_aside_;
  bool left_ = false;
  std::vector<TransportEvent> events_;
  std::vector<ConsumerAction> actions_;
  std::vector<BatchDone> done_;
  std::vector<VariantUnloaded> unloaded_;
};

}  // namespace juggler
