#pragma once
// The users of a private broker and what each may do, as the definitions file that RabbitMQ loads.

#include <map>
#include <string>
#include <vector>

#include "core/result.h"

namespace juggler::amqp {

inline constexpr const char* kVhost = "juggler";
inline constexpr const char* kControllerUser = "controller";
inline constexpr const char* kSubmitterUser = "submitter";

using Passwords = std::map<std::string, std::string>;  // by user

// RabbitMQ's salted hash: base64(salt + sha256(salt + password)). requires a salt of 4 bytes
std::string password_hash(const std::string& password, const std::string& salt);

// `bytes` random bytes in the URL-safe base64 alphabet, without padding.
std::string random_text(std::size_t bytes);

// The whole file: vhost, users, permissions, policies. Users other than the two roles are devices.
// The queues are not in it: the controller declares them, on any broker in the same way.
std::string definitions_json(const Passwords& passwords);

}  // namespace juggler::amqp
