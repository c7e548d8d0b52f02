#pragma once
// Smart plugs over HTTP: what the whole supply takes from the wall.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "telemetry/meter.h"

namespace juggler {

enum class PlugKind { ShellyGen1, ShellyGen2, Tasmota };

// The power that a plug's answer states; nothing where it is none of the kind.
std::optional<Milliwatts> parse_plug(PlugKind kind, std::string_view answer);

struct PlugAddress {
  std::string host;
  int port = 80;
  std::string path;  // of the question
};

// "http://192.168.1.20" or "http://plug.local:8080"; the kind says what is asked for there.
//
// errors  InvalidArgument, with what an address looks like
Result<PlugAddress> parse_plug_address(PlugKind kind, std::string_view url);

std::unique_ptr<PowerMeter> make_plug_meter(PlugKind kind, const PlugAddress& address);

}  // namespace juggler
