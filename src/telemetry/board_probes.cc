#include "telemetry/board_probes.h"

#include <algorithm>
#include <array>

#include "telemetry/parse_board.h"
#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

constexpr std::size_t kZonesMax = 64;
// Outside of these a sensor is broken; -256 stands for off in some drivers.
constexpr std::int64_t kColdMin = -40'000;
constexpr std::int64_t kHotMax = 150'000;

// Adds the number in a file, if it lies within the bounds.
std::optional<std::int64_t> add_number(HostFiles& host, Readings& readings, std::string name,
                                       const std::string& file, std::int64_t min,
                                       std::int64_t max) {
  std::string text;
  const Absence why = host.read(file, text);
  if (why != Absence::None) {
    readings.add_absent(std::move(name), why, file);
    return std::nullopt;
  }
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value.has_value() || *value < min || *value > max) {
    readings.add_absent(std::move(name), Absence::Malformed, file);
    return std::nullopt;
  }
  readings.add(std::move(name), *value, file);
  return value;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Over-current counters of a Jetson, thermal ones of x86.
std::vector<std::string> find_counters(HostFiles& host) {
  std::vector<std::string> files;
  for (const std::string& chip : host.list("sys/class/hwmon")) {
    const std::string folder = "sys/class/hwmon/" + chip;
    if (host.text(folder + "/name").value.value_or("") != "soctherm_oc") {
      continue;
    }
    for (const std::string& name : host.list(folder)) {
      if (name.substr(0, 2) == "oc" && (has(name, "_event_cnt") || has(name, "_irq_cnt"))) {
        files.push_back(path_in(folder, name));
      }
    }
  }
  const std::string package = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count";
  if (host.exists(package)) {
    files.push_back(package);
  }
  return files;
}

// What slows a processor down when it works: not fans.
std::vector<std::string> find_coolers(HostFiles& host) {
  std::vector<std::string> files;
  for (const std::string& name : host.list("sys/class/thermal")) {
    const std::string folder = "sys/class/thermal/" + name;
    const std::string type = host.text(folder + "/type").value.value_or("");
    if (name.rfind("cooling_device", 0) == 0 &&
        (has(type, "cpufreq") || has(type, "cpu-") || has(type, "gpu") || has(type, "devfreq"))) {
      files.push_back(folder + "/cur_state");
    }
  }
  return files;
}

}  // namespace

