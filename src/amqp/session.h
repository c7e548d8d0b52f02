#pragma once
// What one connection to the broker is for, as a value: it is declared and subscribed to again on
// every reconnect. The topology and its reasons: docs/protocol.md.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "runtime/transport.h"

namespace juggler::amqp {

// amqp[s]://user:password@host:port/vhost. The password never appears in a log or message.
struct BrokerUrl {
  bool tls = false;
  std::string host = "127.0.0.1";
  int port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";

  static Result<BrokerUrl> parse(std::string_view text);
  std::string redacted() const;  // for people: without the password
};

struct Subscription {
  std::string queue;
  int prefetch = 1;
  bool exclusive = false;       // also the lock that makes a controller the leader
  bool no_ack = false;
  std::int64_t priority = 0;    // x-priority: a newer incarnation wins over a half-dead older one
  bool drain_first = false;     // the next subscription starts when what lay in this queue has come
};

enum class SessionRole { Controller, Device, Client };

struct SessionSpec {
  BrokerUrl broker;
  std::string connection_name;
  SessionRole role = SessionRole::Client;
  bool declare_topology = false;  // the controller's part; devices and clients declare nothing
  bool take_epoch = false;
  bool reply_queue = false;       // an exclusive, server-named queue, consumed first
  std::vector<Subscription> subscriptions;
};

// The session of a controller: topology, epoch, and the subscriptions of a leader in their order.
SessionSpec controller_session(BrokerUrl broker, std::string instance);
// The session of a device: its own queue and its control queue.
SessionSpec device_session(BrokerUrl broker, const std::string& device, std::int64_t incarnation,
                           int window);
// The session of a client: a reply queue.
SessionSpec client_session(BrokerUrl broker, std::string name);

// Connects when first polled. thread: the one that polls owns it.
std::unique_ptr<Transport> make_transport(SessionSpec spec);

}  // namespace juggler::amqp
