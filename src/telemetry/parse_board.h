#pragma once
// Text that boards say of themselves: releases and power modes of Jetsons, firmware answers of
// Raspberry Pis.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace juggler {

// The first line of /etc/nv_tegra_release: "36.4.3".
struct L4tRelease {
  int major = 0;
  int minor = 0;
  int patch = 0;

  std::string text() const;
};
std::optional<L4tRelease> parse_l4t(std::string_view text);
// The JetPack whose L4T that is, as NVIDIA's archive pairs them; empty for one not listed.
std::string jetpack_of(const L4tRelease& release);

// /var/lib/nvpmodel/status: the active mode's id.
std::optional<int> parse_power_mode(std::string_view text);
struct PowerModeName {
  int id = 0;
  std::string name;
};
// The modes of /etc/nvpmodel.conf. Their names are clock caps, not watts, and no id is the fastest
// on all boards.
std::vector<PowerModeName> parse_power_modes(std::string_view text);

// The words of a device tree's list, each ended by a NUL.
std::vector<std::string> parse_compatible(std::string_view text);

// The firmware's word on throttling (Raspberry Pi): bits 0 to 3 are now, 16 to 19 since boot.
struct PiThrottle {
  bool under_voltage = false;
  bool capped = false;
  bool throttled = false;
  bool soft_limit = false;
  bool under_voltage_since_boot = false;
  bool throttled_since_boot = false;
};
PiThrottle pi_throttle(std::uint64_t word);
// Of sysfs: hex without 0x. Of the mailbox: "throttled=0x50000".
std::optional<std::uint64_t> parse_throttled(std::string_view text);

struct PmicRail {
  std::string name;
  std::int64_t microamps = 0;
  std::int64_t microvolts = 0;
};
// The mailbox's answer to pmic_read_adc. A rail of which only the voltage is known is no rail: it
// says no power. Nothing where no rail is whole.
std::optional<std::vector<PmicRail>> parse_pmic(std::string_view text);

}  // namespace juggler
