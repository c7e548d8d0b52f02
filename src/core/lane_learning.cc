#include "core/lane_learning.h"

#include <algorithm>
#include <cstdlib>

namespace juggler {
namespace {

constexpr std::int64_t kFactorMin = 100;
constexpr std::int64_t kFactorMax = 10'000;
constexpr std::int64_t kSurprise = 250;     // permille off
constexpr std::int64_t kScatterMax = 1000;  // permille that one result can say of the scatter
constexpr std::int64_t kSurprisesMax = 3;   // in a row, then results count for more
constexpr std::int64_t kBatchesRemembered = 16;
// Nobody has measured how much slower boards are when they throttle: a guess, for the few results
// until it is known.
constexpr std::int64_t kThrottledPermille = 1250;

// A step back to the profile.
std::int64_t faded(std::int64_t permille, std::int64_t target) {
  return permille + (target - permille) / 8;
}

ProfileLearned faded(ProfileLearned learned) {
  learned.residual_permille = faded(learned.residual_permille, 1000);
  learned.spread_permille -= learned.spread_permille / 8;
  learned.joined_permille = faded(learned.joined_permille, 1000);
  learned.came_permille = faded(learned.came_permille, 1000);
  return learned;
}

std::int64_t bounded(std::int64_t permille) { return std::clamp(permille, kFactorMin, kFactorMax); }

}  // namespace

void LaneLearned::add_time(std::size_t profile, Micros predicted, Micros measured, Time now) {
  ProfileLearned& learned = profiles[profile];
  const std::int64_t sample =
      bounded(measured.count * 1000 / std::max<std::int64_t>(predicted.count, 1));
  const std::int64_t off = sample * 1000 / std::max<std::int64_t>(correction(profile), 1) - 1000;
  if (std::abs(off) < kSurprise) {
    surprises = 0;
  } else if ((off > 0) == (surprises > 0)) {
    surprises += off > 0 ? 1 : -1;
  } else {
    surprises = off > 0 ? 1 : -1;
  }
  const bool believe = std::abs(surprises) >= kSurprisesMax;
  factor_permille = bounded(factor_permille + factor_permille * off / 1000 / (believe ? 2 : 8));
  learned.residual_permille =
      bounded(learned.residual_permille + learned.residual_permille * off / 1000 / 32);
  // A surprise that is being learned is no scatter, and one odd result is not much of it.
  if (!believe) {
    const std::int64_t scatter = std::min(std::abs(off), kScatterMax) * 5 / 4;
    learned.spread_permille += (scatter - learned.spread_permille) / 16;
  }
  learned.samples += 1;
  learned.confirmed = now;
}

void LaneLearned::expect_slower() {
  factor_permille = bounded(factor_permille * kThrottledPermille / 1000);
  surprises = kSurprisesMax - 1;  // the next one that is slow too is the third in a row
}

void LaneLearned::add_batch(std::size_t profile, std::int64_t joined, std::int64_t came) {
  ProfileLearned& learned = profiles[profile];
  came = std::max(came, joined);
  learned.joined_permille += (joined * 1000 - learned.joined_permille) / kBatchesRemembered;
  learned.came_permille += (came * 1000 - learned.came_permille) / kBatchesRemembered;
  learned.came_permille =
      std::max<std::int64_t>({learned.came_permille, learned.joined_permille, 1});
}

void LaneLearned::fade(Time now, Micros after) {
  bool all = true;
  for (ProfileLearned& learned : profiles) {
    if (now - learned.confirmed < after) {
      all = false;
      continue;
    }
    learned = faded(learned);
  }
  if (all) {
    factor_permille = faded(factor_permille, 1000);
    surprises = 0;
  }
}

bool LaneLearned::fades(Time now, Micros after) const {
  bool all = true;
  for (const ProfileLearned& learned : profiles) {
    if (now - learned.confirmed < after) {
      all = false;
    } else if (learned != faded(learned)) {
      return true;
    }
  }
  return all && (surprises != 0 || factor_permille != faded(factor_permille, 1000));
}

}  // namespace juggler
