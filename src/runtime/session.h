#pragma once
// What one connection to the broker is for, as a value: it is declared and subscribed to again on
// every reconnect. The topology and its reasons: docs/protocol.md.

#include <cstdint>
#include <string>
#include <vector>

#include "core/units.h"

namespace juggler {

// A queue that belongs to one connection and vanishes with it.
struct OwnQueue {
  struct Binding {
    std::string exchange;
    std::string key;
  };
  bool wanted = false;
  bool unique_name = false;         // `<queue>.<something unique>`; deliveries still say `<queue>`
  std::int64_t message_ttl_ms = 0;  // 0: none
  int length_max = 0;               // 0: none; beyond it the oldest message goes
  Bytes bytes_max = Bytes{0};       // likewise, of what waits there
  std::vector<Binding> bindings = {};
};

struct Subscription {
  std::string queue;          // deliveries name it
  int prefetch = 1;           // 0: no bound
  bool exclusive = false;     // also the lock that makes a controller the leader
  bool no_ack = false;        // its deliveries carry tag 0, and an ack of them does nothing
  std::int64_t priority = 0;  // x-priority: a newer incarnation wins over a half-dead older one
  bool drain_first = false;   // the next subscription starts when what lay in this queue has come
  bool browse = false;        // read what lies there, put it all back, and unsubscribe; tag 0
  OwnQueue own = {};          // the session declares the queue itself, for itself
};

enum class SessionRole { Controller, Device, Client };

struct SessionPlan {
  std::string connection_name;
  SessionRole role = SessionRole::Client;
  bool declare_topology = false;  // the controller's part; devices and clients declare nothing
  bool take_epoch = false;
  bool reply_queue = false;  // an exclusive, server-named queue, consumed first
  // The queue's name is not the broker's choice but wire::kRepliesPrefix and something that nobody
  // guesses: a controller's login may declare no others. One that is refused it has the broker's.
  bool controllers_replies = false;
  std::vector<Subscription> subscriptions;
  // So many from the first, and all exclusive ones, are consumed and drained before the session is
  // announced; the others come after its TransportConnected.
  std::size_t announce_after = 0;

  // The longest pause between two attempts to connect. A thousand devices that lost one broker
  // come back a hundred a second.
  Micros reconnect_max = seconds(10);

  // Asked of the broker. It ends a connection that it has heard nothing of for two to three of
  // them, and with that frees what the other side held.
  int heartbeat_s = 5;

  // How long a controller that has seen nobody lead gives way to others that start beside it.
  Micros lead_patience{};

  // A publish beyond either bound is settled as Refused at once.
  std::size_t publishes_max = 65'536;
  Bytes publish_bytes_max = mebibytes(256);
};

// The session of a controller: topology, epoch, and the subscriptions of a leader in their order.
// `standby`: gives way to others that could lead, too.
SessionPlan controller_plan(std::string instance, bool standby = false);
// The session of a device: its own queue and its control queue.
SessionPlan device_plan(const std::string& device, std::int64_t incarnation, int dispatches_max);
// The session of a client: a reply queue.
SessionPlan client_plan(std::string name);

}  // namespace juggler
