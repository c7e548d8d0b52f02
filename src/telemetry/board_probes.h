#pragma once
// Probes of what boards have beside their cores: GPU, DLA, temperatures, throttling.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "telemetry/discovery.h"
#include "telemetry/host_files.h"
#include "telemetry/mailbox.h"
#include "telemetry/reading.h"

namespace juggler {

// gpu.load_permille, a mean over about 0.3 s; gpu.clock_hz. A read takes a power reference of the
// GPU: not more often than once a second where it should sleep.
class GpuProbe final : public Probe {
 public:
  GpuProbe(HostFiles& host, GpuFound gpu) : host_(host), gpu_(std::move(gpu)) {}
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  GpuFound gpu_;
};

// dla.N.active: 1 or 0. No load of a DLA is to be had anywhere.
class DlaProbe final : public Probe {
 public:
  DlaProbe(HostFiles& host, std::vector<DlaFound> cores) : host_(host), cores_(std::move(cores)) {}
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  std::vector<DlaFound> cores_;
};

// temperature.TYPE_millicelsius by the zones' types, since their numbers change. A zone whose
// domain is off has no data, on an Orin Nano for ever.
class ThermalProbe final : public Probe {
 public:
  explicit ThermalProbe(HostFiles& host);
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  std::vector<std::pair<std::string, std::string>> zones_;  // type, file
};

// battery.charge_permille; battery.charges: 1 while something else supplies the board. Of several
// batteries the first that says both.
class BatteryProbe final : public Probe {
 public:
  explicit BatteryProbe(HostFiles& host);
  bool any() const { return !folders_.empty(); }
  void sample(Readings& readings) override;

 private:
  HostFiles& host_;
  std::vector<std::string> folders_;
};

// throttle.now: 1 while heat or current holds the clocks down; throttle.events_count since the
// start of this program; throttle.under_voltage_now and .since_boot of a Raspberry Pi.
class ThrottleProbe final : public Probe {
 public:
  // `mailbox` may be null; it outlives the probe.
  ThrottleProbe(HostFiles& host, const Discovery& found, Mailbox* mailbox);
  void sample(Readings& readings) override;

 private:
  void sample_firmware(Readings& readings, std::optional<bool>& throttled);
  void sample_counters(Readings& readings, std::optional<bool>& throttled);

  HostFiles& host_;
  Mailbox* mailbox_;
  bool firmware_ = false;  // a Raspberry Pi's word, from a file or the mailbox
  std::string firmware_file_;
  std::vector<std::string> counters_;
  std::vector<std::string> coolers_;
  std::map<std::string, std::int64_t> first_;  // of each counter
  std::map<std::string, std::int64_t> last_;
};

}  // namespace juggler
