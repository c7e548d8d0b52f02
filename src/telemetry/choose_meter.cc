#include "telemetry/choose_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "telemetry/board_meters.h"
#include "telemetry/estimate_meter.h"
#include "telemetry/nvml_meter.h"
#include "telemetry/plug_meter.h"
#include "telemetry/rapl_meter.h"

namespace juggler {
namespace {

using Opened = Fact<std::unique_ptr<PowerMeter>>;

// What to do about a meter that is there and does not answer; empty where nothing helps.
std::string remedy_of(std::string_view meter, Absence why) {
  if (meter == "rapl" && why == Absence::Denied) {
    return "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj, until the next start";
  }
  if (meter == "pmic" && why == Absence::Denied) {
    return "sudo usermod -aG video USER (in a container: --device /dev/vcio)";
  }
  if (meter == "pmic" && why == Absence::Missing) {
    return "in a container: --device /dev/vcio";
  }
  if (meter == "nvml" && why == Absence::NoData) {
    return "cards count their energy from Volta on";
  }
  if (meter == "nvml" && why == Absence::Missing) {
    return "install the card's driver (in a container: --gpus all)";
  }
  if (meter == "battery" && why == Absence::NoData) {
    return "it measures only while it discharges";
  }
  return {};
}

std::string complaint(std::string_view meter, const Opened& opened) {
  std::string text = fmt::format("{}: {} ({})", meter, to_string(opened.why), opened.source);
  if (const std::string remedy = remedy_of(meter, opened.why); !remedy.empty()) {
    text += ": " + remedy;
  }
  return text;
}

constexpr std::array<std::string_view, 5> kOwnMeters{"ina3221", "nvml", "rapl", "pmic", "battery"};

Opened open_named(std::string_view name, HostFiles& host, Mailbox* mailbox, const NvmlApi* nvml) {
  if (name == "nvml") {
    return open_nvml_meter(nvml, open_rapl_meter(host).value.value_or(nullptr));
  }
  if (name == "ina3221") {
    return open_rail_meter(host);
  }
  if (name == "rapl") {
    return open_rapl_meter(host);
  }
  if (name == "battery") {
    return open_battery_meter(host);
  }
  return mailbox != nullptr ? open_pmic_meter(*mailbox)
                            : Opened::absent(Absence::Missing, "no Raspberry Pi's firmware");
}

Result<MeterChoice> open_plug(std::string_view name, std::string_view url) {
  const PlugKind kind = name == "shelly"    ? PlugKind::ShellyGen2
                        : name == "shelly1" ? PlugKind::ShellyGen1
                                            : PlugKind::Tasmota;
  const Result<PlugAddress> address = parse_plug_address(kind, url);
  if (!address) {
    return address.error();
  }
  MeterChoice choice{make_plug_meter(kind, *address), {}};
  const Fact<MeterReading> first = choice.meter->read({});
  if (!first.value.has_value()) {
    return fail(ErrorCode::Unavailable, fmt::format("--meter: {} does not answer ({})",
                                                    first.source, to_string(first.why)));
  }
  return choice;
}

MeterChoice choose_first(const Discovery& found, HostFiles& host, Mailbox* mailbox,
                         const NvmlApi* nvml) {
  MeterChoice choice;
  for (const std::string_view name : kOwnMeters) {
    Opened opened = open_named(name, host, mailbox, nvml);
    if (opened.value.has_value()) {
      choice.meter = std::move(*opened.value);
      choice.why.clear();
      return choice;
    }
    if (opened.why != Absence::Missing) {  // it is there, and something is in the way
      choice.why += (choice.why.empty() ? "" : "; ") + complaint(name, opened);
    }
  }
  if (choice.why.empty()) {
    choice.why = fmt::format(
        "{} has no meter that can be read: a plug (--meter shelly=http://HOST) measures, "
        "--meter estimate=FILE estimates",
        found.board);
  }
  return choice;
}

}  // namespace

Result<MeterChoice> choose_meter(const std::string& wanted, const Discovery& found, HostFiles& host,
                                 Mailbox* mailbox, const NvmlApi* nvml) {
  if (wanted == "none") {
    return MeterChoice{nullptr, "--meter none"};
  }
  if (wanted == "auto") {
    return choose_first(found, host, mailbox, nvml);
  }
  const std::size_t equals = wanted.find('=');
  const std::string name = wanted.substr(0, equals);
  const std::string rest = equals == std::string::npos ? "" : wanted.substr(equals + 1);
  if (rest.empty() && std::find(kOwnMeters.begin(), kOwnMeters.end(), name) != kOwnMeters.end()) {
    Opened opened = open_named(name, host, mailbox, nvml);
    if (!opened.value.has_value()) {
      return fail(ErrorCode::Unavailable, "--meter " + complaint(name, opened));
    }
    return MeterChoice{std::move(*opened.value), {}};
  }
  if (!rest.empty() && (name == "shelly" || name == "shelly1" || name == "tasmota")) {
    return open_plug(name, rest);
  }
  if (!rest.empty() && name == "estimate") {
    Result<LoadModel> model = load_model(rest);
    if (!model) {
      return model.error();
    }
    return MeterChoice{make_estimate_meter(host, std::move(*model)), {}};
  }
  return fail(ErrorCode::InvalidArgument,
              fmt::format("--meter '{}' is none of: {}", wanted, kMeterNames));
}

}  // namespace juggler
