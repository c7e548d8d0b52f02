#include "telemetry/host_probes.h"

#include <algorithm>
#include <array>

#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

// Jiffies that went back (a guest was moved, a counter starts anew) are no load.
std::optional<std::int64_t> load_between(const CpuTimes& before, const CpuTimes& now) {
  if (now.total <= before.total || now.busy < before.busy) {
    return std::nullopt;
  }
  const std::int64_t permille = (now.busy - before.busy) * 1000 / (now.total - before.total);
  return std::clamp<std::int64_t>(permille, 0, 1000);
}

// The line "nr_throttled 3" of cpu.stat.
std::optional<std::int64_t> line_named(std::string_view text, std::string_view name) {
  while (std::optional<std::string_view> line = take_line(text)) {
    if (take_word(*line) == name) {
      return take_integer(*line);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> Readings::value(std::string_view name) const {
  const auto at = std::find_if(list_.begin(), list_.end(),
                               [name](const Reading& reading) { return reading.name == name; });
  return at != list_.end() ? at->value : std::nullopt;
}

void CpuProbe::sample(Readings& readings) {
  constexpr const char* kFile = "proc/stat";
  std::string text;
  const Absence why = host_.read(kFile, text);
  const std::optional<CpuStat> stat = parse_cpu_stat(text);
  if (!stat.has_value()) {
    last_.clear();
    readings.add_absent("cpu.load_permille", why == Absence::None ? Absence::Malformed : why,
                        kFile);
    return;
  }
  std::map<int, CpuTimes> now(stat->cores.begin(), stat->cores.end());
  now[-1] = stat->all;
  for (const auto& [core, times] : now) {
    const auto before = last_.find(core);
    const auto load = before != last_.end() ? load_between(before->second, times) : std::nullopt;
    std::string name =
        core < 0 ? "cpu.load_permille" : "cpu." + std::to_string(core) + ".load_permille";
    if (load.has_value()) {
      readings.add(std::move(name), *load, kFile);
    } else {
      readings.add_absent(std::move(name), Absence::NoData, kFile);
    }
  }
  last_ = std::move(now);
}

void MemoryProbe::sample(Readings& readings) {
  constexpr const char* kFile = "proc/meminfo";
  std::string text;
  const Absence why = host_.read(kFile, text);
  const std::optional<MemoryTotals> totals = parse_meminfo(text);
  if (!totals.has_value()) {
    readings.add_absent("memory.available_bytes", why == Absence::None ? Absence::Malformed : why,
                        kFile);
  } else {
    std::int64_t available = totals->available.count;
    std::string source = kFile;
    if (limits_.memory.value.has_value()) {
      std::string used_text;
      own_.read(limits_.memory_current_file, used_text);
      const std::optional<std::int64_t> used = parse_integer(used_text);
      const std::int64_t left =
          std::max<std::int64_t>(limits_.memory.value->count - used.value_or(0), 0);
      if (left < available) {
        available = left;
        source = limits_.memory.source;
      }
    }
    readings.add("memory.total_bytes", totals->total.count, kFile);
    readings.add("memory.available_bytes", available, source);
    readings.add("memory.swap_used_bytes", (totals->swap_total - totals->swap_free).count, kFile);
  }
  sample_pressure(readings);
  sample_group(readings);
}

void MemoryProbe::sample_pressure(Readings& readings) {
  for (const char* kind : {"cpu", "memory", "io"}) {
    const std::string file = std::string("proc/pressure/") + kind;
    std::string name = std::string("pressure.") + kind + "_permille";
    std::string text;
    const Absence why = host_.read(file, text);
    const std::optional<Pressure> pressure = parse_pressure(text);
    if (pressure.has_value()) {
      readings.add(std::move(name), pressure->avg10_permille, file);
    } else {
      readings.add_absent(std::move(name), why == Absence::None ? Absence::Malformed : why, file);
    }
  }
}

void MemoryProbe::sample_group(Readings& readings) {
  if (limits_.memory.value.has_value()) {
    readings.add("group.memory_bytes_max", limits_.memory.value->count, limits_.memory.source);
  }
  if (!limits_.cpu_millicores.value.has_value()) {
    return;
  }
  readings.add("group.cpu_millicores", *limits_.cpu_millicores.value,
               limits_.cpu_millicores.source);
  std::string text;
  const Absence why = own_.read(limits_.cpu_stat_file, text);
  if (const auto count = line_named(text, "nr_throttled")) {
    readings.add("group.throttled_count", *count, limits_.cpu_stat_file);
  } else {
    readings.add_absent("group.throttled_count", why == Absence::None ? Absence::Malformed : why,
                        limits_.cpu_stat_file);
  }
}

void NetworkProbe::sample(Readings& readings) {
  constexpr const char* kFile = "proc/net/dev";
  std::string text;
  if (const Absence why = own_.read(kFile, text); why != Absence::None) {
    readings.add_absent("network.received_bytes_per_s", why, kFile);
    last_.clear();
    return;
  }
  std::int64_t received = 0;
  std::int64_t sent = 0;
  std::map<std::string, InterfaceBytes> now;
  for (InterfaceBytes& interface : parse_net_dev(text)) {
    const std::string prefix = "network." + interface.name;
    readings.add(prefix + ".received_bytes", interface.received, kFile);
    readings.add(prefix + ".sent_bytes", interface.sent, kFile);
    const auto before = last_.find(interface.name);
    // An interface that came back counts from nothing.
    if (before != last_.end() && interface.received >= before->second.received &&
        interface.sent >= before->second.sent) {
      received += interface.received - before->second.received;
      sent += interface.sent - before->second.sent;
    }
    now.emplace(interface.name, std::move(interface));
  }
  const Micros past = readings.now() - last_at_;
  if (!last_.empty() && past > Micros{0}) {
    const auto rate = [past](std::int64_t bytes) {
      return bytes > INT64_MAX / 1'000'000 ? 0 : bytes * 1'000'000 / past.count;
    };
    readings.add("network.received_bytes_per_s", rate(received), kFile);
    readings.add("network.sent_bytes_per_s", rate(sent), kFile);
  }
  last_ = std::move(now);
  last_at_ = readings.now();
}

}  // namespace juggler
