#pragma once
// Random numbers of the shapes that scenarios need, from the project's generator. The distributions
// of <random> differ between libraries: these use none, nor std::log and std::exp
// (core/portable_math.h), so that a seed means the same run on every compiler and machine.

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "core/rng.h"

namespace juggler {

// A generator of its own for each concern, derived from the one seed of a run and the concern's
// names, e.g. {"arrivals", class, "gaps"}: a change of one leaves the others as they were.
Rng stream_rng(std::uint64_t seed, std::initializer_list<std::string_view> names);

double draw_uniform(Rng& rng);      // in (0, 1)
double draw_exponential(Rng& rng);  // mean 1
double draw_normal(Rng& rng);       // mean 0, standard deviation 1; by the polar method

// Scale 1, so its mean is `shape`. By Marsaglia and Tsang (ACM TOMS 26, 2000); below shape 1 from
// shape + 1 times a power of a uniform number.
double draw_gamma(Rng& rng, double shape);

// The quantile at `u` of a factor whose logarithm has a triangular density from ln(low) over 0 to
// ln(high): 1 is the most likely, and the ends are never passed. Several figures at one `u` are
// wrong together.
//
// requires  0 < u < 1, 0 < low <= 1 <= high
double log_triangular(double u, double low, double high);

}  // namespace juggler
