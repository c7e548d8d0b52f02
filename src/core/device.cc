#include "core/device.h"

#include <algorithm>

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<ProcessorKind>, 3> kKinds{
    {{ProcessorKind::Cpu, "cpu"}, {ProcessorKind::Gpu, "gpu"}, {ProcessorKind::Dla, "dla"}}};

// A profile that claims more than this is a mistake of unit, not a slow board.
constexpr Micros kLatencyMax = seconds(600);
constexpr Microjoules kEnergyMax{10'000'000'000};  // 10 kJ for one batch

Error bad(const DeviceFacts& facts, const std::string& what) {
  return fail(ErrorCode::InvalidArgument, "hello of device '" + facts.id + "': " + what);
}

template <class T, class Key>
bool strictly_ascending(const std::vector<T>& items, Key key) {
  return std::adjacent_find(items.begin(), items.end(), [&](const T& a, const T& b) {
           return !(key(a) < key(b));
         }) == items.end();
}

// Of profiles and of names of variants.
struct ByVariant {
  bool operator()(const Profile& a, const std::string& b) const { return a.variant < b; }
  bool operator()(const std::string& a, const Profile& b) const { return a < b.variant; }
};

Result<void> check_point(const DeviceFacts& facts, const std::string& where,
                         const ProfilePoint& point) {
  const bool latency_sane = point.latency_mean > Micros{0} &&
                            point.latency_p95 >= point.latency_mean &&
                            point.latency_p95 <= kLatencyMax;
  if (point.batch < 1 || !latency_sane) {
    return bad(facts, where + ": needs batch >= 1 and 0 < latency mean <= p95 <= 600 s");
  }
  if (point.energy.has_value()) {
    const EnergyFigure& e = *point.energy;
    if (e.low < Microjoules{0} || e.value < e.low || e.high < e.value || e.high > kEnergyMax) {
      return bad(facts, where + ": energy needs 0 <= low <= value <= high <= 10 kJ");
    }
  }
  return {};
}

Result<void> check_profile(const DeviceFacts& facts, const Processor& processor,
                           const Profile& profile) {
  const std::string where = processor.id + "/" + profile.variant;
  if (facts.find_variant(profile.variant) == nullptr) {
    return bad(facts, where + ": profile of a variant that is not announced");
  }
  if (profile.points.empty() || profile.points.size() > kProfilePointsMax ||
      profile.points.front().batch != 1 ||
      !strictly_ascending(profile.points, [](const ProfilePoint& p) { return p.batch; })) {
    return bad(facts, where + ": needs 1 to 16 batch sizes, ascending from 1");
  }
  if (profile.memory < Bytes{0} || profile.load < Micros{0}) {
    return bad(facts, where + ": negative memory or load time");
  }
  for (const ProfilePoint& point : profile.points) {
    if (Result<void> ok = check_point(facts, where, point); !ok) {
      return ok;
    }
  }
  return {};
}

Result<void> check_processor(const DeviceFacts& facts, const Processor& processor) {
  if (!valid_device_id(processor.id)) {
    return bad(facts, "processor id '" + processor.id + "' is not [a-z0-9-]{1,63}");
  }
  if (processor.window_batches < 1 || processor.window_batches > kInFlightBatchesMax ||
      processor.batch_max < 1 || processor.batch_max > 1024) {
    return bad(facts, processor.id + ": window must be 1 to 64 batches, batch_max 1 to 1024");
  }
  if (!strictly_ascending(processor.profiles, [](const Profile& p) { return p.variant; })) {
    return bad(facts, processor.id + ": profiles must be sorted by variant, one each");
  }
  for (const Profile& profile : processor.profiles) {
    if (Result<void> ok = check_profile(facts, processor, profile); !ok) {
      return ok;
    }
  }
  for (const Slowdown& slowdown : processor.slowed_by) {
    const bool other = slowdown.by != processor.id &&
                       std::any_of(facts.processors.begin(), facts.processors.end(),
                                   [&](const Processor& p) { return p.id == slowdown.by; });
    if (!other || slowdown.permille < kSlowdownMin || slowdown.permille > kSlowdownMax) {
      return bad(facts, processor.id +
                            ": is slowed by another processor of the device, 1 to 10 "
                            "times");
    }
  }
  if (!strictly_ascending(processor.slowed_by, [](const Slowdown& s) { return s.by; })) {
    return bad(facts, processor.id + ": what slows it must be sorted by processor, one each");
  }
  const bool known = std::includes(processor.profiles.begin(), processor.profiles.end(),
                                   processor.loaded.begin(), processor.loaded.end(), ByVariant{});
  if (!known || !strictly_ascending(processor.loaded, [](const std::string& v) { return v; })) {
    return bad(facts, processor.id + ": what is loaded must be of its variants, sorted, one each");
  }
  return {};
}

}  // namespace

