#pragma once
// What /proc and the control groups say: CPU times, memory, pressure, network, limits.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace juggler {

struct CpuTimes {
  std::int64_t busy = 0;  // jiffies: all but idle and waiting for input
  std::int64_t user = 0;  // user, nice and system alone: what power models count as load
  std::int64_t total = 0;
  std::int64_t idle = 0;
};
struct CpuStat {
  CpuTimes all;
  std::vector<std::pair<int, CpuTimes>> cores;  // those online, by number
};
// proc/stat.
std::optional<CpuStat> parse_cpu_stat(std::string_view text);

struct MemoryTotals {
  Bytes total;
  Bytes available;
  Bytes swap_total;
  Bytes swap_free;
};
// proc/meminfo; nothing unless it has both MemTotal and MemAvailable.
std::optional<MemoryTotals> parse_meminfo(std::string_view text);

// proc/pressure/*: the line `some`; the share of the last ten seconds, and the total.
struct Pressure {
  std::int64_t avg10_permille = 0;
  Micros total;
};
std::optional<Pressure> parse_pressure(std::string_view text);

struct InterfaceBytes {
  std::string name;
  std::int64_t received = 0;
  std::int64_t sent = 0;
};
// proc/net/dev, without the loopback.
std::vector<InterfaceBytes> parse_net_dev(std::string_view text);

// cpu.max of control groups v2: "150000 100000" is 1500 thousandths of a core; "max" is no limit
// (nothing).
std::optional<std::int64_t> parse_cpu_max(std::string_view text);
// memory.max, or memory.limit_in_bytes of v1, where a huge number is no limit.
std::optional<Bytes> parse_memory_max(std::string_view text);

// proc/self/cgroup: the group's path in the hierarchy of v2 ("" as its controller), or of one
// controller of v1.
std::optional<std::string> parse_own_group(std::string_view text, std::string_view controller);

}  // namespace juggler
