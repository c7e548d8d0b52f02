#pragma once
// What the machine looks like now, for the heartbeat: free memory, load of the cores, temperature.
// What the system does not say is absent, never guessed.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/consumer_messages.h"

namespace juggler {

// Reads /proc and /sys once per sample. Keeps the files' names, not the files: a thermal zone that
// goes away is skipped.
//
// thread  one at a time
class HostSampler {
 public:
  // `root` stands for `/`: a container mounts the host's elsewhere.
  explicit HostSampler(std::filesystem::path root = "/");

  // The load is that since the last sample; the first has none.
  HostSample sample();

 private:
  struct CpuTimes {
    std::int64_t busy = 0;
    std::int64_t total = 0;
  };
  std::optional<CpuTimes> cpu_times() const;

  std::filesystem::path root_;
  std::vector<std::string> zones_;  // temperatures in thousandths of a degree
  std::optional<CpuTimes> last_;
};

}  // namespace juggler
