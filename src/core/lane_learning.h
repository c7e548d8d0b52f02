#pragma once
// What is known of one processor beside its profiles: how much slower it really is, how much its
// times scatter, how full its batches become, which variants are loaded there.

#include <cstdint>
#include <vector>

#include "core/units.h"

namespace juggler {

struct ProfileLearned {
  std::int64_t residual_permille = 1000;  // of this variant, beside the processor's factor
  std::int64_t spread_permille = 0;       // standard deviation over mean, as measured
  // Tasks that joined its batches, and tasks that came to the controller while they could be
  // joined: moving means, in thousandths of a task.
  std::int64_t joined_permille = 1000;
  std::int64_t came_permille = 1000;
  std::int64_t samples = 0;
  bool loaded = false;   // there, or being loaded
  bool stopped = false;  // the device says that it cannot run it there now
  Time confirmed;        // by the last result

  // How many of the tasks that come join an open batch of it.
  std::int64_t fill_permille() const { return joined_permille * 1000 / came_permille; }

  friend bool operator==(const ProfileLearned&, const ProfileLearned&) = default;
};

// Two factors: one that all variants of the processor share (it throttles, somebody else computes
// there), so that one variant's result corrects the others, and a slower one for each variant (its
// profile is off). Values of one decision are kept by others: replaced, never changed in place.
struct LaneLearned {
  std::int64_t factor_permille = 1000;
  std::int64_t surprises = 0;  // results in a row far off on one side; negative: too early
  std::vector<ProfileLearned> profiles;

  explicit LaneLearned(std::size_t profile_count = 0) : profiles(profile_count) {}

  // Measured over predicted time of this profile, in permille.
  std::int64_t correction(std::size_t profile) const {
    return factor_permille * profiles[profile].residual_permille / 1000;
  }

  // Learns from one batch: what the profile says and what was measured.
  //
  // An eighth of each sample counts, and no more than a factor of ten either way; after three
  // surprises in a row half of it, so that a device which throttles is believed within a few
  // results while one odd result moves little.
  void add_time(std::size_t profile, Micros predicted, Micros measured, Time now);
  // Heat, current or a weak supply hold its clocks down from now on: it is expected to be slower by
  // a quarter until results say by how much; one that is much slower still counts for half.
  void expect_slower();
  // A batch went out that so many had joined, of so many that came while it could be joined.
  void add_batch(std::size_t profile, std::int64_t joined, std::int64_t came);
  // What no result has confirmed for so long goes a step back to the profile: each variant's own,
  // and what all share once no variant of the processor has had a result. What was learned can keep
  // every task away, and then no result would ever correct it.
  void fade(Time now, Micros after);
  // Whether that changes anything.
  bool fades(Time now, Micros after) const;

  friend bool operator==(const LaneLearned&, const LaneLearned&) = default;
};

}  // namespace juggler
