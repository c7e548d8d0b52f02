#pragma once
// Messages with one thing changed: a field set, removed, or of another type.

#include <nlohmann/json.hpp>
#include <string>

#include "wire/messages.h"

namespace juggler::test {

// The envelope with the field at `pointer` ("/labels/0/score") of its JSON body set to `value`.
inline wire::Envelope with(wire::Envelope envelope, const std::string& pointer,
                           const nlohmann::json& value) {
  nlohmann::json body = nlohmann::json::parse(*envelope.body);
  body[nlohmann::json::json_pointer(pointer)] = value;
  envelope.body = wire::make_body(body.dump());
  return envelope;
}

// The envelope without that field.
inline wire::Envelope without(wire::Envelope envelope, const std::string& pointer) {
  nlohmann::json body = nlohmann::json::parse(*envelope.body);
  const nlohmann::json::json_pointer at(pointer);
  body[at.parent_pointer()].erase(at.back());
  envelope.body = wire::make_body(body.dump());
  return envelope;
}

inline wire::Envelope with_body(wire::Envelope envelope, std::string body) {
  envelope.body = wire::make_body(std::move(body));
  return envelope;
}

}  // namespace juggler::test
