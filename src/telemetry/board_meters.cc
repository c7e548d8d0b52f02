#include "telemetry/board_meters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "telemetry/parse_board.h"
#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

using Opened = Fact<std::unique_ptr<PowerMeter>>;

constexpr std::int64_t kMilliwattsMax = 500'000;

Fact<MeterReading> power_reading(std::int64_t milliwatts, std::string source) {
  return milliwatts >= 0 && milliwatts <= kMilliwattsMax
             ? Fact<MeterReading>::of({.energy = {}, .power = {milliwatts}}, std::move(source))
             : Fact<MeterReading>::absent(Absence::Malformed, std::move(source));
}

class RailMeter final : public PowerMeter {
 public:
  RailMeter(HostFiles& host, RailTotal total) : host_(host), total_(std::move(total)) {
    const bool iio = total_.rails.front().iio;
    std::string names;
    for (const PowerRail& rail : total_.rails) {
      names += (names.empty() ? "" : "+") + rail.name;
    }
    facts_.name = "ina3221 " + names;
    facts_.scope = total_.scope;
    facts_.period = milliseconds(100);
    // source  L4T's ina3221 of JetPack 4 may average 64 conversions of three channels: 422 ms.
    //         hwmon's answer is one conversion, 13 ms on an Orin Nano.
    facts_.window = iio ? milliseconds(422) : milliseconds(13);
    // 8 mA x 5 V over 5 mOhm shunts; 20 mA over the 2 mOhm of an AGX Orin, for each rail.
    facts_.step = Milliwatts{total_.scope == PowerScope::ModuleRail
                                 ? 40
                                 : 100 * static_cast<std::int64_t>(total_.rails.size())};
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time /*now*/) override {
    std::int64_t sum = 0;
    for (const PowerRail& rail : total_.rails) {
      const Fact<Milliwatts> power = read_rail(host_, rail);
      if (!power.value.has_value()) {
        return Fact<MeterReading>::absent(power.why, power.source);
      }
      sum += power.value->count;
    }
    return power_reading(sum, total_.rails.front().folder);
  }

 private:
  HostFiles& host_;
  RailTotal total_;
  MeterFacts facts_;
};

class PmicMeter final : public PowerMeter {
 public:
  explicit PmicMeter(Mailbox& mailbox) : mailbox_(mailbox) {
    facts_.name = "pmic rails";
    facts_.scope = PowerScope::RailSum;
    // All values take 23 ms of the firmware, and asking 50 times a second slowed a program 6 times.
    facts_.period = seconds(1);
    facts_.window = milliseconds(25);
    facts_.step = Milliwatts{10};
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time /*now*/) override {
    const Fact<std::string> answer = mailbox_.ask("pmic_read_adc");
    if (!answer.value.has_value()) {
      return Fact<MeterReading>::absent(answer.why, answer.source);
    }
    const auto rails = parse_pmic(*answer.value);
    if (!rails.has_value()) {
      return Fact<MeterReading>::absent(Absence::Malformed, answer.source);
    }
    std::int64_t microwatts = 0;
    for (const PmicRail& rail : *rails) {
      microwatts += rail.microamps * (rail.microvolts / 100) / 10'000;
    }
    return power_reading(microwatts / 1000, answer.source);
  }

 private:
  Mailbox& mailbox_;
  MeterFacts facts_;
};

class BatteryMeter final : public PowerMeter {
 public:
  BatteryMeter(HostFiles& host, std::string folder) : host_(host), folder_(std::move(folder)) {
    facts_.name = "battery " + folder_.substr(folder_.rfind('/') + 1);
    facts_.scope = PowerScope::BoardInput;
    facts_.period = seconds(2);
    facts_.window = seconds(30);  // drivers renew it every 1 to 30 s
    facts_.step = Milliwatts{100};
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time /*now*/) override {
    if (host_.text(path_in(folder_, "status")).value.value_or("") != "Discharging") {
      return Fact<MeterReading>::absent(Absence::NoData, path_in(folder_, "status"));
    }
    if (const auto microwatts = number("power_now")) {
      return power_reading(magnitude(*microwatts) / 1000, path_in(folder_, "power_now"));
    }
    const auto microvolts = number("voltage_now");
    const auto microamps = number("current_now");
    if (!microvolts.has_value() || !microamps.has_value() || magnitude(*microvolts) > 100'000'000 ||
        magnitude(*microamps) > 100'000'000) {
      return Fact<MeterReading>::absent(Absence::Missing, path_in(folder_, "power_now"));
    }
    return power_reading(magnitude(*microvolts) * magnitude(*microamps) / 1'000'000'000,
                         path_in(folder_, "current_now"));
  }

 private:
  // Drivers differ in the sign of what flows out.
  static std::int64_t magnitude(std::int64_t value) { return value < 0 ? -value : value; }
  std::optional<std::int64_t> number(const char* name) {
    const Fact<std::string> text = host_.text(path_in(folder_, name));
    const auto value = text.value.has_value() ? parse_integer(*text.value) : std::nullopt;
    return value.has_value() && *value > -kMicroMax && *value < kMicroMax ? value : std::nullopt;
  }
  static constexpr std::int64_t kMicroMax = 1'000'000'000;

  HostFiles& host_;
  std::string folder_;
  MeterFacts facts_;
};

// A meter counts once it has answered twice.
Opened tried(std::unique_ptr<PowerMeter> meter) {
  for (int i = 0; i < 2; ++i) {
    const Fact<MeterReading> reading = meter->read({});
    if (!reading.value.has_value()) {
      return Opened::absent(reading.why, reading.source);
    }
  }
  std::string name = meter->facts().name;
  return Opened::of(std::move(meter), std::move(name));
}

}  // namespace

Opened open_rail_meter(HostFiles& host) {
  const std::vector<PowerRail> rails = find_rails(host);
  if (rails.empty()) {
    return Opened::absent(Absence::Missing, "sys/class/hwmon: no ina3221");
  }
  RailTotal total = total_of(rails);
  if (total.rails.empty()) {
    return Opened::absent(Absence::Missing, "ina3221: no rails whose sum is known");
  }
  return tried(std::make_unique<RailMeter>(host, std::move(total)));
}

Opened open_pmic_meter(Mailbox& mailbox) { return tried(std::make_unique<PmicMeter>(mailbox)); }

Opened open_battery_meter(HostFiles& host) {
  constexpr const char* kClass = "sys/class/power_supply";
  Opened none = Opened::absent(Absence::Missing, kClass);
  for (const std::string& name : host.list(kClass)) {
    const std::string folder = path_in(kClass, name);
    if (host.text(path_in(folder, "type")).value.value_or("") != "Battery") {
      continue;
    }
    Opened opened = tried(std::make_unique<BatteryMeter>(host, folder));
    if (opened.value.has_value()) {
      return opened;
    }
    none = std::move(opened);
  }
  return none;
}

}  // namespace juggler
