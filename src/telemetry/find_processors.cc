#include "telemetry/find_processors.h"

#include <algorithm>
#include <array>

#include "telemetry/parse_numbers.h"
#include "telemetry/parse_proc.h"

namespace juggler {
namespace {

constexpr std::size_t kDlaMax = 4;

std::optional<std::int64_t> number_in(HostFiles& host, const std::string& path) {
  const Fact<std::string> text = host.text(path);
  return text.value.has_value() ? parse_integer(*text.value) : std::nullopt;
}

// sys/devices/system/cpu/online, else the cores that proc/stat counts.
std::vector<int> cores_online(HostFiles& host) {
  if (const Fact<std::string> text = host.text("sys/devices/system/cpu/online");
      text.value.has_value()) {
    if (std::optional<std::vector<int>> cores = parse_core_list(*text.value)) {
      return *cores;
    }
  }
  std::vector<int> cores;
  if (const Fact<std::string> text = host.text("proc/stat"); text.value.has_value()) {
    if (const std::optional<CpuStat> stat = parse_cpu_stat(*text.value)) {
      for (const auto& [core, times] : stat->cores) {
        cores.push_back(core);
      }
    }
  }
  return cores;
}

bool names_gpu(std::string_view name) {
  constexpr std::array<std::string_view, 5> kChips{"gpu", "ga10b", "gv11b", "gp10b", "gb10b"};
  return std::any_of(kChips.begin(), kChips.end(), [name](std::string_view chip) {
    return name.find(chip) != std::string_view::npos;
  });
}

void add_dla_of(HostFiles& host, const std::string& folder, std::vector<DlaFound>& found) {
  for (const std::string& name : host.list(folder)) {
    const std::size_t at = name.find(".nvdla");
    if (at == std::string::npos || found.size() == kDlaMax) {
      continue;
    }
    const std::optional<std::int64_t> id = parse_integer(std::string_view(name).substr(at + 6));
    if (!id.has_value() || *id < 0 || *id >= static_cast<std::int64_t>(kDlaMax)) {
      continue;
    }
    DlaFound dla;
    dla.id = static_cast<int>(*id);
    dla.folder = path_in(folder, name);
    dla.hz_cap = number_in(host, dla.folder + "/clk_cap/dla" + std::to_string(dla.id) + "_core");
    const bool known = std::any_of(found.begin(), found.end(),
                                   [&dla](const DlaFound& d) { return d.id == dla.id; });
    if (!known) {
      found.push_back(std::move(dla));
    }
  }
}

}  // namespace

std::vector<CpuCluster> find_clusters(HostFiles& host) {
  std::vector<CpuCluster> clusters;
  for (const int core : cores_online(host)) {
    const std::string folder =
        "sys/devices/system/cpu/cpu" + std::to_string(core) + "/cpufreq/scaling_";
    CpuCluster mine;
    mine.khz_max = number_in(host, folder + "max_freq").value_or(0);
    mine.khz_min = number_in(host, folder + "min_freq").value_or(0);
    mine.governor = host.text(folder + "governor").value.value_or("");
    const auto same =
        std::find_if(clusters.begin(), clusters.end(), [&mine](const CpuCluster& cluster) {
          return cluster.khz_max == mine.khz_max && cluster.khz_min == mine.khz_min;
        });
    if (same != clusters.end()) {
      same->cores.push_back(core);
    } else {
      mine.cores.push_back(core);
      clusters.push_back(std::move(mine));
    }
  }
  return clusters;
}

Fact<GpuFound> find_gpu(HostFiles& host) {
  constexpr const char* kClass = "sys/class/devfreq";
  for (const std::string& name : host.list(kClass)) {
    if (!names_gpu(name)) {
      continue;
    }
    GpuFound gpu;
    const std::size_t dot = name.find('.');
    const std::string chip = dot == std::string::npos ? name : name.substr(dot + 1);
    gpu.name = chip == "gpu" ? name : chip;
    gpu.clock_files = std::string(kClass) + "/" + name;
    gpu.hz_max = number_in(host, gpu.clock_files + "/max_freq").value_or(0);
    const std::array<std::string, 4> loads{
        gpu.clock_files + "/device/load", "sys/devices/gpu.0/load",
        "sys/devices/platform/gpu.0/load", "sys/devices/" + name + "/load"};
    for (const std::string& load : loads) {
      if (host.exists(load)) {
        gpu.load_file = load;
        break;
      }
    }
    return Fact<GpuFound>::of(std::move(gpu), std::string(kClass) + "/" + name);
  }
  return Fact<GpuFound>::absent(Absence::Missing, kClass);
}

// JetPack 6 has them under platform/bus@0/13e00000.host1x, older ones without bus@0.
Fact<std::vector<DlaFound>> find_dla(HostFiles& host) {
  const std::array<std::string, 3> tops{"sys/devices/platform/bus@0", "sys/devices/platform",
                                        "sys/devices"};
  std::vector<DlaFound> found;
  for (const std::string& top : tops) {
    add_dla_of(host, top, found);
    for (const std::string& name : host.list(top)) {
      if (name.find("host1x") != std::string::npos) {
        add_dla_of(host, path_in(top, name), found);
      }
    }
  }
  std::sort(found.begin(), found.end(),
            [](const DlaFound& a, const DlaFound& b) { return a.id < b.id; });
  return found.empty() ? Fact<std::vector<DlaFound>>::absent(Absence::Missing, tops[1])
                       : Fact<std::vector<DlaFound>>::of(std::move(found), tops[1]);
}

}  // namespace juggler
