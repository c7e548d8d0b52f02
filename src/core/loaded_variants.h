#pragma once
// Which variants a twin has loaded on its processors, within its board's memory: what an engine
// with real networks finds in the machine's memory (inference/memory_keeper.h), by the same rule.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/units.h"

namespace juggler {

class LoadedVariants {
 public:
  // 0: there is no limit.
  explicit LoadedVariants(Bytes limit) : limit_(limit) {}

  bool contains(const std::string& processor, const std::string& variant) const {
    return loaded_.contains({processor, variant});
  }
  void used(const std::string& processor, const std::string& variant) {
    loaded_.at({processor, variant}).last_use = ++uses_;
  }

  // Loads a variant that is not loaded. What the processor itself has not used for longest goes
  // first, and is appended to `unloaded`; false where it does not fit even then, and nothing was
  // unloaded in vain.
  bool load(const std::string& processor, const std::string& variant, Bytes needs,
            std::vector<std::string>& unloaded);
  void unload(const std::string& processor, const std::string& variant) {
    loaded_.erase({processor, variant});
  }
  void clear() { loaded_.clear(); }

 private:
  struct Entry {
    Bytes memory;
    std::uint64_t last_use = 0;
  };
  Bytes used_by_others(const std::string& processor) const;

  Bytes limit_;
  std::map<std::pair<std::string, std::string>, Entry> loaded_;  // by processor and variant
  std::uint64_t uses_ = 0;
};

}  // namespace juggler
