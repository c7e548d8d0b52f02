// Fuzzes what a plug may answer, its address, and an estimate's model.

#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "telemetry/estimate_meter.h"
#include "telemetry/plug_meter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace juggler;  // NOLINT(google-build-using-namespace): one function
  static const bool quiet = (spdlog::set_level(spdlog::level::off), true);
  static_cast<void>(quiet);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const PlugKind kind : {PlugKind::ShellyGen1, PlugKind::ShellyGen2, PlugKind::Tasmota}) {
    if (const auto power = parse_plug(kind, text)) {
      JUGGLER_CHECK(*power >= Milliwatts{0} && *power <= Milliwatts{10'000'000}, "no plug's power");
    }
    if (const auto address = parse_plug_address(kind, text)) {
      JUGGLER_CHECK(!address->host.empty() && address->port > 0 && address->port < 65'536,
                    "an address without a host or a port");
    }
  }
  if (const auto model = parse_load_model(text, "model.toml")) {
    JUGGLER_CHECK(!model->source.empty(), "an estimate without a source");
  }
  return 0;
}
