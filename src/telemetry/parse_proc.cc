#include "telemetry/parse_proc.h"

#include <algorithm>
#include <array>

#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

constexpr std::size_t kInterfacesMax = 64;
// 2^60: what v1 says for no limit lies above, any machine's memory below.
constexpr std::int64_t kNoMemoryLimit = std::int64_t{1} << 60U;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// user nice system idle iowait irq softirq steal; guest times are part of user.
std::optional<CpuTimes> parse_times(std::string_view line) {
  std::array<std::int64_t, 8> fields{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::optional<std::int64_t> field = take_integer(line);
    if (field.has_value() && *field >= 0 && *field < INT64_MAX / 16) {
      fields[i] = *field;
    } else if (i < 4 || field.has_value()) {
      return std::nullopt;
    }
  }
  CpuTimes times;
  for (const std::int64_t field : fields) {
    times.total += field;
  }
  times.busy = times.total - fields[3] - fields[4];
  times.user = fields[0] + fields[1] + fields[2];
  times.idle = fields[3];
  return times;
}

std::optional<Bytes> kibibytes(std::string_view text) {
  const std::optional<std::int64_t> count = parse_integer(text);
  if (!count.has_value() || *count < 0 || *count > INT64_MAX / 1024) {
    return std::nullopt;
  }
  return Bytes{*count * 1024};
}

}  // namespace

std::optional<CpuStat> parse_cpu_stat(std::string_view text) {
  CpuStat stat;
  bool all = false;
  while (std::optional<std::string_view> line = take_line(text)) {
    if (!take_prefix(*line, "cpu")) {
      break;  // they come first; the rest is long
    }
    if (!line->empty() && line->front() == ' ') {
      const std::optional<CpuTimes> times = parse_times(*line);
      if (!times.has_value()) {
        return std::nullopt;
      }
      stat.all = *times;
      all = true;
      continue;
    }
    const std::optional<std::int64_t> core = take_integer(*line);
    const std::optional<CpuTimes> times = parse_times(*line);
    if (!core.has_value() || !times.has_value() || *core < 0 || *core > 1023) {
      return std::nullopt;
    }
    stat.cores.emplace_back(static_cast<int>(*core), *times);
  }
  return all ? std::optional(std::move(stat)) : std::nullopt;
}

std::optional<MemoryTotals> parse_meminfo(std::string_view text) {
  MemoryTotals totals;
  bool total = false;
  bool available = false;
  while (std::optional<std::string_view> line = take_line(text)) {
    const auto read = [&line](std::string_view name, Bytes& into) {
      const std::optional<Bytes> value = take_prefix(*line, name) ? kibibytes(*line) : std::nullopt;
      into = value.value_or(into);
      return value.has_value();
    };
    total = read("MemTotal:", totals.total) || total;
    available = read("MemAvailable:", totals.available) || available;
    read("SwapTotal:", totals.swap_total);
    read("SwapFree:", totals.swap_free);
  }
  return total && available ? std::optional(totals) : std::nullopt;
}

std::optional<Pressure> parse_pressure(std::string_view text) {
  while (std::optional<std::string_view> line = take_line(text)) {
    if (!take_prefix(*line, "some ")) {
      continue;
    }
    Pressure pressure;
    bool average = false;
    bool total = false;
    while (!line->empty()) {
      std::string_view word = take_word(*line);
      if (take_prefix(word, "avg10=")) {
        const std::optional<std::int64_t> permille = parse_decimal(word, 1);  // of percent
        average = permille.has_value() && *permille >= 0 && *permille <= 1000;
        pressure.avg10_permille = permille.value_or(0);
      } else if (take_prefix(word, "total=")) {
        const std::optional<std::int64_t> micros = parse_integer(word);
        total = micros.has_value() && *micros >= 0;
        pressure.total = {micros.value_or(0)};
      } else if (word.empty()) {
        break;
      }
    }
    return average && total ? std::optional(pressure) : std::nullopt;
  }
  return std::nullopt;
}

std::vector<InterfaceBytes> parse_net_dev(std::string_view text) {
  std::vector<InterfaceBytes> interfaces;
  while (std::optional<std::string_view> line = take_line(text)) {
    const std::size_t colon = line->find(':');
    if (colon == std::string_view::npos || interfaces.size() == kInterfacesMax) {
      continue;
    }
    std::string_view name = line->substr(0, colon);
    InterfaceBytes interface;
    interface.name = std::string(take_word(name));
    line->remove_prefix(colon + 1);
    // Eight columns of what came, then those of what went.
    std::array<std::optional<std::int64_t>, 9> columns;
    for (std::optional<std::int64_t>& column : columns) {
      column = take_integer(*line);
    }
    if (interface.name.empty() || interface.name == "lo" || !columns[0].has_value() ||
        !columns[8].has_value()) {
      continue;
    }
    interface.received = *columns[0];
    interface.sent = *columns[8];
    interfaces.push_back(std::move(interface));
  }
  return interfaces;
}

std::optional<std::int64_t> parse_cpu_max(std::string_view text) {
  const std::optional<std::int64_t> quota = take_integer(text);
  const std::optional<std::int64_t> period = take_integer(text);
  if (!quota.has_value() || !period.has_value() || *quota <= 0 || *period <= 0 ||
      *quota > INT64_MAX / 1000) {
    return std::nullopt;
  }
  return std::max<std::int64_t>(*quota * 1000 / *period, 1);
}

std::optional<Bytes> parse_memory_max(std::string_view text) {
  const std::optional<std::int64_t> bytes = parse_integer(text);
  if (!bytes.has_value() || *bytes <= 0 || *bytes >= kNoMemoryLimit) {
    return std::nullopt;
  }
  return Bytes{*bytes};
}

std::optional<std::string> parse_own_group(std::string_view text, std::string_view controller) {
  while (const std::optional<std::string_view> line = take_line(text)) {
    const std::size_t first = line->find(':');
    const std::size_t second = first == std::string_view::npos ? first : line->find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    std::string_view names = line->substr(first + 1, second - first - 1);
    bool listed = names.empty() && controller.empty();
    while (!names.empty() && !controller.empty() && !listed) {
      const std::size_t comma = std::min(names.find(','), names.size());
      listed = names.substr(0, comma) == controller;
      names.remove_prefix(std::min(comma + 1, names.size()));
    }
    if (listed) {
      return std::string(line->substr(second + 1));
    }
  }
  return std::nullopt;
}

}  // namespace juggler
