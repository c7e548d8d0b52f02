#include "apps/host_findings.h"

#include <fmt/format.h>

#include "apps/quantities.h"
#include "telemetry/choose_meter.h"

namespace juggler {
namespace {

using State = Finding::State;

// What a container needs to see of its host: one sentence for all that it hides.
constexpr const char* kMounts =
    "run the container with -v /sys:/host/sys:ro -v /proc:/host/proc:ro "
    "-v /etc/nv_tegra_release:/host/etc/nv_tegra_release:ro "
    "-v /etc/nvpmodel.conf:/host/etc/nvpmodel.conf:ro "
    "-v /var/lib/nvpmodel:/host/var/lib/nvpmodel:ro, and juggler with --host-root /host";

bool contained(const Discovery& found) { return found.container != ContainerKind::None; }

Finding board_finding(const Discovery& found) {
  Finding finding{"board", State::Works, ""};
  if (found.model.value.has_value()) {
    finding.found = fmt::format("{} ({})", *found.model.value, found.board);
  } else {
    finding.found =
        fmt::format("{}; its model is {}", to_string(found.family), to_string(found.model.why));
  }
  if (found.soc.value.has_value()) {
    finding.found += ", " + *found.soc.value;
  }
  if (found.l4t.value.has_value()) {
    finding.found += ", L4T " + *found.l4t.value;
    if (found.jetpack.value.has_value()) {
      finding.found += " (JetPack " + *found.jetpack.value + ")";
    }
  }
  const bool no_release = found.family == BoardFamily::Jetson && !found.l4t.value.has_value();
  if (no_release) {
    finding.found += fmt::format(", L4T {} ({})", to_string(found.l4t.why), found.l4t.source);
  }
  if (contained(found)) {
    finding.found += fmt::format("; in a container ({})", to_string(found.container));
  }
  if (found.model.why == Absence::Masked || (no_release && contained(found))) {
    finding.state = State::Note;
    finding.remedy = kMounts;
  }
  return finding;
}

std::string megahertz(std::int64_t hertz) { return fmt::format("{} MHz", hertz / 1'000'000); }

Finding processors_finding(const Discovery& found) {
  Finding finding{"processors", State::Works, ""};
  for (const CpuCluster& cluster : found.clusters) {
    finding.found += fmt::format("{}{} core{}", finding.found.empty() ? "" : " and ",
                                 cluster.cores.size(), cluster.cores.size() == 1 ? "" : "s");
    if (cluster.khz_max > 0) {
      finding.found += " to " + megahertz(cluster.khz_max * 1000);
    }
  }
  if (found.gpu.value.has_value()) {
    finding.found +=
        fmt::format(", GPU {} to {}", found.gpu.value->name, megahertz(found.gpu.value->hz_max));
  }
  if (found.dla.value.has_value()) {
    finding.found += fmt::format(", {} DLA core{} (TensorRT decides whether they can be used)",
                                 found.dla.value->size(), found.dla.value->size() == 1 ? "" : "s");
  } else if (found.family == BoardFamily::Jetson) {
    finding.found += ", no DLA";
  }
  return finding;
}

Finding power_mode_finding(const Discovery& found) {
  if (const auto& mode = found.power_mode.value) {
    return {
        "power mode", State::Works,
        fmt::format("{} (id {})", mode->name.empty() ? "without a name" : mode->name, mode->id)};
  }
  return {"power mode", State::Note,
          fmt::format("{}: {}", to_string(found.power_mode.why), found.power_mode.source),
          contained(found) ? kMounts : "sudo nvpmodel -m ID sets one, and writes it down"};
}

Finding clocks_finding(const Discovery& found) {
  return {
      "clocks", State::Works,
      *found.clocks_locked.value
          ? "locked at their highest"
          : fmt::format("follow the load{}", found.clusters.front().governor.empty()
                                                 ? ""
                                                 : " (" + found.clusters.front().governor + ")")};
}

Finding memory_finding(const Discovery& found) {
  if (!found.memory.value.has_value()) {
    return {"memory", State::Missing,
            fmt::format("{}: {}", to_string(found.memory.why), found.memory.source),
            contained(found) ? kMounts : "mount /proc"};
  }
  return {"memory", State::Works,
          show(*found.memory.value) + (found.memory_unified ? ", shared by CPU and GPU" : "")};
}

Finding limits_finding(const GroupLimits& limits) {
  std::string text;
  if (limits.cpu_millicores.value.has_value()) {
    text =
        fmt::format("{:.2f} cores ({})", static_cast<double>(*limits.cpu_millicores.value) / 1000,
                    limits.cpu_millicores.source);
  }
  if (limits.memory.value.has_value()) {
    text += fmt::format("{}{} of memory ({})", text.empty() ? "" : ", ", show(*limits.memory.value),
                        limits.memory.source);
  }
  return {"limits here", State::Works, text.empty() ? "none by control groups" : text};
}

}  // namespace

std::vector<Finding> host_findings(const Discovery& found, HostFiles& host) {
  std::vector<Finding> findings;
  findings.push_back(board_finding(found));
  findings.push_back(processors_finding(found));
  findings.push_back(memory_finding(found));
  if (found.family == BoardFamily::Jetson) {
    findings.push_back(power_mode_finding(found));
  }
  if (found.clocks_locked.value.has_value()) {
    findings.push_back(clocks_finding(found));
  }
  findings.push_back(limits_finding(found.limits));
  if (!host.exists("proc/pressure/memory")) {
    findings.push_back({"pressure", State::Note, "the kernel keeps none (proc/pressure)",
                        "boot with psi=1, where the kernel has CONFIG_PSI"});
  }
  return findings;
}

Finding meter_finding(const Discovery& found, HostFiles& host, Mailbox* mailbox) {
  const Result<MeterChoice> choice = choose_meter("auto", found, host, mailbox, system_nvml());
  if (!choice || choice->meter == nullptr) {
    return {"power meter", State::Note, choice ? choice->why : choice.error().message};
  }
  const MeterFacts& facts = choice->meter->facts();
  Finding finding{"power meter", State::Works,
                  fmt::format("{}, {}", facts.name, to_string(facts.scope))};
  if (const Fact<MeterReading> now = choice->meter->read({}); !facts.counter && now.value) {
    finding.found +=
        fmt::format(", {:.2f} W now", static_cast<double>(now.value->power.count) / 1000);
  }
  return finding;
}

}  // namespace juggler
