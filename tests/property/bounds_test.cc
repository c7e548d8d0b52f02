// Random small fleets and demands: no bound is above what an exact schedule takes, and each bound
// is at least the weaker one.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bounds/exact.h"
#include "bounds/fluid.h"
#include "bounds/hindsight.h"
#include "support/bounds_instances.h"

namespace juggler {
namespace {

using bounds::exact_energy;
using bounds::hindsight_energy;
using test::small_instance;
using test::SmallInstance;

RC_GTEST_PROP(Bounds, FluidAtMostHindsightAtMostExact, (std::uint64_t seed, bool drops)) {
  Rng rng(seed);
  const SmallInstance instance = small_instance(rng, 7);
  const auto groups = instance.groups();
  const double drop_share = drops ? 0.3 : 0.0;

  const auto exact = exact_energy(groups, instance.demands, instance.arrivals, drop_share);
  const auto bound = hindsight_energy(groups, instance.demands, instance.arrivals,
                                      {.drop_share = drop_share, .slots_per_deadline = 10});

  RC_PRE(exact.has_value());  // else there is nothing to compare a bound with
  RC_ASSERT(bound.has_value());
  RC_ASSERT(bound->fluid_uj <= bound->energy_uj);
  RC_ASSERT(bound->energy_uj <= *exact);
}

RC_GTEST_PROP(Bounds, MoreDevicesNeverLowerCapacityNorRaiseEnergy, (std::uint64_t seed)) {
  Rng rng(seed);
  SmallInstance instance = small_instance(rng, 2);
  for (bounds::Demand& demand : instance.demands) {
    demand.rate_hz = static_cast<double>(test::between(rng, 1, 40));
  }
  const auto before = bounds::fluid_capacity(instance.groups(), instance.demands);
  const auto energy_before = bounds::fluid_energy(instance.groups(), instance.demands);
  instance.counts.front() += 1;

  const auto after = bounds::fluid_capacity(instance.groups(), instance.demands);
  const auto energy_after = bounds::fluid_energy(instance.groups(), instance.demands);

  RC_ASSERT(before.has_value() && after.has_value());
  RC_ASSERT(after->scale_ppm >= before->scale_ppm - 1);
  // Exactly the demands within the capacity can be served.
  RC_ASSERT(energy_before.has_value() || before->scale_ppm <= 1'000'001);
  RC_ASSERT(!energy_before.has_value() || before->scale_ppm >= 999'999);
  if (energy_before.has_value()) {
    RC_ASSERT(energy_after.has_value());
    RC_ASSERT(energy_after->power_uw <= energy_before->power_uw + 1);
  }
}

RC_GTEST_PROP(Bounds, HigherFloorNeverLowersEnergy, (std::uint64_t seed)) {
  Rng rng(seed);
  SmallInstance instance = small_instance(rng, 2);
  for (bounds::Demand& demand : instance.demands) {
    demand.rate_hz = static_cast<double>(test::between(rng, 1, 20));
  }
  const auto before = bounds::fluid_energy(instance.groups(), instance.demands);
  instance.demands.front().requirements.min_accuracy = MilliPercent{75'000};

  const auto after = bounds::fluid_energy(instance.groups(), instance.demands);

  RC_PRE(after.has_value());
  RC_ASSERT(before.has_value());
  RC_ASSERT(after->power_uw >= before->power_uw - 1);
}

}  // namespace
}  // namespace juggler
