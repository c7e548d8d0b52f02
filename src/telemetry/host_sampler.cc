#include "telemetry/host_sampler.h"

#include <algorithm>
#include <chrono>

#include "telemetry/board_probes.h"
#include "telemetry/host_probes.h"
#include "telemetry/power_rails.h"

namespace juggler {
namespace {

bool named(const Reading& reading, std::string_view prefix) {
  return reading.name.compare(0, prefix.size(), prefix) == 0;
}

void raise(std::optional<std::int64_t>& highest, std::int64_t value) {
  highest = std::max(highest.value_or(value), value);
}

std::optional<bool> flag(std::optional<std::int64_t> value) {
  return value.has_value() ? std::optional(*value != 0) : std::nullopt;
}

}  // namespace

HostProbes::HostProbes(HostFiles& host, HostFiles& own, const Discovery& found, Mailbox* mailbox) {
  probes_.push_back(std::make_unique<CpuProbe>(host));
  probes_.push_back(std::make_unique<MemoryProbe>(host, own, found.limits));
  probes_.push_back(std::make_unique<NetworkProbe>(own));
  probes_.push_back(std::make_unique<ThermalProbe>(host));
  probes_.push_back(std::make_unique<ThrottleProbe>(host, found, mailbox));
  if (found.gpu.value.has_value()) {
    probes_.push_back(std::make_unique<GpuProbe>(host, *found.gpu.value));
  }
  if (found.dla.value.has_value()) {
    probes_.push_back(std::make_unique<DlaProbe>(host, *found.dla.value));
  }
  if (auto battery = std::make_unique<BatteryProbe>(host); battery->any()) {
    probes_.push_back(std::move(battery));
  }
  // Last: what comes before shall not wait for it.
  if (std::vector<PowerRail> rails = find_rails(host); !rails.empty()) {
    probes_.push_back(std::make_unique<RailProbe>(host, std::move(rails)));
  }
}

Readings HostProbes::sample(Time now) {
  Readings readings(now);
  for (const std::unique_ptr<Probe>& probe : probes_) {
    probe->sample(readings);
  }
  return readings;
}

HostSample summary_of(const Readings& readings) {
  HostSample summary;
  if (const auto bytes = readings.value("memory.available_bytes")) {
    summary.memory_free = Bytes{*bytes};
  }
  summary.cpu_load_permille = readings.value("cpu.load_permille");
  summary.memory_pressure_permille = readings.value("pressure.memory_permille");
  summary.gpu_load_permille = readings.value("gpu.load_permille");
  summary.gpu_clock_hz = readings.value("gpu.clock_hz");
  summary.throttled = flag(readings.value("throttle.now"));
  summary.under_voltage = flag(readings.value("throttle.under_voltage_now"));
  summary.battery_permille = readings.value("battery.charge_permille");
  summary.battery_charges = flag(readings.value("battery.charges"));
  summary.received_bytes_per_s = readings.value("network.received_bytes_per_s");
  summary.sent_bytes_per_s = readings.value("network.sent_bytes_per_s");
  for (const Reading& reading : readings.list()) {
    if (reading.value.has_value() && named(reading, "temperature.")) {
      raise(summary.temperature_millicelsius, *reading.value);
    }
    if (reading.value.has_value() && named(reading, "dla.")) {
      summary.dla_active = summary.dla_active.value_or(0) + (*reading.value != 0 ? 1 : 0);
    }
  }
  return summary;
}

HostSampler::HostSampler(Options options)
    : options_(std::move(options)),
      host_(options_.host_root),
      found_(discover(host_, own_)),
      mailbox_(found_.family == BoardFamily::RaspberryPi ? make_mailbox() : nullptr),
      probes_(host_, own_, found_, mailbox_.get()),
      last_(std::make_shared<const Readings>(probes_.sample(clock_.now()))),
      thread_([this] { run(); }) {}

HostSampler::~HostSampler() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_asked_.notify_all();
}

// A std::unique_lock, because a condition variable needs one; clang's analysis ends here.
void HostSampler::run() JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(mutex_.native());
  while (!stop_asked_.wait_for(lock, std::chrono::microseconds(options_.period.count),
                               [this]() JUGGLER_NO_THREAD_ANALYSIS { return stopping_; })) {
    lock.unlock();
    auto readings = std::make_shared<const Readings>(probes_.sample(clock_.now()));
    lock.lock();
    last_ = std::move(readings);
  }
}

std::shared_ptr<const Readings> HostSampler::readings() const {
  const MutexLock lock(mutex_);
  return last_;
}

HostSample HostSampler::summary() const {
  const std::shared_ptr<const Readings> last = readings();
  HostSample summary = summary_of(*last);
  summary.age = clock_.now() - last->now();
  if (found_.power_mode.value.has_value()) {
    summary.power_mode = found_.power_mode.value->name;
  }
  return summary;
}

}  // namespace juggler
