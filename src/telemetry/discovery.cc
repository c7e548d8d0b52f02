#include "telemetry/discovery.h"

#include <algorithm>

#include "core/names.h"
#include "files/board_name.h"
#include "telemetry/find_processors.h"
#include "telemetry/parse_numbers.h"
#include "telemetry/parse_proc.h"

namespace juggler {
namespace {

constexpr std::array<Named<BoardFamily>, 4> kFamilies{{{BoardFamily::Jetson, "jetson"},
                                                       {BoardFamily::RaspberryPi, "raspberry-pi"},
                                                       {BoardFamily::X86, "x86"},
                                                       {BoardFamily::Other, "other"}}};
constexpr std::array<Named<ContainerKind>, 4> kContainers{{{ContainerKind::None, "none"},
                                                           {ContainerKind::Docker, "docker"},
                                                           {ContainerKind::Podman, "podman"},
                                                           {ContainerKind::Other, "other"}}};

// proc/device-tree is an absolute link into sys/firmware, and leads nowhere under another root.
Fact<std::string> device_tree(HostFiles& host, const std::string& name) {
  Fact<std::string> fact = host.text("sys/firmware/devicetree/base/" + name);
  if (!fact.value.has_value()) {
    Fact<std::string> linked = host.text("proc/device-tree/" + name);
    if (linked.value.has_value()) {
      return linked;
    }
  }
  return fact;
}

ContainerKind container_of(HostFiles& own) {
  if (own.exists(".dockerenv")) {
    return ContainerKind::Docker;
  }
  if (own.exists("run/.containerenv")) {
    return ContainerKind::Podman;
  }
  // What systemd-nspawn, lxc and others leave for those inside.
  return own.exists("run/systemd/container") ? ContainerKind::Other : ContainerKind::None;
}

// The word after the comma of the most general entry: "nvidia,tegra234" comes last.
Fact<std::string> soc_of(const Fact<std::string>& compatible) {
  if (!compatible.value.has_value()) {
    return Fact<std::string>::absent(compatible.why, compatible.source);
  }
  const std::vector<std::string> words = parse_compatible(*compatible.value);
  if (words.empty()) {
    return Fact<std::string>::absent(Absence::Malformed, compatible.source);
  }
  const std::string& last = words.back();
  return Fact<std::string>::of(last.substr(last.find(',') + 1), compatible.source);
}

bool starts_with(const Fact<std::string>& text, std::string_view prefix) {
  return text.value.has_value() && text.value->substr(0, prefix.size()) == prefix;
}

BoardFamily family_of(const Discovery& found, HostFiles& host) {
  const auto model_has = [&found](std::string_view words) {
    return found.model.value.has_value() && found.model.value->find(words) != std::string::npos;
  };
  if (starts_with(found.soc, "tegra") || found.l4t.value.has_value() || model_has("Jetson")) {
    return BoardFamily::Jetson;
  }
  if (starts_with(found.soc, "bcm2") || model_has("Raspberry Pi")) {
    return BoardFamily::RaspberryPi;
  }
  // Every x86 machine has it, containers included; a virtual one may have no DMI.
  const Fact<std::string> cpu = host.text("proc/cpuinfo");
  const bool x86 =
      host.exists("sys/devices/virtual/dmi/id/product_name") ||
      (cpu.value.has_value() && (cpu.value->find("GenuineIntel") != std::string::npos ||
                                 cpu.value->find("AuthenticAMD") != std::string::npos));
  return x86 ? BoardFamily::X86 : BoardFamily::Other;
}

// The DMI's product, where there is no device tree.
Fact<std::string> model_of(HostFiles& host) {
  Fact<std::string> model = device_tree(host, "model");
  if (model.value.has_value()) {
    return model;
  }
  Fact<std::string> product = host.text("sys/devices/virtual/dmi/id/product_name");
  if (!product.value.has_value()) {
    return model;
  }
  const Fact<std::string> vendor = host.text("sys/devices/virtual/dmi/id/sys_vendor");
  if (vendor.value.has_value()) {
    product.value = *vendor.value + " " + *product.value;
  }
  return product;
}

void find_release(HostFiles& host, Discovery& found) {
  const Fact<std::string> line = host.text("etc/nv_tegra_release");
  found.l4t = Fact<std::string>::absent(line.why, line.source);
  found.jetpack = Fact<std::string>::absent(line.why, line.source);
  if (!line.value.has_value()) {
    return;
  }
  const std::optional<L4tRelease> release = parse_l4t(*line.value);
  if (!release.has_value()) {
    found.l4t.why = found.jetpack.why = Absence::Malformed;
    return;
  }
  found.l4t = Fact<std::string>::of(release->text(), line.source);
  if (const std::string jetpack = jetpack_of(*release); !jetpack.empty()) {
    found.jetpack = Fact<std::string>::of(jetpack, line.source);
  }
}

Fact<PowerModeFound> power_mode_of(HostFiles& host) {
  const Fact<std::string> status = host.text("var/lib/nvpmodel/status");
  if (!status.value.has_value()) {
    return Fact<PowerModeFound>::absent(status.why, status.source);
  }
  const std::optional<int> id = parse_power_mode(*status.value);
  if (!id.has_value()) {
    return Fact<PowerModeFound>::absent(Absence::Malformed, status.source);
  }
  PowerModeFound mode;
  mode.id = *id;
  if (const Fact<std::string> names = host.text("etc/nvpmodel.conf"); names.value.has_value()) {
    mode.modes = parse_power_modes(*names.value);
  }
  for (const PowerModeName& name : mode.modes) {
    if (name.id == mode.id) {
      mode.name = name.name;
    }
  }
  return Fact<PowerModeFound>::of(std::move(mode), status.source);
}

Fact<bool> clocks_locked(const Discovery& found) {
  if (found.clusters.empty() || found.clusters.front().khz_max == 0) {
    return Fact<bool>::absent(Absence::Missing, "sys/devices/system/cpu");
  }
  const bool locked =
      std::all_of(found.clusters.begin(), found.clusters.end(),
                  [](const CpuCluster& c) { return c.khz_max > 0 && c.khz_min == c.khz_max; });
  return Fact<bool>::of(locked, "sys/devices/system/cpu");
}

// This group and those above it: the tightest limit counts.
template <class T>
Fact<T> tightest(HostFiles& own, const std::string& top, std::string group, const char* file,
                 std::optional<T> (*parse)(std::string_view)) {
  Fact<T> least = Fact<T>::absent(Absence::Missing, top + "/" + file);
  while (true) {
    const std::string path = top + group + "/" + file;
    const Fact<std::string> text = own.text(path);
    const std::optional<T> limit = text.value.has_value() ? parse(*text.value) : std::nullopt;
    if (limit.has_value() && (!least.value.has_value() || *limit < *least.value)) {
      least = Fact<T>::of(*limit, path);
    }
    const std::size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) {
      return least;
    }
    group.resize(slash);
  }
}

std::optional<std::int64_t> positive(std::string_view text) {
  const std::optional<std::int64_t> number = parse_integer(text);
  return number.has_value() && *number > 0 ? number : std::nullopt;
}

// Version 2 first. In a container the group's path counts from the container's own top.
GroupLimits limits_of(HostFiles& own) {
  constexpr const char* kTop = "sys/fs/cgroup";
  const std::string groups = own.text("proc/self/cgroup").value.value_or("");
  const auto path_of = [&groups](std::string_view controller) {
    std::string path = parse_own_group(groups, controller).value_or("");
    while (!path.empty() && path.back() == '/') {
      path.pop_back();
    }
    return path;
  };
  GroupLimits limits;
  if (own.exists(std::string(kTop) + "/cgroup.controllers")) {
    const std::string group = path_of("");
    limits.cpu_millicores = tightest<std::int64_t>(own, kTop, group, "cpu.max", parse_cpu_max);
    limits.memory = tightest<Bytes>(own, kTop, group, "memory.max", parse_memory_max);
    limits.memory_current_file = kTop + group + "/memory.current";
    limits.cpu_stat_file = kTop + group + "/cpu.stat";
    return limits;
  }
  const std::string cpu = std::string(kTop) + "/cpu";
  const std::string memory = std::string(kTop) + "/memory";
  limits.memory =
      tightest<Bytes>(own, memory, path_of("memory"), "memory.limit_in_bytes", parse_memory_max);
  const Fact<std::int64_t> quota =
      tightest<std::int64_t>(own, cpu, path_of("cpu"), "cpu.cfs_quota_us", positive);
  const Fact<std::string> period = own.text(cpu + path_of("cpu") + "/cpu.cfs_period_us");
  limits.cpu_millicores = Fact<std::int64_t>::absent(quota.why, quota.source);
  if (quota.value.has_value()) {
    limits.cpu_millicores = Fact<std::int64_t>::of(
        *quota.value * 1000 / positive(period.value.value_or("")).value_or(100'000), quota.source);
  }
  limits.memory_current_file = memory + path_of("memory") + "/memory.usage_in_bytes";
  limits.cpu_stat_file = cpu + path_of("cpu") + "/cpu.stat";
  return limits;
}

}  // namespace

Discovery discover(HostFiles& host, HostFiles& own) {
  Discovery found;
  found.container = container_of(own);
  found.firmware_masked = found.container != ContainerKind::None && host.exists("sys/firmware") &&
                          host.list("sys/firmware").empty();
  found.model = model_of(host);
  found.soc = soc_of(device_tree(host, "compatible"));
  if (found.firmware_masked && !found.model.value.has_value()) {
    found.model.why = found.soc.why = Absence::Masked;
  }
  find_release(host, found);
  found.family = family_of(found, host);
  const bool virtual_name = found.family == BoardFamily::X86;  // a product's name is no board's
  found.board = board_of_model(virtual_name ? "" : found.model.value.value_or(""),
                               virtual_name ? "x86-64" : to_string(found.family));
  found.clusters = find_clusters(host);
  for (const CpuCluster& cluster : found.clusters) {
    found.cores_online += static_cast<int>(cluster.cores.size());
  }
  found.gpu = find_gpu(host);
  found.dla = find_dla(host);
  const Fact<std::string> meminfo = host.text("proc/meminfo");
  const auto memory =
      meminfo.value.has_value() ? parse_meminfo(*meminfo.value) : std::optional<MemoryTotals>();
  found.memory =
      memory.has_value()
          ? Fact<Bytes>::of(memory->total, meminfo.source)
          : Fact<Bytes>::absent(meminfo.value.has_value() ? Absence::Malformed : meminfo.why,
                                meminfo.source);
  found.memory_unified = found.family == BoardFamily::Jetson;
  found.power_mode = power_mode_of(host);
  found.clocks_locked = clocks_locked(found);
  found.limits = limits_of(own);
  return found;
}

std::string_view to_string(BoardFamily family) { return name_of(kFamilies, family); }
std::string_view to_string(ContainerKind kind) { return name_of(kContainers, kind); }

}  // namespace juggler
