#include "sim/fleet.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/portable_math.h"
#include "files/nearest_name.h"
#include "sim/samplers.h"

namespace juggler {
namespace {

// Load times are assumed and may be off by this factor (docs/profiles.md).
constexpr double kLoadFactor = 3.0;

std::int64_t scaled(std::int64_t count, double factor) {
  return std::llround(static_cast<double>(count) * factor);
}

bool wanted(const Variant& variant, const std::vector<std::string>& names) {
  return names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
           return answers(variant, name);
         });
}

// A name that serves nothing is most likely a slip.
Result<void> check_choice(const BoardProfile& board, const VariantTable& table,
                          const BoardChoice& choice) {
  std::vector<std::string> processors;
  std::vector<std::string> variants;
  for (const Processor& processor : board.processors) {
    processors.push_back(processor.id);
    for (const Profile& profile : processor.profiles) {
      variants.push_back(profile.variant);
    }
  }
  std::sort(variants.begin(), variants.end());
  variants.erase(std::unique(variants.begin(), variants.end()), variants.end());
  for (const std::string& name : choice.processors) {
    if (std::find(processors.begin(), processors.end(), name) == processors.end()) {
      return fail(ErrorCode::InvalidArgument, "board '" + board.board + "' has no processor '" +
                                                  name + "'. " + suggestion(name, processors));
    }
  }
  for (const std::string& name : choice.variants) {
    const bool serves = std::any_of(variants.begin(), variants.end(), [&](const std::string& id) {
      const Variant* variant = table.find(id);
      return variant != nullptr && answers(*variant, name);
    });
    if (!serves) {
      return fail(ErrorCode::InvalidArgument, "board '" + board.board + "' has no variant '" +
                                                  name + "'. " + suggestion(name, variants));
    }
  }
  return {};
}

void insert(std::vector<Variant>& variants, const Variant& variant) {
  const auto at = std::lower_bound(variants.begin(), variants.end(), variant.id,
                                   [](const Variant& v, const auto& id) { return v.id < id; });
  if (at == variants.end() || at->id != variant.id) {
    variants.insert(at, variant);
  }
}

// How far a figure may be off, below and above, as factors.
struct Spread {
  double low = 1.0;
  double high = 1.0;
};

Spread spread_of(std::int64_t low, std::int64_t value, std::int64_t high) {
  if (low <= 0 || value <= 0 || high <= 0) {
    return {};
  }
  const auto figure = static_cast<double>(value);
  return {std::min(1.0, static_cast<double>(low) / figure),
          std::max(1.0, static_cast<double>(high) / figure)};
}

// The spread of a power, from those of an energy and of the time that it was computed with: errors
// add in quadrature of their logarithms (docs/profiles.md). Nothing where the energy is known
// better than the time: then it was not computed from it.
std::optional<Spread> power_spread(Spread energy, Spread time) {
  const auto side = [](double e, double t) {
    const double squares = portable_ln(e) * portable_ln(e) - portable_ln(t) * portable_ln(t);
    return squares < 0.0 ? -1.0 : std::sqrt(squares);
  };
  const double below = side(energy.low, time.low);
  const double above = side(energy.high, time.high);
  if (below < 0.0 || above < 0.0) {
    return std::nullopt;
  }
  return Spread{portable_exp(-below), portable_exp(above)};
}

// The draws of one profile, as positions in its intervals.
struct Positions {
  double time = 0.5;
  double power = 0.5;
};

void draw_point(ProfilePoint& point, const MicrosInterval& interval, Positions at) {
  const Spread time = spread_of(interval.low.count, point.latency_mean.count, interval.high.count);
  const double slower = log_triangular(at.time, time.low, time.high);
  if (point.energy.has_value() && point.energy->evidence != Evidence::Measured) {
    EnergyFigure& energy = *point.energy;
    const Spread spread = spread_of(energy.low.count, energy.value.count, energy.high.count);
    const std::optional<Spread> power = power_spread(spread, time);
    const double factor = power.has_value()
                              ? slower * log_triangular(at.power, power->low, power->high)
                              : log_triangular(at.power, spread.low, spread.high);
    energy.value = {
        std::clamp(scaled(energy.value.count, factor), energy.low.count, energy.high.count)};
    energy.low = energy.value;
    energy.high = energy.value;
  }
  point.latency_mean = {std::max<std::int64_t>(1, scaled(point.latency_mean.count, slower))};
  point.latency_p95 = {std::max(point.latency_mean.count, scaled(point.latency_p95.count, slower))};
}

