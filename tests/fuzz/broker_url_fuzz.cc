// Fuzzes addresses of brokers. What is read is written as the same again, and no password is shown.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "amqp/session.h"
#include "core/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using juggler::amqp::BrokerUrl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool secret = juggler::amqp::holds_password(text);
  const auto url = BrokerUrl::parse(text);
  if (!url) {
    JUGGLER_CHECK(!url.error().message.empty(), "an error without a message");
    return 0;
  }
  if (size > 1'000) {
    return 0;  // with escapes it may be longer than an address may be
  }
  const auto again = BrokerUrl::parse(url->text());
  JUGGLER_CHECK(again.has_value() && again->text() == url->text(), "written as something else");
  JUGGLER_CHECK(again->user == url->user && again->password == url->password &&
                    again->host == url->host && again->port == url->port &&
                    again->vhost == url->vhost && again->fingerprint == url->fingerprint,
                "written as another address");
  JUGGLER_CHECK(url->others.size() < BrokerUrl::kNodesMax, "more nodes than there may be");
  JUGGLER_CHECK(url->verify_peer || url->fingerprint.empty(), "a pin that nobody judges");
  for (const BrokerUrl& node : url->others) {
    JUGGLER_CHECK(node.verify_peer || node.fingerprint.empty(), "a pin that nobody judges");
    JUGGLER_CHECK(node.user == url->user && node.vhost == url->vhost && node.tls == url->tls,
                  "nodes of two clusters");
  }
  // Who gives no login has RabbitMQ's default one.
  JUGGLER_CHECK(secret || url->password.empty() || url->password == BrokerUrl{}.password,
                "a password that a flag would let pass");
  return 0;
}
