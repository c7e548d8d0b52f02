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
//
// amqps:// also takes RabbitMQ's options:
// ?cacertfile=…&certfile=…&keyfile=…&verify=verify_peer|verify_none&server_name_indication=…
struct BrokerUrl {
  bool tls = false;
  std::string host = "127.0.0.1";
  int port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";

  // TLS only. Empty: the system's certificate authorities, no client certificate.
  std::string cacertfile;
  std::string certfile;
  std::string keyfile;
  std::string server_name;  // empty: the host
  bool verify_peer = true;

  static Result<BrokerUrl> parse(std::string_view text);
  std::string redacted() const;  // for people: without the password
};

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

struct SessionSpec {
  BrokerUrl broker;
  std::string connection_name;
  SessionRole role = SessionRole::Client;
  bool declare_topology = false;  // the controller's part; devices and clients declare nothing
  bool take_epoch = false;
  bool reply_queue = false;  // an exclusive, server-named queue, consumed first
  std::vector<Subscription> subscriptions;

  // A publish beyond either bound is settled as Refused at once.
  std::size_t publishes_max = 65'536;
  Bytes publish_bytes_max = mebibytes(256);
};

// What our node takes; a larger publish is settled as Refused before it is sent.
inline constexpr Bytes kMessageMax = mebibytes(16);

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
