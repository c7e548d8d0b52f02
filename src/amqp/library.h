#pragma once
// rabbitmq-c as this folder uses it: its codec for methods and properties, nothing of its sockets.
// From 0.12 the headers moved; the old names warn there.

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <string>
#include <string_view>

namespace juggler::amqp {

// The library's view of bytes that the caller keeps alive. It takes them as mutable and never
// writes to what it encodes.
inline amqp_bytes_t to_bytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

inline std::string_view to_view(amqp_bytes_t bytes) {
  return bytes.len == 0 ? std::string_view{}
                        : std::string_view(static_cast<const char*>(bytes.bytes), bytes.len);
}

inline std::string to_string(amqp_bytes_t bytes) { return std::string(to_view(bytes)); }

}  // namespace juggler::amqp
