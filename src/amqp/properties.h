#pragma once
// Message properties between an Envelope and AMQP's content header.

#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::amqp {

// Fills the properties and headers of `envelope` from the property list of a content header.
//
// Written here, not taken from the library: whatever a stranger put into a header must reach the
// caller as a message that can be refused. A codec that fails on it would cost the connection, the
// broker would deliver the message again, and so on without end. Nested tables and arrays are
// skipped by their length, never descended into.
// errors  Corrupt if the list does not end where its lengths say; the broker never sends that.
Result<void> decode_properties(std::string_view list, wire::Envelope& envelope);

// Writes the property list of `envelope` to `into` and returns its length.
// errors  InvalidArgument if a field is longer than AMQP allows, TooLarge if it does not fit.
Result<std::size_t> encode_properties(const wire::Envelope& envelope, std::span<char> into);

}  // namespace juggler::amqp
