#include "bounds/ways.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace juggler::bounds {

double total_rate(std::span<const Demand> demands) {
  double sum = 0.0;
  for (const Demand& demand : demands) {
    sum += demand.rate_hz;
  }
  return sum;
}

Result<void> check_rates(std::span<const Demand> demands) {
  for (std::size_t d = 0; d < demands.size(); ++d) {
    if (!(demands[d].rate_hz >= 0.0) || demands[d].rate_hz > 1e9) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("demand {}: a rate must be 0 to 1e9 tasks/s", d + 1));
    }
  }
  if (!(total_rate(demands) > 0.0)) {
    return fail(ErrorCode::InvalidArgument, "no demand has a rate above 0: give one a rate");
  }
  return {};
}

Error unknown_energy(const ProcessorGroup& group, const Option& option) {
  return fail(ErrorCode::Unsupported,
              fmt::format("no energy is known for {} on {}: give its profile a figure, or leave "
                          "the device out of the bound",
                          group.variant_of(option).id, describe(group)));
}

std::vector<Way> ways_of(const ProcessorGroup& group, std::uint32_t g, const Demand& demand,
                         std::uint32_t d) {
  std::vector<Way> ways;
  const double kbits = static_cast<double>(demand.payload.count) * 8.0 / 1000.0;
  for (std::size_t o = 0; o < group.options.size(); ++o) {
    const Option& option = group.options[o];
    if (may_serve(group, option, demand.requirements)) {
      ways.push_back({d, g, static_cast<std::uint32_t>(o),
                      static_cast<double>(option.latency.count) / 1e6 / option.batch,
                      option.energy_uj / option.batch, kbits});
    }
  }
  return ways;
}

void keep_hull(std::vector<Way>& ways) {
  std::sort(ways.begin(), ways.end(), [](const Way& a, const Way& b) {
    return std::tuple(a.seconds, a.energy_uj, a.option) <
           std::tuple(b.seconds, b.energy_uj, b.option);
  });
  std::vector<Way> hull;
  for (const Way& way : ways) {
    if (!hull.empty() && way.energy_uj >= hull.back().energy_uj) {
      continue;
    }
    // The last one goes if it lies above the line from the one before it to this one.
    while (hull.size() >= 2) {
      const Way& a = hull[hull.size() - 2];
      const Way& b = hull.back();
      const double turn = (b.seconds - a.seconds) * (way.energy_uj - a.energy_uj) -
                          (way.seconds - a.seconds) * (b.energy_uj - a.energy_uj);
      if (turn > 0.0) {
        break;
      }
      hull.pop_back();
    }
    hull.push_back(way);
  }
  ways = std::move(hull);
}

}  // namespace juggler::bounds
