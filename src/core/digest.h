#pragma once
// One number for a whole run, over the raw fields of every event and action: two runs of a seed
// must have the same one, on every machine.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/consumer_messages.h"
#include "core/controller_messages.h"

namespace juggler {

// Words of eight bytes, little-endian, mixed by multiply and rotate. Not for keeping secrets.
class Digest {
 public:
  void add(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15ULL;
    hash_ ^= hash_ >> 29U;
  }
  void add(std::string_view text) {
    add(text.size());
    std::uint64_t word = 0;
    unsigned filled = 0;
    for (const char c : text) {
      word |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << (filled * 8U);
      if (++filled == 8) {
        add(word);
        word = 0;
        filled = 0;
      }
    }
    add(word);
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

// `where` tells the machines of a run apart.
void add_step(Digest& digest, std::uint64_t where, Time now, const ControllerEvent& event,
              const std::vector<ControllerAction>& actions);
void add_step(Digest& digest, std::uint64_t where, Time now, const ConsumerEvent& event,
              const std::vector<ConsumerAction>& actions);

}  // namespace juggler
