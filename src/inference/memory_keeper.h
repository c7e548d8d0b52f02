#pragma once
// Memory for networks on a device that has little: before one is loaded there is room for it, or it
// is refused; what has not been used for longest goes first. Nothing is ever swapped for.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "core/result.h"
#include "core/units.h"

namespace juggler {

struct MemoryRules {
  std::function<Bytes()> free;                             // now, on the whole device
  std::function<Bytes(const std::string& variant)> needs;  // while loaded; 0 where unknown
  Bytes reserve = mebibytes(64);                           // left to everything else
};

// thread  one at a time
class MemoryKeeper {
 public:
  using Unload = std::function<void(const std::string& variant)>;

  MemoryKeeper(MemoryRules rules, Unload unload)
      : rules_(std::move(rules)), unload_(std::move(unload)) {}

  // Makes room for a variant that is about to be loaded, by unloading the least recently used.
  //
  // errors  TooLarge: even alone it does not fit into what is free
  Result<void> make_room(const std::string& variant);

  void used(const std::string& variant) { last_use_[variant] = ++uses_; }
  void gone(const std::string& variant) { last_use_.erase(variant); }

  // Under pressure (less free than the reserve) unloads the least recently used, one at a time so
  // that memory has time to come back; the last one used stays. True where one went.
  bool relieve();

 private:
  std::string least_used() const;

  MemoryRules rules_;
  Unload unload_;
  std::map<std::string, std::uint64_t> last_use_;  // of what is loaded
  std::uint64_t uses_ = 0;
};

}  // namespace juggler
