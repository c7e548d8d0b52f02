#pragma once
// Probes that every Linux has: CPU load, memory, pressure, control groups, network.

#include <map>
#include <memory>
#include <string>

#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/parse_proc.h"
#include "telemetry/reading.h"

namespace juggler {

// cpu.load_permille, cpu.N.load_permille: since the last sample, so that the first has none. A core
// that goes offline has none; one that comes back starts anew.
class CpuProbe final : public Probe {
 public:
  explicit CpuProbe(HostFiles& host) : host_(host) {}
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  std::map<int, CpuTimes> last_;  // -1: all cores
};

// memory.total_bytes, .available_bytes (within the limit of the control group, where that is less),
// .swap_used_bytes; pressure.{cpu,memory,io}_permille: the share of the last ten seconds in which
// somebody waited; group.throttled_count.
class MemoryProbe final : public Probe {
 public:
  MemoryProbe(HostFiles& host, HostFiles& own, GroupLimits limits)
      : host_(host), own_(own), limits_(std::move(limits)) {}
  void sample(Readings& readings) override;

 private:
  void sample_pressure(Readings& readings);
  void sample_group(Readings& readings);

  HostFiles& host_;
  HostFiles& own_;
  GroupLimits limits_;
};

// network.IF.{received,sent}_bytes since boot, and network.{received,sent}_bytes_per_s of all
// together since the last sample. In a container its own network only.
class NetworkProbe final : public Probe {
 public:
  explicit NetworkProbe(HostFiles& own) : own_(own) {}
  void sample(Readings& readings) override;

 private:
  HostFiles& own_;
  std::map<std::string, InterfaceBytes> last_;
  Time last_at_;
};

}  // namespace juggler
