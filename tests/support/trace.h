#pragma once
// Every event and action as one line of text: for messages of failing tests, and for the digest by
// which two runs of one seed are compared.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/consumer_messages.h"
#include "core/controller_messages.h"

namespace juggler::test {

std::string describe(const ControllerEvent& event);
std::string describe(const ControllerAction& action);
std::string describe(const ConsumerEvent& event);
std::string describe(const ConsumerAction& action);

// FNV-1a over lines.
class Digest {
 public:
  void add(std::string_view line) {
    for (const char c : line) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash_ = (hash_ ^ 0x0aU) * 0x100000001b3ULL;
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace juggler::test
