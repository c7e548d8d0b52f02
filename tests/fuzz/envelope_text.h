#pragma once
// An envelope as text, so that a corpus can be read and written by hand: lines `field=value` and
// `header:TYPE:name=value` (TYPE i, d, b, s or ?), an empty line, then the body as it is.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/envelope.h"

namespace juggler::fuzz {

inline void set_header(wire::Envelope& envelope, std::string_view rest) {
  const std::size_t equals = rest.find('=');
  if (rest.size() < 2 || equals == std::string_view::npos || equals < 2) {
    return;
  }
  const std::string name(rest.substr(2, equals - 2));
  const std::string value(rest.substr(equals + 1));
  wire::HeaderValue& header = envelope.headers[name];
  switch (rest[0]) {
    case 'i':
      header = static_cast<std::int64_t>(std::strtoll(value.c_str(), nullptr, 10));
      return;
    case 'd':
      header = std::strtod(value.c_str(), nullptr);
      return;
    case 'b':
      header = value == "1";
      return;
    case 's':
      header = value;
      return;
    default:
      header = std::monostate{};
  }
}

inline void set_field(wire::Envelope& envelope, std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return;
  }
  const std::string_view name = line.substr(0, equals);
  std::string value(line.substr(equals + 1));
  if (name == "routing_key") {
    envelope.routing_key = std::move(value);
  } else if (name == "content_type") {
    envelope.content_type = std::move(value);
  } else if (name == "type") {
    envelope.type = std::move(value);
  } else if (name == "message_id") {
    envelope.message_id = std::move(value);
  } else if (name == "correlation_id") {
    envelope.correlation_id = std::move(value);
  } else if (name == "reply_to") {
    envelope.reply_to = std::move(value);
  } else if (name == "user_id") {
    envelope.user_id = std::move(value);
  } else if (name == "priority") {
    envelope.priority = static_cast<int>(std::strtol(value.c_str(), nullptr, 10) % 256);
  }
}

inline wire::Envelope read_envelope(const std::uint8_t* bytes, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(bytes), size);
  wire::Envelope envelope;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) {
      envelope.body = wire::make_body(std::string(text));
      break;
    }
    constexpr std::string_view kHeader = "header:";
    if (line.substr(0, kHeader.size()) == kHeader) {
      set_header(envelope, line.substr(kHeader.size()));
    } else {
      set_field(envelope, line);
    }
  }
  return envelope;
}

}  // namespace juggler::fuzz
