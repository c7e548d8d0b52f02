#include "telemetry/power_rails.h"

#include <algorithm>
#include <array>

#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

constexpr int kChannels = 3;
constexpr std::int64_t kMilliwattsMax = 500'000;  // no module takes more
constexpr std::int64_t kMillivoltsMax = 60'000;
constexpr std::int64_t kMilliampsMax = 100'000;

const PowerRail* rail_named(const std::vector<PowerRail>& rails, std::string_view name) {
  const auto at = std::find_if(rails.begin(), rails.end(),
                               [name](const PowerRail& rail) { return rail.name == name; });
  return at != rails.end() ? &*at : nullptr;
}

void add_iio(HostFiles& host, std::vector<PowerRail>& rails) {
  const std::string driver = "sys/bus/i2c/drivers/ina3221x";
  for (const std::string& chip : host.list(driver)) {
    for (const std::string& device : host.list(path_in(driver, chip))) {
      const std::string folder = path_in(path_in(driver, chip), device);
      for (int channel = 0; channel < kChannels && device.rfind("iio:device", 0) == 0; ++channel) {
        const auto name = host.text(folder + "/rail_name_" + std::to_string(channel));
        if (name.value.has_value()) {
          rails.push_back({*name.value, true, folder, channel});
        }
      }
    }
  }
}

// in7 is a sum of shunt voltages, and a channel labelled NC is not connected.
void add_hwmon(HostFiles& host, std::vector<PowerRail>& rails) {
  for (const std::string& chip : host.list("sys/class/hwmon")) {
    const std::string folder = "sys/class/hwmon/" + chip;
    if (host.text(folder + "/name").value.value_or("") != "ina3221") {
      continue;
    }
    for (int channel = 1; channel <= kChannels; ++channel) {
      const auto label = host.text(folder + "/in" + std::to_string(channel) + "_label");
      if (label.value.has_value() && *label.value != "NC") {
        rails.push_back({*label.value, false, folder, channel});
      }
    }
  }
}

Fact<std::int64_t> bounded(const Fact<std::string>& text, std::int64_t max) {
  if (!text.value.has_value()) {
    return Fact<std::int64_t>::absent(text.why, text.source);
  }
  const std::optional<std::int64_t> number = parse_integer(*text.value);
  return number.has_value() && *number >= 0 && *number <= max
             ? Fact<std::int64_t>::of(*number, text.source)
             : Fact<std::int64_t>::absent(Absence::Malformed, text.source);
}

Fact<Milliwatts> product(const Fact<std::int64_t>& millivolts,
                         const Fact<std::int64_t>& milliamps) {
  for (const auto* part : {&millivolts, &milliamps}) {
    if (!part->value.has_value()) {
      return Fact<Milliwatts>::absent(part->why, part->source);
    }
  }
  const std::int64_t milliwatts = *millivolts.value * *milliamps.value / 1000;
  return milliwatts <= kMilliwattsMax
             ? Fact<Milliwatts>::of({milliwatts}, milliamps.source)
             : Fact<Milliwatts>::absent(Absence::Malformed, milliamps.source);
}

// Both of one conversion, "5056 464"; else the driver's own product.
Fact<Milliwatts> read_iio(HostFiles& host, const PowerRail& rail) {
  const std::string n = std::to_string(rail.channel);
  const Fact<std::string> both = host.text(rail.folder + "/ui_input_" + n);
  if (both.value.has_value()) {
    std::string_view rest = *both.value;
    const std::string volts(take_word(rest));
    const std::string amps(take_word(rest));
    return product(bounded(Fact<std::string>::of(volts, both.source), kMillivoltsMax),
                   bounded(Fact<std::string>::of(amps, both.source), kMilliampsMax));
  }
  const Fact<std::int64_t> power =
      bounded(host.text(rail.folder + "/in_power" + n + "_input"), kMilliwattsMax);
  return power.value.has_value() ? Fact<Milliwatts>::of({*power.value}, power.source)
                                 : Fact<Milliwatts>::absent(power.why, power.source);
}

}  // namespace

std::vector<PowerRail> find_rails(HostFiles& host) {
  std::vector<PowerRail> rails;
  add_iio(host, rails);
  add_hwmon(host, rails);
  return rails;
}

// source  energymon/energymon jetson/JetsonPowerRails.md: which rails are fed by which. On AGX Orin
//         VDDQ_VDD2_1V8AO is fed by VIN_SYS_5V0, and not added again.
RailTotal total_of(const std::vector<PowerRail>& rails) {
  for (const char* input : {"POM_5V_IN", "VDD_IN"}) {
    const PowerRail* rail = rail_named(rails, input);
    if (rail != nullptr && rail_named(rails, "VDD_MUX") == nullptr) {  // that is a TX2's carrier
      return {{*rail}, PowerScope::ModuleRail};
    }
  }
  const std::array<std::vector<std::string>, 2> sums{
      std::vector<std::string>{"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"},
      std::vector<std::string>{"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"}};
  for (const std::vector<std::string>& names : sums) {
    RailTotal total{{}, PowerScope::RailSum};
    for (const std::string& name : names) {
      if (const PowerRail* rail = rail_named(rails, name)) {
        total.rails.push_back(*rail);
      }
    }
    if (total.rails.size() == names.size()) {
      return total;
    }
  }
  return {};
}

Fact<Milliwatts> read_rail(HostFiles& host, const PowerRail& rail) {
  if (rail.iio) {
    return read_iio(host, rail);
  }
  const std::string n = std::to_string(rail.channel);
  // Back to back: they come from two conversions.
  const Fact<std::string> volts = host.text(rail.folder + "/in" + n + "_input");
  const Fact<std::string> amps = host.text(rail.folder + "/curr" + n + "_input");
  return product(bounded(volts, kMillivoltsMax), bounded(amps, kMilliampsMax));
}

void RailProbe::sample(Readings& readings) {
  for (const PowerRail& rail : rails_) {
    const Fact<Milliwatts> power = read_rail(host_, rail);
    if (power.value.has_value()) {
      readings.add("power." + rail.name + "_mw", power.value->count, power.source);
    } else {
      readings.add_absent("power." + rail.name + "_mw", power.why, power.source);
    }
  }
}

}  // namespace juggler
