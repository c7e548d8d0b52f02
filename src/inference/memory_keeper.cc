#include "inference/memory_keeper.h"

#include <malloc.h>

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace juggler {
namespace {

double megabytes(Bytes size) { return static_cast<double>(size.count) / 1e6; }

}  // namespace

std::string MemoryKeeper::least_used() const {
  const auto at =
      std::min_element(last_use_.begin(), last_use_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return at != last_use_.end() ? at->first : std::string();
}

Result<void> MemoryKeeper::make_room(const std::string& variant) {
  const Bytes wanted = rules_.needs(variant) + rules_.reserve;
  Bytes free = rules_.free();
  while (free < wanted && !last_use_.empty()) {
    const std::string victim = least_used();
    spdlog::info("{} is unloaded: {} needs {:.0f} MB, {:.0f} MB are free", victim, variant,
                 megabytes(rules_.needs(variant)), megabytes(free));
    last_use_.erase(victim);
    unload_(victim);
    malloc_trim(0);  // freed memory is the system's only then
    free = rules_.free();
  }
  if (free < wanted) {
    return fail(ErrorCode::TooLarge,
                fmt::format("{} needs {:.0f} MB, {:.0f} MB are free, of which {:.0f} MB are kept: "
                            "refused, since swapping would slow everything down",
                            variant, megabytes(rules_.needs(variant)), megabytes(free),
                            megabytes(rules_.reserve)));
  }
  return {};
}

bool MemoryKeeper::relieve() {
  if (last_use_.size() < 2 || rules_.free() >= rules_.reserve) {
    return false;
  }
  const std::string victim = least_used();
  spdlog::info("{} is unloaded: less than {:.0f} MB are free", victim, megabytes(rules_.reserve));
  last_use_.erase(victim);
  unload_(victim);
  malloc_trim(0);
  return true;
}

}  // namespace juggler
