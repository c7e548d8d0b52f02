// The object `host` of a heartbeat: what the machine looks like now, beside its memory, load and
// temperature.

#include "wire/bodies.h"
#include "wire/figures.h"

namespace juggler::wire {
namespace {

constexpr std::int64_t kMilliwattsMax = 1'000'000'000;
constexpr std::int64_t kHertzMax = 1'000'000'000'000;
constexpr std::size_t kModeMax = 63;  // written; repaired text may be longer

void write(JsonWriter& writer, const char* key, const std::optional<std::int64_t>& value) {
  if (value.has_value()) {
    writer.integer(key, *value);
  }
}

void write(JsonWriter& writer, const char* key, const std::optional<bool>& value) {
  if (value.has_value()) {
    writer.flag(key, *value);
  }
}

std::optional<bool> read_flag(ObjectReader& reader, const char* key) {
  return reader.has(key) ? std::optional(reader.boolean_or(key, false)) : std::nullopt;
}

}  // namespace

void write_host(JsonWriter& writer, const HostSample& host) {
  writer.begin_object("host");
  if (host.age.has_value()) {
    writer.integer("age_us", host.age->count);
  }
  write(writer, "battery_charges", host.battery_charges);
  write(writer, "battery_permille", host.battery_permille);
  write(writer, "dla_active", host.dla_active);
  write(writer, "gpu_clock_hz", host.gpu_clock_hz);
  write(writer, "gpu_load_permille", host.gpu_load_permille);
  write(writer, "memory_pressure_permille", host.memory_pressure_permille);
  if (host.power.has_value()) {
    writer.text("power_evidence", to_string(host.power->evidence));
  }
  if (!host.power_mode.empty()) {
    writer.text("power_mode", host.power_mode.substr(0, kModeMax));
  }
  if (host.power.has_value()) {
    writer.integer("power_mw", host.power->value.count);
    writer.text("power_scope", to_string(host.power->scope));
  }
  write(writer, "received_bytes_per_s", host.received_bytes_per_s);
  write(writer, "sent_bytes_per_s", host.sent_bytes_per_s);
  write(writer, "throttled", host.throttled);
  write(writer, "under_voltage", host.under_voltage);
  writer.end_object();
}

void read_host(ObjectReader& heartbeat, HostSample& host) {
  std::optional<ObjectReader> found = heartbeat.object("host");
  if (!found.has_value()) {
    if (heartbeat.has("host")) {
      heartbeat.complain("host", "is not an object");
    }
    return;  // an older device says nothing
  }
  ObjectReader& reader = *found;
  if (const auto age = reader.optional_integer("age_us", 0, kMicrosMax)) {
    host.age = Micros{*age};
  }
  host.battery_charges = read_flag(reader, "battery_charges");
  host.battery_permille = reader.optional_integer("battery_permille", 0, 1000);
  host.dla_active = reader.optional_integer("dla_active", 0, 64);
  host.gpu_clock_hz = reader.optional_integer("gpu_clock_hz", 0, kHertzMax);
  host.gpu_load_permille = reader.optional_integer("gpu_load_permille", 0, 1000);
  host.memory_pressure_permille = reader.optional_integer("memory_pressure_permille", 0, 1000);
  if (const auto power = reader.optional_integer("power_mw", 0, kMilliwattsMax)) {
    host.power = PowerNow{{*power},
                          reader.name("power_scope", parse_power_scope, PowerScope::BoardInput),
                          reader.name("power_evidence", parse_evidence, Evidence::Assumed)};
  }
  host.power_mode = reader.string_or("power_mode", "", 4 * kModeMax);
  host.received_bytes_per_s = reader.optional_integer("received_bytes_per_s", 0, INT64_MAX);
  host.sent_bytes_per_s = reader.optional_integer("sent_bytes_per_s", 0, INT64_MAX);
  host.throttled = read_flag(reader, "throttled");
  host.under_voltage = read_flag(reader, "under_voltage");
}

}  // namespace juggler::wire
