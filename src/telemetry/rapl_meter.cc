#include "telemetry/rapl_meter.h"

#include <vector>

#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

using Opened = Fact<std::unique_ptr<PowerMeter>>;

constexpr const char* kClass = "sys/class/powercap";
// Above this power a counter may have wrapped twice between two reads, which nobody can see.
constexpr std::int64_t kWattsMax = 500;

struct Zone {
  std::string name;
  std::string file;
  std::int64_t range_uj = 0;
  std::optional<std::int64_t> last_uj;
};

class RaplMeter final : public PowerMeter {
 public:
  RaplMeter(HostFiles& host, std::vector<Zone> zones) : host_(host), zones_(std::move(zones)) {
    facts_.name = "rapl";
    facts_.scope = PowerScope::Package;
    for (const Zone& zone : zones_) {
      facts_.name += " " + zone.name;
      // What the platform takes, as its maker counts it: nearest to the board's supply.
      facts_.scope = zone.name == "psys" ? PowerScope::BoardInput : facts_.scope;
    }
    facts_.counter = true;
    facts_.period = milliseconds(100);
    facts_.window = milliseconds(1);
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time now) override {
    const Micros past = now - last_at_;
    std::int64_t sum = 0;
    for (Zone& zone : zones_) {
      const Fact<std::string> text = host_.text(zone.file);
      const auto value = text.value.has_value() ? parse_integer(*text.value) : std::nullopt;
      if (!value.has_value() || *value < 0 || *value > zone.range_uj) {
        forget();
        return Fact<MeterReading>::absent(text.value.has_value() ? Absence::Malformed : text.why,
                                          zone.file);
      }
      if (past.count >= zone.range_uj / kWattsMax) {
        zone.last_uj.reset();  // too long ago
      }
      if (zone.last_uj.has_value()) {
        const std::int64_t delta = *value - *zone.last_uj;
        sum += delta >= 0 ? delta : delta + zone.range_uj;
      } else {
        broken_ = true;
      }
      zone.last_uj = *value;
    }
    last_at_ = now;
    if (std::exchange(broken_, false)) {
      total_uj_ = 0;  // a new count begins: whoever subtracts across it sees it go back
      return Fact<MeterReading>::of({.energy = {0}, .power = {}}, zones_.front().file);
    }
    total_uj_ += sum;
    return Fact<MeterReading>::of({.energy = {total_uj_}, .power = {}}, zones_.front().file);
  }

 private:
  void forget() {
    for (Zone& zone : zones_) {
      zone.last_uj.reset();
    }
  }

  HostFiles& host_;
  std::vector<Zone> zones_;
  MeterFacts facts_;
  Time last_at_;  // microjoules by watts are microseconds
  std::int64_t total_uj_ = 0;
  bool broken_ = false;
};

std::vector<Zone> find_zones(HostFiles& host) {
  std::vector<Zone> zones;
  for (const std::string& name : host.list(kClass)) {
    if (name.rfind("intel-rapl:", 0) != 0) {
      continue;  // intel-rapl-mmio, or the class's own folder
    }
    const std::string folder = path_in(kClass, name);
    const auto range = host.text(path_in(folder, "max_energy_range_uj"));
    const std::optional<std::int64_t> range_uj =
        range.value.has_value() ? parse_integer(*range.value) : std::nullopt;
    const std::string zone = host.text(path_in(folder, "name")).value.value_or("");
    const bool added = zone.rfind("package", 0) == 0 || zone == "dram" || zone == "psys";
    if (added && range_uj.value_or(0) > 0) {
      zones.push_back({zone, path_in(folder, "energy_uj"), *range_uj, std::nullopt});
    }
  }
  for (const Zone& zone : zones) {
    if (zone.name == "psys" && host.text(zone.file).value.has_value()) {
      return {zone};
    }
  }
  std::erase_if(zones, [](const Zone& zone) { return zone.name == "psys"; });
  return zones;
}

}  // namespace

Opened open_rapl_meter(HostFiles& host) {
  std::vector<Zone> zones = find_zones(host);
  if (zones.empty()) {
    return Opened::absent(Absence::Missing, kClass);
  }
  for (const Zone& zone : zones) {
    const Fact<std::string> text = host.text(zone.file);
    if (!text.value.has_value()) {
      return Opened::absent(text.why, zone.file);
    }
  }
  auto meter = std::make_unique<RaplMeter>(host, std::move(zones));
  std::string name = meter->facts().name;
  return Opened::of(std::move(meter), std::move(name));
}

}  // namespace juggler
