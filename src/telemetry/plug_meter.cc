#include "telemetry/plug_meter.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "telemetry/http_get.h"
#include "telemetry/parse_numbers.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::size_t kAnswerMax = std::size_t{64} * 1024;
constexpr double kWattsMax = 10'000.0;  // a plug's fuse goes before

// The number at `pointer`, which never throws: a plug may answer anything.
std::optional<Milliwatts> watts_at(const json& answer, const char* pointer) {
  const json::json_pointer where(pointer);
  if (!answer.contains(where) || !answer[where].is_number()) {
    return std::nullopt;
  }
  const double watts = answer[where].get<double>();
  if (!(watts >= 0.0 && watts <= kWattsMax)) {
    return std::nullopt;
  }
  return Milliwatts{std::llround(watts * 1000)};
}

std::string_view name_of(PlugKind kind) {
  return kind == PlugKind::ShellyGen1   ? "shelly (gen 1)"
         : kind == PlugKind::ShellyGen2 ? "shelly"
                                        : "tasmota";
}

class PlugMeter final : public PowerMeter {
 public:
  PlugMeter(PlugKind kind, const PlugAddress& address)
      : kind_(kind), url_(fmt::format("http://{}:{}{}", address.host, address.port, address.path)) {
    facts_.name = fmt::format("{} at {}:{}", name_of(kind), address.host, address.port);
    facts_.scope = PowerScope::Wall;
    facts_.period = seconds(1);
    facts_.window = seconds(1);  // they renew their value about once a second
    facts_.step = Milliwatts{kind == PlugKind::Tasmota ? 1000 : 100};
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time /*now*/) override {
    const Result<HttpAnswer> answer = http_get(url_, kAnswerMax);
    if (!answer) {
      return Fact<MeterReading>::absent(Absence::Failed, answer.error().message);
    }
    if (answer->status != 200) {
      return Fact<MeterReading>::absent(
          answer->status == 401 || answer->status == 403 ? Absence::Denied : Absence::Failed,
          facts_.name);
    }
    const std::optional<Milliwatts> power = parse_plug(kind_, answer->body);
    return power.has_value() ? Fact<MeterReading>::of({.energy = {}, .power = *power}, facts_.name)
                             : Fact<MeterReading>::absent(Absence::Malformed, facts_.name);
  }

 private:
  PlugKind kind_;
  std::string url_;
  MeterFacts facts_;
};

}  // namespace

std::optional<Milliwatts> parse_plug(PlugKind kind, std::string_view answer) {
  if (answer.size() > kAnswerMax) {
    return std::nullopt;
  }
  const json parsed = json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return std::nullopt;
  }
  switch (kind) {
    case PlugKind::ShellyGen2:
      return watts_at(parsed, "/apower");
    case PlugKind::ShellyGen1: {
      const json::json_pointer valid("/meters/0/is_valid");
      if (parsed.contains(valid) && parsed[valid].is_boolean() && !parsed[valid].get<bool>()) {
        return std::nullopt;
      }
      return watts_at(parsed, "/meters/0/power");
    }
    case PlugKind::Tasmota:
      return watts_at(parsed, "/StatusSNS/ENERGY/Power");
  }
  return std::nullopt;
}

Result<PlugAddress> parse_plug_address(PlugKind kind, std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const Error wrong =
      fail(ErrorCode::InvalidArgument,
           fmt::format("'{}' is no plug's address: http://HOST or http://HOST:PORT", url));
  if (url.substr(0, kScheme.size()) != kScheme) {
    return wrong;
  }
  url.remove_prefix(kScheme.size());
  while (!url.empty() && url.back() == '/') {
    url.remove_suffix(1);
  }
  PlugAddress address;
  const std::size_t colon = url.rfind(':');
  if (colon != std::string_view::npos) {
    const std::optional<std::int64_t> port = parse_integer(url.substr(colon + 1));
    if (!port.has_value() || *port < 1 || *port > 65'535) {
      return wrong;
    }
    address.port = static_cast<int>(*port);
    url = url.substr(0, colon);
  }
  if (url.empty() || url.find_first_of("/@?# ") != std::string_view::npos) {
    return wrong;
  }
  address.host = std::string(url);
  address.path = kind == PlugKind::ShellyGen1   ? "/status"
                 : kind == PlugKind::ShellyGen2 ? "/rpc/Switch.GetStatus?id=0"
                                                : "/cm?cmnd=Status%208";
  return address;
}

std::unique_ptr<PowerMeter> make_plug_meter(PlugKind kind, const PlugAddress& address) {
  return std::make_unique<PlugMeter>(kind, address);
}

}  // namespace juggler
