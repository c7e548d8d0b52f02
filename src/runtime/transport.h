#pragma once
// The port to the broker. Two implementations: AMQP (src/amqp) and in-process (runtime/loopback.h);
// the simulator brings the third.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/handles.h"
#include "core/result.h"
#include "core/units.h"
#include "wire/envelope.h"

namespace juggler {

struct TransportConnected {
  std::uint64_t incarnation = 0;
  std::int64_t epoch = 0;   // greater than every earlier leader's; 0 where the session takes none
  std::string reply_queue;  // the session's own exclusive queue; empty where it has none
  std::int64_t previous_epoch = 0;  // the last leader's; 0 where there was none, or none is taken
};

// Whether everything that the session consumes is consumed. After TransportConnected it is not
// until this says so: a device's queues are made while it is connected, and may be deleted.
struct TransportServing {
  bool serving = false;
};

struct TransportDisconnected {
  std::string reason;
};

// The broker has stopped taking messages (memory or disk alarm), or takes them again.
struct TransportBlocked {
  bool blocked = false;
  std::string reason;
};

struct TransportDelivery {
  DeliveryId id;
  std::string queue;  // the queue of the subscription it came by
  bool redelivered = false;
  wire::Envelope envelope;
  bool too_large = false;  // its body was not read
};

// The answer to ask_presence(): whether the device's queue is there and has a consumer.
struct TransportPresence {
  std::string device;
  bool present = false;
};

struct TransportSettled {
  PublishId id = 0;
  PublishEnd end = PublishEnd::Unknown;
};

using TransportEvent =
    std::variant<TransportConnected, TransportDisconnected, TransportBlocked, TransportDelivery,
                 TransportSettled, TransportPresence, TransportServing>;

class Transport {
 public:
  virtual ~Transport() = default;

  // Queues a message. Never blocks; every publish is settled exactly once, in any order.
  virtual void publish(PublishId id, wire::Envelope message) = 0;

  // Settles a delivery. Void if its connection is gone.
  virtual void ack(DeliveryId delivery) = 0;
  virtual void reject(DeliveryId delivery, bool requeue) = 0;

  // Makes the queues of a device, so that it can join. Idempotent; runs apart from the working
  // connection, and a failure is logged and tried again at the device's next hello.
  virtual void enrol(const std::string& device) = 0;

  // Asks whether anybody consumes a device's queue; the answer is an event. Apart from the working
  // connection as well; where it cannot be found out, no answer comes.
  virtual void ask_presence(const std::string& device) = 0;

  // Sends what is queued, appends what has happened to `events`, and waits for at most `wait_max`
  // if nothing has.
  //
  // Reconnects by itself, with jittered back-off.
  // thread  the owner's; so are publish, ack and reject.
  virtual void poll(Micros wait_max, std::vector<TransportEvent>& events) = 0;

  // Makes a waiting poll() return. thread: any.
  virtual void wake() = 0;

  // Sends and settles what is queued, for at most `wait_max`, then closes the connection.
  virtual void close(Micros wait_max) = 0;
};

}  // namespace juggler
