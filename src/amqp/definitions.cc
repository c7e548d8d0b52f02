#include "amqp/definitions.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "amqp/node_limits.h"
#include "core/check.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace juggler::amqp {
namespace {

using nlohmann::json;

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

json permission(const std::string& user) {
  json entry = {{"user", user}, {"vhost", kVhost}};
  if (user == kControllerUser) {
    entry["configure"] = "^juggler\\.";
    entry["write"] = "^(amq\\.default|juggler\\..*)$";
    entry["read"] = "^juggler\\.";
  } else if (user == kSubmitterUser) {
    entry["configure"] = "^amq\\.gen";
    entry["write"] = "^juggler\\.submit$";
    entry["read"] = "^amq\\.gen";
  } else {
    entry["configure"] = "^$";
    entry["write"] = "^juggler\\.up$";
    entry["read"] = fmt::format("^juggler\\.device\\.{}(\\.control)?$", user);
  }
  return entry;
}

json policy(const char* name, const char* pattern, int priority, json definition) {
  return {{"vhost", kVhost},      {"name", name},         {"pattern", pattern},
          {"apply-to", "queues"}, {"priority", priority}, {"definition", std::move(definition)}};
}

bool is_role(const std::string& user) { return user == kControllerUser || user == kSubmitterUser; }

}  // namespace

std::string password_hash(const std::string& password, const std::string& salt) {
  JUGGLER_CHECK(salt.size() == 4, "RabbitMQ's salt has 4 bytes");
  const std::string salted = salt + password;
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return base64(salt + digest);
}

std::string random_text(std::size_t bytes) {
  std::string text = base64(random_bytes(bytes));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  std::erase(text, '=');
  return text;
}

std::string definitions_json(const Passwords& passwords) {
  json users = json::array();
  json permissions = json::array();
  json topic_permissions = json::array();
  for (const auto& [user, password] : passwords) {
    users.push_back({{"name", user},
                     {"password_hash", password_hash(password, random_bytes(4))},
                     {"hashing_algorithm", "rabbit_password_hashing_sha256"},
                     {"tags", json::array()}});
    permissions.push_back(permission(user));
    if (!is_role(user)) {
      topic_permissions.push_back({{"user", user},
                                   {"vhost", kVhost},
                                   {"exchange", "juggler.up"},
                                   {"write", "^(result|heartbeat|hello)\\.{username}$"},
                                   {"read", "^$"}});
    }
  }
  // Policies, not arguments: they can be changed without deleting the queues. Lazy: what waits is
  // on disk; it has to be written there anyhow before it is confirmed.
  json policies = json::array();
  policies.push_back(policy("juggler-tasks", "^juggler\\.tasks$", 1,
                            {{"queue-mode", "lazy"}, {"max-length-bytes", kTasksReadyBytesMax}}));
  policies.push_back(policy("juggler-lazy", "^juggler\\.", 0, {{"queue-mode", "lazy"}}));
  return json({{"vhosts", json::array({{{"name", kVhost}}})},
               {"users", users},
               {"permissions", permissions},
               {"topic_permissions", topic_permissions},
               {"policies", policies}})
      .dump(2);
}

}  // namespace juggler::amqp