const Variant* DeviceFacts::find_variant(std::string_view variant) const {
  const auto at =
      std::lower_bound(variants.begin(), variants.end(), variant,
                       [](const Variant& v, std::string_view wanted) { return v.id < wanted; });
  return at != variants.end() && at->id == variant ? &*at : nullptr;
}

std::optional<EnergyFigure> at_board_input(const std::optional<EnergyFigure>& energy,
                                           const ScopeConversion& conversion) {
  if (!energy.has_value()) {
    return std::nullopt;
  }
  if (conversion.from.has_value() && *conversion.from != energy->scope) {
    // What was measured at the board's input needs no conversion; what was elsewhere has none.
    return energy->scope == PowerScope::BoardInput ? energy : std::nullopt;
  }
  EnergyFigure converted = *energy;
  for (Microjoules* value : {&converted.value, &converted.low, &converted.high}) {
    *value = *value * conversion.factor_permille / 1000;
  }
  converted.scope = PowerScope::BoardInput;
  return converted;
}

void drop_absent_slowdowns(std::vector<Processor>& processors) {
  const auto absent = [&processors](const Slowdown& slowdown) {
    return std::none_of(processors.begin(), processors.end(),
                        [&](const Processor& other) { return other.id == slowdown.by; });
  };
  for (Processor& processor : processors) {
    std::erase_if(processor.slowed_by, absent);
  }
}

int dispatches_max(const DeviceFacts& facts) {
  int dispatches = 0;
  for (const Processor& processor : facts.processors) {
    dispatches += kInFlightBatchesMax * processor.batch_max;
  }
  return dispatches;
}

bool valid_device_id(std::string_view id) {
  return !id.empty() && id.size() <= kDeviceIdMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Result<void> validate(const DeviceFacts& facts) {
  if (!valid_device_id(facts.id)) {
    return fail(ErrorCode::InvalidArgument, "hello: device id is not [a-z0-9-]{1,63}");
  }
  if (facts.variants.size() > kVariantsMax || facts.processors.size() > kProcessorsMax) {
    return bad(facts, "more than 256 variants or 32 processors");
  }
  if (facts.to_board_input.factor_permille < 100 || facts.to_board_input.factor_permille > 10'000) {
    return bad(facts, "the factor to the board's input must be 0.1 to 10");
  }
  if (facts.idle.value_or(Milliwatts{0}) < Milliwatts{0} ||
      facts.power_max.value_or(Milliwatts{0}) < Milliwatts{0}) {
    return bad(facts, "idle power and watt limit must not be negative");
  }
  if (facts.battery_permille_min < 0 || facts.battery_permille_min > 1000) {
    return bad(facts, "the least charge of its battery must be 0 to 1000 permille");
  }
  if (!strictly_ascending(facts.variants, [](const Variant& v) { return v.id; }) ||
      !strictly_ascending(facts.processors, [](const Processor& p) { return p.id; })) {
    return bad(facts, "variants and processors must be sorted by id, one each");
  }
  for (const Variant& variant : facts.variants) {
    if (variant.id.empty() || variant.id.size() > 128 || variant.accuracy < MilliPercent{0} ||
        variant.accuracy > MilliPercent{100'000}) {
      return bad(facts, "variant '" + variant.id + "': id of 1 to 128 bytes, accuracy 0 to 100 %");
    }
  }
  for (const Processor& processor : facts.processors) {
    if (Result<void> ok = check_processor(facts, processor); !ok) {
      return ok;
    }
  }
  return {};
}

std::string_view to_string(ProcessorKind kind) { return name_of(kKinds, kind); }
std::optional<ProcessorKind> parse_processor_kind(std::string_view name) {
  return value_of(kKinds, name);
}

}  // namespace juggler
