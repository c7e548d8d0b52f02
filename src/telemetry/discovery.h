#pragma once
// What this machine has: board, JetPack, processors, memory, power mode, clocks, limits. Read once
// at the start, from the host's files. What cannot be read is absent with its reason.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/units.h"
#include "telemetry/absence.h"
#include "telemetry/host_files.h"
#include "telemetry/parse_board.h"

namespace juggler {

enum class BoardFamily { Jetson, RaspberryPi, X86, Other };

// Cores that share a clock's bounds.
struct CpuCluster {
  std::vector<int> cores;  // those online
  std::int64_t khz_max = 0;
  std::int64_t khz_min = 0;
  std::string governor;
};

struct GpuFound {
  std::string name;         // "ga10b", "gv11b", "57000000.gpu"
  std::string load_file;    // thousandths; empty where the kernel has none
  std::string clock_files;  // the folder of cur_freq, min_freq, max_freq
  std::int64_t hz_max = 0;
};

struct DlaFound {
  int id = 0;
  std::string folder;
  std::optional<std::int64_t> hz_cap;
};

struct PowerModeFound {
  int id = 0;
  std::string name;  // empty where /etc/nvpmodel.conf does not say
  std::vector<PowerModeName> modes;
};

enum class ContainerKind { None, Docker, Podman, Other };

// What this process may take, where its control groups say less than the machine has.
struct GroupLimits {
  Fact<std::int64_t> cpu_millicores;
  Fact<Bytes> memory;
  std::string memory_current_file;  // among the files of this process's own root
  std::string cpu_stat_file;
};

struct Discovery {
  BoardFamily family = BoardFamily::Other;
  std::string board;  // the name of its profile: "jetson-orin-nano"
  Fact<std::string> model;
  Fact<std::string> soc;  // "tegra234", "bcm2712"
  Fact<std::string> l4t;
  Fact<std::string> jetpack;
  std::vector<CpuCluster> clusters;  // without the cores that are offline
  int cores_online = 0;
  Fact<GpuFound> gpu;
  Fact<std::vector<DlaFound>> dla;
  Fact<Bytes> memory;
  bool memory_unified = false;  // GPU and CPU share it: counted once
  Fact<PowerModeFound> power_mode;
  Fact<bool> clocks_locked;  // the least allowed clock is the highest
  ContainerKind container = ContainerKind::None;
  bool firmware_masked = false;  // /sys/firmware is hidden from this container
  GroupLimits limits;
};

// `host` is the host's root, `own` that of this process: they differ in a container that has the
// host's mounted. Control groups and marks of containers are read in its own.
Discovery discover(HostFiles& host, HostFiles& own);

std::string_view to_string(BoardFamily family);
std::string_view to_string(ContainerKind kind);

}  // namespace juggler
