#pragma once
// A message as AMQP carries it, before anybody has read it: address, properties, headers, body.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace juggler::wire {

// The header types that Juggler reads. Others arrive as std::monostate and count as malformed.
using HeaderValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;
using Headers = std::map<std::string, HeaderValue, std::less<>>;

// Bytes shared without a copy between a delivery, the payload store and a publish. Never null in a
// complete envelope.
using Body = std::shared_ptr<const std::string>;

struct Envelope {
  // Where it goes, or where it came from.
  std::string exchange;
  std::string routing_key;

  std::string content_type;
  std::string type;  // e.g. "juggler.task.v1"
  std::string message_id;
  std::string correlation_id;
  std::string reply_to;
  std::string user_id;  // checked by the broker where present
  std::string app_id;
  std::optional<int> priority;
  std::optional<std::int64_t> timestamp_s;
  std::optional<std::int64_t> expiration_ms;
  bool persistent = true;
  bool mandatory = true;  // only on publishing

  Headers headers;
  Body body;
};

// A body from a string.
inline Body make_body(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

}  // namespace juggler::wire
