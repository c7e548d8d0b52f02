#include "amqp/users.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "core/check.h"
#include "core/device.h"
#include "core/names.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

// They are the tags of the users at the broker too, which is how a role is known again.
constexpr std::array<Named<UserRole>, 4> kRoles{{
    {UserRole::Controller, "juggler-controller"},
    {UserRole::Submitter, "juggler-submitter"},
    {UserRole::Device, "juggler-device"},
    {UserRole::Token, "juggler-token"},
}};

std::string base64(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  const int done =
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count));
  JUGGLER_CHECK(done == 1, "no random bytes");
  return bytes;
}

bool is_reserved(std::string_view name) {
  return name == kControllerUser || name == kSubmitterUser || name == "guest" || name == "admin";
}

}  // namespace

std::string_view to_string(UserRole role) { return name_of(kRoles, role); }
std::optional<UserRole> role_of(std::string_view name) { return value_of(kRoles, name); }

Permissions permissions_of(const User& user) {
  switch (user.role) {
    case UserRole::Controller:
      return {"^juggler\\.", "^(amq\\.default|juggler\\..*)$", "^juggler\\."};
    case UserRole::Submitter:
      return {"^amq\\.gen", "^juggler\\.submit$", "^amq\\.gen"};
    case UserRole::Token:
      return {"^amq\\.gen", "^juggler\\.join$", "^amq\\.gen"};
    case UserRole::Device:
      break;
  }
  return {"^$", "^juggler\\.(up|models)$",
          fmt::format("^juggler\\.device\\.{}(\\.control)?$", user.name)};
}

Result<void> check_device_name(std::string_view name) {
  if (!valid_device_id(name) || is_reserved(name)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' cannot name a device: lower-case letters, digits and hyphens, at "
                            "most 63, and none of 'controller', 'submitter', 'guest', 'admin'",
                            name));
  }
  return {};
}

Result<void> check_submitter_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (name.empty() || name.size() > 63 || !plain || name == kControllerUser || name == "guest" ||
      name == "admin") {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("'{}' cannot name a submitter: lower-case letters, digits, '-', '_' and "
                    "'.', at most 63, and none of 'controller', 'guest', 'admin'",
                    name));
  }
  return {};
}

std::string password_hash(const std::string& password, const std::string& salt) {
  JUGGLER_CHECK(salt.size() == 4, "RabbitMQ's salt has 4 bytes");
  const std::string salted = salt + password;
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return base64(salt + digest);
}

std::string password_hash(const std::string& password) {
  return password_hash(password, random_bytes(4));
}

std::string random_text(std::size_t bytes) {
  std::string text = base64(random_bytes(bytes));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  std::erase(text, '=');
  return text;
}

}  // namespace juggler::amqp
