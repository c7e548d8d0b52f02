#include "bounds/supply.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/profile_point.h"

namespace juggler::bounds {
namespace {

// What the controller takes `auto` for unless it is told otherwise (ControllerConfig::auto_model).
constexpr std::string_view kAutoModel = "imagenet";

std::vector<Option> options_of(const DeviceFacts& facts, const Processor& processor) {
  const double to_board_input = static_cast<double>(facts.to_board_input.factor_permille) / 1000.0;
  std::vector<Option> options;
  for (std::size_t p = 0; p < processor.profiles.size(); ++p) {
    for (int batch = 1; batch <= processor.batch_max; ++batch) {
      const ProfilePoint point = point_at(processor.profiles[p], batch);
      Option option;
      option.profile = static_cast<std::uint32_t>(p);
      option.batch = batch;
      option.latency = point.latency_mean;
      option.energy_known = point.energy.has_value();
      if (point.energy.has_value()) {
        option.energy_uj = static_cast<double>(point.energy->value.count) * to_board_input;
        option.energy_high_uj = static_cast<double>(point.energy->high.count) * to_board_input;
      }
      options.push_back(option);
    }
  }
  return options;
}

// What of the device matters to its processors, beside the processors themselves.
bool same_device(const DeviceFacts& a, const DeviceFacts& b) {
  return a.to_board_input == b.to_board_input && a.variants == b.variants;
}

bool same_processor(const Processor& a, const Processor& b) {
  const auto costs_as = [](const Profile& x, const Profile& y) {
    return x.variant == y.variant && x.points == y.points;
  };
  return a.batch_max == b.batch_max && std::equal(a.profiles.begin(), a.profiles.end(),
                                                  b.profiles.begin(), b.profiles.end(), costs_as);
}

// A cheap key, so that thousands of devices are not compared with each other in full.
using Key = std::pair<std::int64_t, std::int64_t>;

Key key_of(const SupplyDevice& device, const Processor& processor) {
  std::int64_t sum = processor.batch_max;
  for (const Profile& profile : processor.profiles) {
    sum = (sum * 31 + profile.points.front().latency_mean.count) % 1'000'000'007;
  }
  return {device.network.count, sum};
}

// Numbers the pools of links: what is reached from a group over common devices is one pool.
void pool_links(std::span<const SupplyDevice> devices, std::vector<ProcessorGroup>& groups) {
  std::vector<std::uint32_t> pool(devices.size());
  std::iota(pool.begin(), pool.end(), 0U);
  const auto root = [&](std::uint32_t device) {
    while (pool[device] != device) {
      device = pool[device] = pool[pool[device]];
    }
    return device;
  };
  for (const ProcessorGroup& group : groups) {
    for (const std::uint32_t device : group.devices) {
      pool[root(device)] = root(group.devices.front());
    }
  }
  std::vector<std::int64_t> kbits(devices.size(), 0);
  std::vector<bool> limited(devices.size(), true);
  for (std::uint32_t d = 0; d < devices.size(); ++d) {
    kbits[root(d)] += devices[d].bandwidth_kbits * devices[d].count;
    limited[root(d)] = limited[root(d)] && devices[d].bandwidth_kbits > 0;
  }
  for (ProcessorGroup& group : groups) {
    group.link = root(group.devices.front());
    group.link_kbits = limited[group.link] ? kbits[group.link] : 0;
  }
}

}  // namespace

const Variant& ProcessorGroup::variant_of(const Option& option) const {
  const Variant* variant = facts->find_variant(processor->profiles[option.profile].variant);
  JUGGLER_CHECK(variant != nullptr, "validate() admitted a profile without its variant");
  return *variant;
}

std::vector<ProcessorGroup> group_processors(std::span<const SupplyDevice> devices) {
  std::vector<ProcessorGroup> groups;
  std::multimap<Key, std::size_t> by_key;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    const SupplyDevice& device = devices[d];
    JUGGLER_CHECK(device.facts != nullptr && device.count >= 0, "a device has facts and a count");
    for (const Processor& processor : device.facts->processors) {
      const Key key = key_of(device, processor);
      const auto [begin, end] = by_key.equal_range(key);
      const auto like = std::find_if(begin, end, [&](const auto& entry) {
        const ProcessorGroup& group = groups[entry.second];
        return group.bandwidth_kbits == device.bandwidth_kbits &&
               same_device(*group.facts, *device.facts) &&
               same_processor(*group.processor, processor);
      });
      std::size_t at = groups.size();
      if (like != end) {
        at = like->second;
      } else {
        by_key.emplace(key, at);
        groups.push_back({device.facts,
                          &processor,
                          device.network,
                          0,
                          {},
                          options_of(*device.facts, processor),
                          device.bandwidth_kbits,
                          0,
                          0});
      }
      groups[at].count += device.count;
      groups[at].devices.push_back(static_cast<std::uint32_t>(d));
    }
  }
  pool_links(devices, groups);
  return groups;
}

bool may_serve(const ProcessorGroup& group, const Option& option, const Requirements& wanted) {
  const Variant& variant = group.variant_of(option);
  const std::string_view model = wanted.model == "auto" ? kAutoModel : wanted.model;
  if (!answers(variant, model)) {
    return false;
  }
  if (variant.weights == Weights::Synthetic && !wanted.allow_synthetic &&
      !names_directly(variant, model)) {
    return false;
  }
  if (wanted.min_accuracy.has_value() && variant.accuracy < *wanted.min_accuracy) {
    return false;
  }
  // The controller rounds shares down to whole microjoules.
  if (wanted.max_energy.has_value() &&
      (!option.energy_known ||
       option.energy_high_uj >= static_cast<double>(wanted.max_energy->count + 1) * option.batch)) {
    return false;
  }
  return !wanted.deadline.has_value() || option.latency + group.network <= *wanted.deadline;
}

std::string describe(const ProcessorGroup& group) {
  const std::string first = group.facts->id + "/" + group.processor->id;
  return group.count <= 1 ? first : fmt::format("{} and {} like it", first, group.count - 1);
}

}  // namespace juggler::bounds
