#include "telemetry/host.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace juggler {
namespace {

constexpr std::size_t kReadMax = 4096;  // what we look for stands in the first lines
constexpr int kHotMax = 150'000;        // above, a sensor is broken
constexpr std::size_t kZonesMax = 64;

// The start of a file of /proc or /sys; empty where it cannot be read. No streams: this runs every
// second on machines that should sleep.
std::string read_start(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return text;
  }
  text.resize(kReadMax);
  const ssize_t size = read(fd, text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  close(fd);
  return text;
}

// Takes the next number from the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  const std::size_t at = text.find_first_of("-0123456789");
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<Bytes> memory_free(const std::filesystem::path& root) {
  const std::string text = read_start((root / "proc/meminfo").string());
  const std::size_t at = text.find("MemAvailable:");
  if (at == std::string::npos) {
    return std::nullopt;
  }
  std::string_view rest = std::string_view(text).substr(at);
  const std::optional<std::int64_t> kibibytes = take_number(rest);
  return kibibytes.has_value() ? std::optional(Bytes{*kibibytes * 1024}) : std::nullopt;
}

}  // namespace

HostSampler::HostSampler(std::filesystem::path root) : root_(std::move(root)) {
  std::error_code failed;
  const std::filesystem::path thermal = root_ / "sys/class/thermal";
  for (const auto& entry : std::filesystem::directory_iterator(thermal, failed)) {
    if (entry.path().filename().string().rfind("thermal_zone", 0) == 0 &&
        zones_.size() < kZonesMax) {
      zones_.push_back((entry.path() / "temp").string());
    }
  }
  std::sort(zones_.begin(), zones_.end());
}

std::optional<HostSampler::CpuTimes> HostSampler::cpu_times() const {
  const std::string text = read_start((root_ / "proc/stat").string());
  std::string_view line = std::string_view(text).substr(0, text.find('\n'));
  if (line.substr(0, 4) != "cpu ") {
    return std::nullopt;
  }
  // user nice system idle iowait irq softirq steal; guest times are part of user.
  std::array<std::int64_t, 8> fields{};
  for (std::int64_t& field : fields) {
    field = take_number(line).value_or(0);
  }
  CpuTimes times;
  for (const std::int64_t field : fields) {
    times.total += field;
  }
  times.busy = times.total - fields[3] - fields[4];
  return times;
}

HostSample HostSampler::sample() {
  HostSample sample;
  sample.memory_free = memory_free(root_);
  const std::optional<CpuTimes> now = cpu_times();
  if (now.has_value() && last_.has_value() && now->total > last_->total) {
    const std::int64_t permille = (now->busy - last_->busy) * 1000 / (now->total - last_->total);
    sample.cpu_load_permille = std::clamp<std::int64_t>(permille, 0, 1000);
  }
  last_ = now;
  for (const std::string& zone : zones_) {
    const std::string text = read_start(zone);
    std::string_view rest = text;
    const std::optional<std::int64_t> value = take_number(rest);
    if (value.has_value() && *value > 0 && *value < kHotMax &&
        (!sample.temperature_millicelsius.has_value() ||
         *value > *sample.temperature_millicelsius)) {
      sample.temperature_millicelsius = value;
    }
  }
  return sample;
}

}  // namespace juggler
