#pragma once
// How a device that holds a one-time token asks for a login of its own, and what it is told.

#include <cstdint>
#include <string>

#include "core/result.h"
#include "wire/envelope.h"

namespace juggler::wire {

inline constexpr const char* kJoinExchange = "juggler.join";
inline constexpr const char* kJoinsQueue = "juggler.joins";

struct JoinRequest {
  std::string device;
  std::string version;            // of the program, for people
  std::int64_t unix_seconds = 0;  // by the device's clock
};

struct JoinAnswer {
  std::string address;  // of the broker, with the new login; empty: refused
  std::string code;     // why, for programs: token, version, name, taken, clock, broker
  std::string reason;   // and for people
};

// `user`: the token's, which the broker checks.
Envelope encode_join(const JoinRequest& request, const std::string& reply_to,
                     const std::string& user);
// errors  Unsupported: another major version
Result<JoinRequest> decode_join(const Envelope& envelope);

Envelope encode_joined(const JoinAnswer& answer, const std::string& reply_to);
Result<JoinAnswer> decode_joined(const Envelope& envelope);

}  // namespace juggler::wire
