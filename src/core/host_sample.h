#pragma once
// What the machine looks like now: the summary that heartbeats carry. What cannot be read is
// absent.

#include <cstdint>
#include <optional>
#include <string>

#include "core/evidence.h"
#include "core/units.h"

namespace juggler {

// What a device takes at this moment, with the place where the meter sits.
struct PowerNow {
  Milliwatts value;
  PowerScope scope = PowerScope::BoardInput;
  Evidence evidence = Evidence::Measured;

  friend bool operator==(const PowerNow&, const PowerNow&) = default;
};

struct HostSample {
  std::optional<Bytes> memory_free;
  std::optional<std::int64_t> cpu_load_permille;         // of all cores
  std::optional<std::int64_t> temperature_millicelsius;  // of the hottest zone
  std::optional<std::int64_t> memory_pressure_permille;  // somebody waited for memory, of 10 s
  std::optional<std::int64_t> gpu_load_permille;
  std::optional<std::int64_t> gpu_clock_hz;
  std::optional<std::int64_t> dla_active;  // cores of a DLA that are awake
  std::optional<bool> throttled;           // heat or current hold the clocks down now
  std::optional<bool> under_voltage;
  std::optional<PowerNow> power;
  std::optional<std::int64_t> battery_permille;  // of its charge
  std::optional<bool> battery_charges;           // or is full: something else supplies the board
  std::optional<std::int64_t> received_bytes_per_s;
  std::optional<std::int64_t> sent_bytes_per_s;
  std::string power_mode;     // the name of a Jetson's; empty where there is none
  std::optional<Micros> age;  // of these values when they were sent

  friend bool operator==(const HostSample&, const HostSample&) = default;
};

}  // namespace juggler
