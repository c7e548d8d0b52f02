#pragma once

// The three programs of the round trip, and the few things that they agree on.

#include <openssl/sha.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "connection.h"

namespace juggler_bench {

inline constexpr const char* kSubmitExchange = "juggler.submit";
inline constexpr const char* kDispatchExchange = "juggler.dispatch";
inline constexpr const char* kUpExchange = "juggler.up";
inline constexpr const char* kTaskQueue = "juggler.tasks";
inline constexpr const char* kResultQueue = "juggler.results";

// Command line of the form --name value.
class Options {
 public:
  Options(int count, char** words);
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::string text(const std::string& name) const;  // Required.
  double number(const std::string& name, double otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

// What the no-op engine answers: the first 16 hex digits of the payload's sha256.
//
// It proves that the right bytes arrived; it costs 80 µs per 150 KB with SHA instructions, and
// every system in the comparison pays it.
inline std::string answer_for(Bytes payload) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(payload.data(), payload.size(), digest);
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    constexpr std::string_view kHex = "0123456789abcdef";
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

inline Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int run_controller(const Options& options);
int run_consumer(const Options& options);
int run_client(const Options& options);

}  // namespace juggler_bench