void GpuProbe::sample(Readings& readings) {
  if (!gpu_.load_file.empty()) {
    add_number(host_, readings, "gpu.load_permille", gpu_.load_file, 0, 1000);
  }
  add_number(host_, readings, "gpu.clock_hz", gpu_.clock_files + "/cur_freq", 0, 10'000'000'000);
}

void DlaProbe::sample(Readings& readings) {
  for (const DlaFound& core : cores_) {
    const std::string file = core.folder + "/power/runtime_status";
    const std::string name = "dla." + std::to_string(core.id) + ".active";
    std::string text;
    if (const Absence why = host_.read(file, text); why != Absence::None) {
      readings.add_absent(name, why, file);
    } else {
      readings.add(name, text == "active" || text == "resuming" ? 1 : 0, file);
    }
  }
}

ThermalProbe::ThermalProbe(HostFiles& host) : host_(host) {
  std::map<std::string, int> seen;
  for (const std::string& name : host.list("sys/class/thermal")) {
    const std::string folder = "sys/class/thermal/" + name;
    const std::string type = host.text(folder + "/type").value.value_or("");
    // PMIC-Die is a constant on Jetsons.
    if (name.rfind("thermal_zone", 0) != 0 || type.empty() || type == "PMIC-Die" ||
        zones_.size() == kZonesMax) {
      continue;
    }
    const int before = seen[type]++;
    zones_.emplace_back(before == 0 ? type : type + "." + std::to_string(before + 1),
                        folder + "/temp");
  }
}

void ThermalProbe::sample(Readings& readings) {
  for (const auto& [type, file] : zones_) {
    add_number(host_, readings, "temperature." + type + "_millicelsius", file, kColdMin, kHotMax);
  }
}

ThrottleProbe::ThrottleProbe(HostFiles& host, const Discovery& found, Mailbox* mailbox)
    : host_(host),
      mailbox_(mailbox),
      firmware_(found.family == BoardFamily::RaspberryPi),
      counters_(find_counters(host)),
      coolers_(find_coolers(host)) {
  const std::string file = "sys/devices/platform/soc/soc:firmware/get_throttled";
  if (firmware_ && host.exists(file)) {
    firmware_file_ = file;  // a Raspberry Pi 5 has none
  }
}

void ThrottleProbe::sample(Readings& readings) {
  std::optional<bool> throttled;
  if (firmware_) {
    sample_firmware(readings, throttled);
  }
  sample_counters(readings, throttled);
  for (const std::string& file : coolers_) {
    std::string text;
    if (host_.read(file, text) == Absence::None) {
      throttled = throttled.value_or(false) || parse_integer(text).value_or(0) > 0;
    }
  }
  if (throttled.has_value()) {
    readings.add("throttle.now", *throttled ? 1 : 0,
                 firmware_          ? "firmware"
                 : coolers_.empty() ? "counters"
                                    : "sys/class/thermal");
  }
}

void ThrottleProbe::sample_firmware(Readings& readings, std::optional<bool>& throttled) {
  Fact<std::string> answer = Fact<std::string>::absent(Absence::Missing, "get_throttled");
  if (!firmware_file_.empty()) {
    answer = host_.text(firmware_file_);
  } else if (mailbox_ != nullptr) {
    answer = mailbox_->ask("get_throttled");
  }
  const std::optional<std::uint64_t> bits =
      answer.value.has_value() ? parse_throttled(*answer.value) : std::nullopt;
  if (!bits.has_value()) {
    readings.add_absent("throttle.under_voltage_now",
                        answer.value.has_value() ? Absence::Malformed : answer.why, answer.source);
    return;
  }
  const PiThrottle state = pi_throttle(*bits);
  throttled = state.throttled || state.capped || state.soft_limit;
  readings.add("throttle.under_voltage_now", state.under_voltage ? 1 : 0, answer.source);
  readings.add("throttle.under_voltage_since_boot", state.under_voltage_since_boot ? 1 : 0,
               answer.source);
}

// A counter that moved since the last sample: the clocks were held down in between. One that is
// less than before started anew.
void ThrottleProbe::sample_counters(Readings& readings, std::optional<bool>& throttled) {
  std::int64_t events = 0;
  bool any = false;
  for (const std::string& file : counters_) {
    std::string text;
    const std::optional<std::int64_t> count =
        host_.read(file, text) == Absence::None ? parse_integer(text) : std::nullopt;
    if (!count.has_value()) {
      continue;
    }
    any = true;
    const auto before = last_.find(file);
    const bool fresh = before == last_.end() || *count < before->second;
    if (fresh) {
      first_[file] = *count;
    }
    throttled = throttled.value_or(false) || (!fresh && *count > before->second);
    last_[file] = *count;
    events += *count - first_[file];
  }
  if (any) {
    readings.add("throttle.events_count", events, counters_.front());
  }
}

BatteryProbe::BatteryProbe(HostFiles& host) : host_(host) {
  constexpr const char* kClass = "sys/class/power_supply";
  for (const std::string& name : host.list(kClass)) {
    const std::string folder = path_in(kClass, name);
    if (host.text(path_in(folder, "type")).value.value_or("") == "Battery") {
      folders_.push_back(folder);
    }
  }
}

void BatteryProbe::sample(Readings& readings) {
  for (const std::string& folder : folders_) {
    const std::string capacity_file = path_in(folder, "capacity");
    const std::string status_file = path_in(folder, "status");
    const Fact<std::string> capacity = host_.text(capacity_file);
    const Fact<std::string> status = host_.text(status_file);
    const auto percent = capacity.value.has_value() ? parse_integer(*capacity.value) : std::nullopt;
    if (!percent.has_value() || *percent < 0 || *percent > 100) {
      readings.add_absent("battery.charge_permille",
                          capacity.value.has_value() ? Absence::Malformed : capacity.why,
                          capacity_file);
      continue;
    }
    readings.add("battery.charge_permille", *percent * 10, capacity_file);
    if (status.value.has_value()) {
      // "Not charging" is a full one, or one that is held where it is: the supply feeds the board.
      readings.add("battery.charges", *status.value == "Discharging" ? 0 : 1, status_file);
      return;
    }
    readings.add_absent("battery.charges", status.why, status_file);
  }
}

}  // namespace juggler
