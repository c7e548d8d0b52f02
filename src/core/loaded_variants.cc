#include "core/loaded_variants.h"

namespace juggler {

Bytes LoadedVariants::used_by_others(const std::string& processor) const {
  Bytes used;
  for (const auto& [where, entry] : loaded_) {
    used += where.first != processor ? entry.memory : Bytes{0};
  }
  return used;
}

bool LoadedVariants::load(const std::string& processor, const std::string& variant, Bytes needs,
                          std::vector<std::string>& unloaded) {
  const Bytes others = used_by_others(processor);
  if (limit_ > Bytes{0} && others + needs > limit_) {
    return false;
  }
  Bytes used = others + needs;
  for (const auto& [where, entry] : loaded_) {
    used += where.first == processor ? entry.memory : Bytes{0};
  }
  while (limit_ > Bytes{0} && used > limit_) {
    auto least = loaded_.end();
    for (auto at = loaded_.begin(); at != loaded_.end(); ++at) {
      if (at->first.first == processor &&
          (least == loaded_.end() || at->second.last_use < least->second.last_use)) {
        least = at;
      }
    }
    used -= least->second.memory;
    unloaded.push_back(least->first.second);
    loaded_.erase(least);
  }
  loaded_[{processor, variant}] = {needs, ++uses_};
  return true;
}

}  // namespace juggler
