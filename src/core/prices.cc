#include "core/prices.h"

#include <algorithm>

namespace juggler {
namespace {

// So much of a processor's time may be asked for before its price rises for good: the rest is for
// chance.
constexpr std::int64_t kBusyPermille = 950;
// At a debt of so much time it costs twice the energy to compute there. Less follows demand
// sooner, more is steadier; from 50 to 200 ms the simulated fleets differed less than their seeds.
constexpr Micros kDebtUnit = milliseconds(100);
// Where no energy is known: about what a small board takes above idle.
constexpr std::int64_t kUsualPowerMw = 5'000;
// Bounds that no real device reaches; they keep products of prices and times within 64 bits.
constexpr std::int64_t kPowerMaxMw = 1'000'000;
constexpr Micros kDebtMax = seconds(60);

}  // namespace

void ShadowPrice::set_scale(const LaneCosts& costs) {
  power_mw_ = 0;
  for (const ProfileCosts& profile : costs) {
    const BatchCost& full = profile.by_tasks.back();
    if (full.energy.has_value() && full.mean > Micros{0}) {
      power_mw_ = std::max(power_mw_, full.energy->count * 1000 / full.mean.count);
    }
  }
  power_mw_ = power_mw_ == 0 ? kUsualPowerMw : std::min(power_mw_, kPowerMaxMw);
}

Micros ShadowPrice::debt(Time now) const {
  return std::max(debt_ - (now - at_) * kBusyPermille / 1000, Micros{0});
}

void ShadowPrice::ask(Micros time, Time now) {
  debt_ = std::min(debt(now) + time, kDebtMax);
  at_ = now;
}

std::int64_t ShadowPrice::mw(Time now) const {
  return power_mw_ * debt(now).count / kDebtUnit.count;
}

}  // namespace juggler
