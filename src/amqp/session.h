#pragma once
// The address of a broker, and a transport for a session there (runtime/session.h).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "runtime/session.h"
#include "runtime/transport.h"

namespace juggler::amqp {

// amqp[s]://user:password@host:port/vhost. The password never appears in a log or message.
//
// amqps:// also takes RabbitMQ's options:
// ?cacertfile=…&certfile=…&keyfile=…&verify=verify_peer|verify_none&server_name_indication=…
// &auth_mechanism=plain|external, and one of our own: &fingerprint=sha256:… pins the certificate.
//
// The nodes of a cluster: several addresses with commas between. What a later one leaves out
// (login, vhost, options) is the first one's.
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
  std::string fingerprint;  // SHA-256 of the one certificate that is accepted, in hexadecimal
  bool external = false;    // log in by the client certificate (its CN is the user), not a password

  std::vector<BrokerUrl> others;  // further nodes, each without others of its own

  static constexpr std::size_t kNodesMax = 16;

  static Result<BrokerUrl> parse(std::string_view text);
  // At every node.
  void set_login(const std::string& name, const std::string& secret);
  std::string redacted() const;  // for people: of the first node, without the password
  std::string text() const;      // whole, for a file that its owner alone can read
};

// Whether an address, well-formed or not, has a password in it.
bool holds_password(std::string_view address);

using juggler::OwnQueue;
using juggler::SessionRole;
using juggler::Subscription;

// A session and where it goes.
struct SessionSpec : SessionPlan {
  SessionSpec() = default;
  SessionSpec(SessionPlan plan, BrokerUrl url = {})  // NOLINT(google-explicit-constructor)
      : SessionPlan(std::move(plan)), broker(std::move(url)) {}

  BrokerUrl broker;

  // Asked before each attempt to connect again: the login may have changed since. An answer for
  // another user is not taken; a failure leaves what was there.
  std::function<Result<BrokerUrl>()> read_again;
};

// What our node takes; a larger publish is settled as Refused before it is sent.
inline constexpr Bytes kMessageMax = mebibytes(16);

inline SessionSpec controller_session(BrokerUrl broker, std::string instance,
                                      bool standby = false) {
  return {controller_plan(std::move(instance), standby), std::move(broker)};
}
inline SessionSpec device_session(BrokerUrl broker, const std::string& device,
                                  std::int64_t incarnation, int dispatches_max) {
  return {device_plan(device, incarnation, dispatches_max), std::move(broker)};
}
inline SessionSpec client_session(BrokerUrl broker, std::string name) {
  return {client_plan(std::move(name)), std::move(broker)};
}

// Connects when first polled. thread: the one that polls owns it.
std::unique_ptr<Transport> make_transport(SessionSpec spec);

}  // namespace juggler::amqp
