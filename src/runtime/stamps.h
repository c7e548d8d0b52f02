#pragma once
// What a controller puts on each dispatch and nobody else can make. A device that gives it back was
// given that attempt, by this controller or by another one with the same key: a new leader, which
// shares no memory and no disk with the one before it, can so tell results from inventions.

#include <memory>
#include <string>
#include <string_view>

#include "core/task.h"

struct evp_mac_ctx_st;  // OpenSSL's EVP_MAC_CTX: who includes this needs none of its headers

namespace juggler {

// thread  one at a time
class Stamps {
 public:
  // Without a key none is put on, and none is right.
  explicit Stamps(const std::string& key);

  // 64 bits of an HMAC-SHA256 over the attempt and the device, as 16 hexadecimal digits.
  std::string of(const AttemptId& attempt, const std::string& device) const;
  bool right(const std::string& stamp, const AttemptId& attempt, const std::string& device) const;

 private:
  // With the key in it, and begun anew for each stamp: a third of what HMAC() takes.
  std::unique_ptr<evp_mac_ctx_st, void (*)(evp_mac_ctx_st*)> mac_;  // null: no key
};

// The key of all controllers that log in with this secret; empty of an empty one.
//
// Slow on purpose, tens of milliseconds: devices hold stamps, and could else try passwords on them
// as fast as they can hash.
std::string stamp_key_of(std::string_view secret);

}  // namespace juggler