void slow_down(DeviceFacts& facts, double factor) {
  for (Processor& processor : facts.processors) {
    for (Profile& profile : processor.profiles) {
      for (ProfilePoint& point : profile.points) {
        point.latency_mean = {std::max<std::int64_t>(1, scaled(point.latency_mean.count, factor))};
        point.latency_p95 = {
            std::max(point.latency_mean.count, scaled(point.latency_p95.count, factor))};
        if (point.energy.has_value()) {
          EnergyFigure& energy = *point.energy;
          energy.value = {scaled(energy.value.count, factor)};
          energy.low = {scaled(energy.low.count, factor)};
          energy.high = {scaled(energy.high.count, factor)};
        }
      }
    }
  }
}

}  // namespace

Result<ScenarioDevice> device_of(const BoardProfile& board, const VariantTable& variants,
                                 const BoardChoice& choice) {
  if (board.processors.empty() || board.memory == Bytes{0}) {
    return fail(ErrorCode::InvalidArgument,
                "the profile of board '" + board.board + "' has no processor or no memory");
  }
  if (Result<void> ok = check_choice(board, variants, choice); !ok) {
    return ok.error();
  }
  ScenarioDevice device;
  DeviceFacts& facts = device.announced;
  facts.board = board.board;
  facts.title = board.title;
  facts.twin = true;
  facts.incarnation = 1;
  facts.memory = board.memory;
  facts.idle = board.idle;
  facts.to_board_input = board.to_board_input;
  device.curves = board.curves;
  device.intervals = board.intervals;
  device.intervals.latency.clear();
  for (std::size_t p = 0; p < board.processors.size(); ++p) {
    Processor processor = board.processors[p];
    const std::vector<std::string>& chosen = choice.processors;
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), processor.id) == chosen.end()) {
      continue;
    }
    processor.profiles.clear();
    std::vector<std::vector<MicrosInterval>> latency;
    for (std::size_t i = 0; i < board.processors[p].profiles.size(); ++i) {
      const Profile& profile = board.processors[p].profiles[i];
      const Variant* variant = variants.find(profile.variant);
      if (variant != nullptr && wanted(*variant, choice.variants)) {
        processor.profiles.push_back(profile);
        latency.push_back(board.intervals.latency[p][i]);
        insert(facts.variants, *variant);
      }
    }
    if (!processor.profiles.empty()) {
      facts.processors.push_back(std::move(processor));
      device.intervals.latency.push_back(std::move(latency));
    }
  }
  drop_absent_slowdowns(facts.processors);
  if (facts.processors.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "nothing of board '" + board.board + "' is left by these variants and processors");
  }
  device.truth = facts;
  return device;
}

DeviceFacts draw_facts(const DeviceFacts& announced, const FactsIntervals& intervals,
                       std::uint64_t seed) {
  JUGGLER_CHECK(intervals.latency.size() == announced.processors.size(),
                "intervals that are not of these facts");
  const auto position = [&](std::string_view processor, std::string_view what) {
    Rng rng = stream_rng(seed, {"fleet", announced.board, processor, what});
    return draw_uniform(rng);
  };
  DeviceFacts facts = announced;
  for (std::size_t p = 0; p < facts.processors.size(); ++p) {
    Processor& processor = facts.processors[p];
    const double power = position(processor.id, "power");
    const double load =
        log_triangular(position(processor.id, "load"), 1.0 / kLoadFactor, kLoadFactor);
    for (std::size_t i = 0; i < processor.profiles.size(); ++i) {
      Profile& profile = processor.profiles[i];
      if (profile.evidence == Evidence::Measured) {
        continue;
      }
      const double time = position(processor.id, "time of " + profile.variant);
      profile.load = {scaled(profile.load.count, load)};
      for (std::size_t k = 0; k < profile.points.size(); ++k) {
        draw_point(profile.points[k], intervals.latency[p][i][k], {time, power});
      }
    }
  }
  if (facts.idle.has_value()) {
    const Spread spread =
        spread_of(intervals.idle_low.count, facts.idle->count, intervals.idle_high.count);
    facts.idle = Milliwatts{
        scaled(facts.idle->count, log_triangular(position("", "idle"), spread.low, spread.high))};
  }
  const Spread spread =
      spread_of(intervals.to_board_input_low_permille, facts.to_board_input.factor_permille,
                intervals.to_board_input_high_permille);
  facts.to_board_input.factor_permille =
      scaled(facts.to_board_input.factor_permille,
             log_triangular(position("", "to board input"), spread.low, spread.high));
  return facts;
}

void settle_truth(Scenario& scenario) {
  for (ScenarioDevice& device : scenario.devices) {
    device.truth = scenario.drawn ? draw_facts(device.announced, device.intervals, scenario.seed)
                                  : device.announced;
    if (device.slower != 1.0) {
      slow_down(device.truth, device.slower);
    }
  }
}

}  // namespace juggler
