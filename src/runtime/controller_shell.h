#pragma once
// The loop around the controller: deliveries become events, actions become publishes and acks. It
// owns the payloads' bytes and the delivery tags, which the state machine never sees.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/controller.h"
#include "runtime/clock.h"
#include "runtime/line_rate.h"
#include "runtime/observer.h"
#include "runtime/repeated_warning.h"
#include "runtime/stamps.h"
#include "runtime/task_marks.h"
#include "runtime/token_bucket.h"
#include "runtime/transport.h"

namespace juggler {

struct PictureSize {
  int width = 0;
  int height = 0;
};

using ControllerObserver = StepObserver<ControllerEvent, ControllerAction>;

struct ControllerShellOptions {
  // Reads a picture's header, so that a bad picture is refused before it costs any device time.
  std::function<Result<PictureSize>(PayloadKind kind, std::string_view bytes)> read_picture;
  // Called for every outcome as it is given; may be empty.
  std::function<void(const Outcome&)> answered;
  std::string version;
  std::string login{};                     // the user at the broker
  std::string stamp_key{};                 // that all controllers of a fleet have in common
  ControllerObserver* observer = nullptr;  // outlives the shell; may be null
};

struct ShellStats {
  std::uint64_t malformed = 0;       // messages that were dead-lettered
  std::uint64_t beats_left_out = 0;  // heartbeats and hellos of devices that send too many
};

class ControllerShell {
 public:
  ControllerShell(Controller& controller, Transport& transport, Clock& clock,
                  ControllerShellOptions options);

  // One turn: waits for at most `wait_max`, handles all that has come and runs due timers.
  // thread: the owner's
  void turn(Micros wait_max);

  const ShellStats& stats() const { return stats_; }
  std::size_t payloads() const { return payloads_.size(); }  // kept: one of each task that needs it

 private:
  void handle(const TransportConnected& event);
  void handle(const TransportDisconnected& event);
  void handle(const TransportBlocked& event);
  void handle(const TransportPresence& event);
  void handle(const TransportServing& /*event*/) {}  // a device's matter
  void handle(const TransportDelivery& event);
  void handle(const TransportSettled& event);
  bool sender_is(const wire::Envelope& envelope, const std::string& device) const;
  void mark(const TransportDelivery& delivery);
  void submission(const TransportDelivery& delivery);
  void result(const TransportDelivery& delivery);
  void from_device(const TransportDelivery& delivery);
  void heartbeat(const TransportDelivery& delivery);
  void hello(const TransportDelivery& delivery);
  void malformed(const TransportDelivery& delivery, const Error& error);
  void bury(const TransportDelivery& delivery, const std::string& reason);
  void say_left_out();

  void step(ControllerEvent event);
  void perform(ControllerAction& action);
  wire::Body payload(std::uint64_t handle) const;
  void send_aside(wire::Envelope envelope);
  void ack(const std::vector<DeliveryId>& deliveries);

  Controller& controller_;
  Transport& transport_;
  Clock& clock_;
  ControllerShellOptions options_;
  Stamps stamps_;
  RepeatedWarning no_broker_;
  void check_stamp(std::string& stamp, const AttemptId& attempt, const std::string& device) const;
  // How often each device may be heard with one kind of message.
  using Rates = std::map<std::string, TokenBucket>;
  bool may_be_heard(Rates& rates, const std::string& device, const TokenBucket& full);

  Rates greetings_;
  Rates beats_;
  RepeatedWarning floods_;
  LineRate malformed_lines_;
  TaskMarks marks_;
  RepeatedWarning marks_full_;
  ShellStats stats_;
  std::unordered_map<std::uint64_t, wire::Body> payloads_;  // looked up, never iterated
  std::uint64_t last_payload_ = 0;
  std::map<PublishId, Bytes> dead_on_the_way_;  // copies that the broker has not confirmed yet
  Bytes dead_bytes_;
  RepeatedWarning dead_refused_;
  PublishId last_aside_;  // publishes whose settlement concerns nobody
  std::vector<TransportEvent> events_;
  std::vector<ControllerAction> actions_;
};

}  // namespace juggler
