#include "apps/broker_ceiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/json_fields.h"

namespace juggler {
namespace {

using nlohmann::json;

// What one RabbitMQ carried of pictures of 150 KB, 16 at once, through all four hops on disk.
// source  docs/performance.md, two processors of x86-64, everything on one machine
constexpr double kCarriedHz = 750.0;

}  // namespace

double fleet_rate_hz(const json& models) {
  std::map<std::pair<std::string, std::string>, std::int64_t> fastest;  // by device and processor
  for (const json& variant : list_of(models, "models")) {
    for (const json& placement : list_of(variant, "placements")) {
      const std::int64_t latency = integer_of(placement, "latency_us_mean").value_or(0);
      const auto key = std::pair(text_of(placement, "device"), text_of(placement, "processor"));
      if (latency > 0) {
        const auto [at, first] = fastest.try_emplace(key, latency);
        at->second = std::min(at->second, latency);
      }
    }
  }
  double rate = 0.0;
  for (const auto& [key, latency] : fastest) {
    rate += 1e6 / static_cast<double>(latency);
  }
  return rate;
}

std::optional<Finding> broker_ceiling(const json& models) {
  const double rate = fleet_rate_hz(models);
  if (rate <= kCarriedHz) {
    return std::nullopt;
  }
  return Finding{
      "broker's ceiling", Finding::State::Note,
      fmt::format("the devices could serve about {:.0f} pictures/s; one RabbitMQ has carried about "
                  "{:.0f}/s of 150 KB on two processors (docs/performance.md)",
                  rate, kCarriedHz),
      "send smaller pictures (networks see 260 pixels a side at most; juggler submit --shrink 320: "
      "25 to 50 KB), "
      "give the broker a larger machine, or divide the fleet among several brokers: "
      "docs/performance.md#where-the-broker-is-the-ceiling"};
}

}  // namespace juggler
