#include "core/prices.h"

#include <algorithm>

namespace juggler {
namespace {

// So much of a processor's time may be asked for before its price rises for good: the rest is for
// chance.
constexpr std::int64_t kBusyPermille = 950;
// At a debt of so much time, or of so many tasks' asks where these are longer, the price is twice
// the power that computing takes. It grows with the debt, and with the square of a large one: small
// debts come and go by chance, and what more is asked of than it can do has to become dear enough
// soon. From 50 to 200 ms the simulated fleets differed less than their seeds. With a price that
// only grew in proportion, an overload of 20 % took half a minute to be answered by its price.
constexpr Micros kDebtUnit = milliseconds(100);
constexpr std::int64_t kDebtUnitAsks = 10;
constexpr std::int64_t kScarcePermille = 10'000;
// Where no energy is known: about what a small board takes above idle.
constexpr std::int64_t kUsualPowerMw = 5'000;
// Bounds that no real device reaches; they keep products of prices and times within 64 bits.
constexpr std::int64_t kPowerMaxMw = 1'000'000;
constexpr Micros kDebtMax = seconds(60);
constexpr std::int64_t kPriceMaxMw = 500'000'000;

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
  asks_.add(time.count);
  add(time, now);
}

void ShadowPrice::add(Micros time, Time now) {
  debt_ = std::min(debt(now) + time, kDebtMax);
  at_ = now;
}

std::int64_t ShadowPrice::powers_permille(Time now) const {
  const Micros unit = std::max(kDebtUnit, Micros{asks_.mean()} * kDebtUnitAsks);
  const std::int64_t units_permille = debt(now).count * 1000 / unit.count;
  return units_permille * (1000 + units_permille) / 1000;
}

std::int64_t ShadowPrice::mw(Time now) const {
  return std::min(power_mw_ * powers_permille(now) / 1000, kPriceMaxMw);
}

bool ShadowPrice::scarce(Time now) const { return powers_permille(now) > kScarcePermille; }

}  // namespace juggler
