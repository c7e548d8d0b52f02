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

  if (!exact.has_value()) {
    return;  // a bound may exist or not: there is nothing to compare it with
  }
  RC_ASSERT(bound.has_value());
  RC_ASSERT(bound->fluid_uj <= bound->energy_uj);
  RC_ASSERT(bound->energy_uj <= *exact);
}

}  // namespace
}  // namespace juggler
