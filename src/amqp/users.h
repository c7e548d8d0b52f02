#pragma once
// The users of a broker: what each role may do there. The table with its reasons:
// docs/protocol.md#permissions; what each line stops: docs/security.md.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace juggler::amqp {

inline constexpr const char* kVhost = "juggler";
inline constexpr const char* kControllerUser = "controller";
inline constexpr const char* kSubmitterUser = "submitter";

// Enrols devices that hold a one-time token: docs/protocol.md#joining-over-the-network.
enum class UserRole { Controller, Submitter, Device, Token };

std::string_view to_string(UserRole role);
std::optional<UserRole> role_of(std::string_view name);

struct User {
  std::string name;
  UserRole role = UserRole::Device;
  std::string password_hash;  // empty: no login by password (a client certificate alone)
};

struct Permissions {
  std::string configure;
  std::string write;
  std::string read;
};

Permissions permissions_of(const User& user);

// How many connections and channels a user may have at once; the controller: as many as it likes. A
// device has one connection, with two channels; those of a session that has just died still count.
inline constexpr int kDeviceConnectionsMax = 6;
inline constexpr int kDeviceChannelsMax = 16;
// One login serves many programs: each `juggler submit`, `serve` or question has a connection of
// its own, with three channels at most.
inline constexpr int kSubmitterConnectionsMax = 64;
inline constexpr int kSubmitterChannelsMax = 256;

// A device's name is its user's: lower-case letters, digits and hyphens, and no role.
Result<void> check_device_name(std::string_view name);
// A submitter's may have dots and underscores too.
Result<void> check_submitter_name(std::string_view name);

// RabbitMQ's salted hash: base64(salt + sha256(salt + password)). requires a salt of 4 bytes
std::string password_hash(const std::string& password, const std::string& salt);
std::string password_hash(const std::string& password);  // with a fresh salt

// `bytes` random bytes in the URL-safe base64 alphabet, without padding.
std::string random_text(std::size_t bytes);

// 192 bits.
inline std::string new_password() { return random_text(24); }

}  // namespace juggler::amqp
