#include "core/link.h"

#include <bit>
#include <cmath>

#include "core/rounding.h"

namespace juggler {
namespace {

constexpr Micros kTookMax = seconds(60);
// A result weighs as much as the time since the one before it has of a second, and an eighth at
// most: those that one lost packet held up together are one event, however many they are.
constexpr Micros kRemembered = seconds(1);
constexpr std::int64_t kPartMost = 8;
// One sample alone says little: it counts as so many deviations away at most, and a little. Where
// all of them lie there, the deviation soon follows.
constexpr std::int64_t kFarthest = 3;
constexpr Micros kHiccup = milliseconds(1);
constexpr Micros kFarMax = seconds(5);
// Speeds are compared over 32 results: by how far these lie from what one in five takes less
// than. What holds a result up says nothing of the link, but nothing makes one faster, so that
// below it counts four times. Another speed is believed when they lie nearer to it by an eighth,
// or where this one says that results came before their tasks were sent.
constexpr int kComparedBits = 5;
constexpr std::int64_t kComparedMin = 4;
constexpr std::int64_t kBelowCounts = 4;
constexpr std::int64_t kBetterPart = 8;
// So far off at most: a lost packet holds results up for longer than a slow link does, and would
// speak for the slowest.
constexpr Micros kMissMost = milliseconds(50);
// That figure follows in small steps, of so much at least, or it would take a queue for a longer
// way.
constexpr Micros kStepMin{20};

// What a link cannot carry yet waits in the controller, where it can be overtaken. So long before
// the link is free the next batch goes out: what a dispatch takes until it is on the link.
constexpr Micros kSentAhead = milliseconds(5);
// Whether a link is faster than believed shows only when more is sent than it is believed to
// carry: as much as a link would carry that is faster by so many speeds, a sixth, until what is
// too much would take so long (as BBR probes for bandwidth: Cardwell et al., ACM Queue 14(5),
// 2016).
constexpr std::size_t kProbedFaster = 2;
constexpr Micros kStanding = milliseconds(50);

// What held results up passes, most of all when nothing more is sent there: without a result, mean
// and deviation go back to what the way takes when nothing is on it, by so much at a time.
constexpr std::int64_t kStepPart = 4;
// The least time follows a way that has become longer, over so long.
constexpr Micros kLeastRemembered = seconds(10);

// The first has no limit: on a link faster than 125 Mbit/s what a picture takes is less than what
// varies anyhow, and stays a part of the round trip. The others, eight to a factor of two, reach
// down to 125 kbit/s.
constexpr std::array<std::int64_t, kLinkSpeeds> ns_per_byte() {
  // 64 ns times 2 to the 0, 1/8, 2/8 and so on
  constexpr std::array<std::int64_t, 8> kEighths{64, 70, 76, 83, 91, 99, 108, 117};
  std::array<std::int64_t, kLinkSpeeds> each{};
  for (std::size_t i = 1; i < kLinkSpeeds; ++i) {
    each[i] = kEighths[(i - 1) % 8] << ((i - 1) / 8);
  }
  return each;
}
constexpr std::array<std::int64_t, kLinkSpeeds> kNsPerByte = ns_per_byte();

}  // namespace

void LinkLearning::believe() {
  const Speed& speed = speeds_[chosen_];
  believed_.round_trip = {std::max<std::int64_t>(speed.mean_ns, 0) / 1000};
  if (results_ == 0) {
    believed_.round_trip = kNetworkDefault;
  }
  believed_.spread = speed.spread();
  believed_.pace = {kNsPerByte[chosen_]};
  believed_.free_at = speed.free_at;
  set_next();
}

void LinkLearning::Speed::add(Micros round_trip, Micros since, bool first, int compared_bits) {
  const std::int64_t round_trip_ns = round_trip.count * 1000;
  if (first) {
    mean_ns = least_ns = round_trip_ns;
    fast_us = round_trip.count;
    return;
  }
  const std::int64_t step = std::max(misses_us >> compared_bits, kStepMin.count);
  const std::int64_t off_us = round_trip.count - fast_us;
  std::int64_t miss_us = std::min(off_us, kMissMost.count);
  if (off_us < 0) {
    miss_us = std::min(-off_us, kMissMost.count) * kBelowCounts;
    fast_us -= std::min(step * kBelowCounts, -off_us);
  } else {
    fast_us += std::min(step, off_us);
  }
  misses_us += (miss_us - misses_us) >> compared_bits;

  const auto share = [since](std::int64_t of, Micros all) { return of * since.count / all.count; };
  std::int64_t counts_us = (round_trip_ns - mean_ns) / 1000;
  if (counts_us > kHiccup.count || counts_us < -kHiccup.count) {  // or there is nothing to limit
    const std::int64_t far_us = std::min(spread() * kFarthest, kFarMax).count + kHiccup.count;
    counts_us = std::clamp(counts_us, -far_us, far_us);
  }
  mean_ns += share(counts_us * 1000, kRemembered);
  variance_us2 += share(counts_us * counts_us - variance_us2, kRemembered);
  least_ns = std::min(least_ns + share(round_trip_ns - least_ns, kLeastRemembered), round_trip_ns);
}

// The square root of IEEE 754 is exact on every machine.
Micros LinkLearning::Speed::spread() const {
  return {rounded(std::sqrt(static_cast<double>(variance_us2)))};
}

void LinkLearning::set_next() {
  const std::size_t faster = chosen_ - std::min(chosen_, kProbedFaster);
  believed_.next_at =
      std::max(speeds_[chosen_].free_at - kStanding, speeds_[faster].free_at - kSentAhead);
}

LinkDelays LinkLearning::send(Bytes size, Time now) {
  LinkDelays delays{};
  const Bytes counted = std::min(size, mebibytes(64));
  for (std::size_t i = 1; i < kLinkSpeeds; ++i) {
    Time& free_at = speeds_[i].free_at;
    const Time through = std::max(free_at, now) + Pace{kNsPerByte[i]}.transfer(counted.count);
    free_at = std::min(through, now + kTookMax);
    delays[i] = static_cast<std::int32_t>((free_at - now).count);
  }
  believed_.free_at = speeds_[chosen_].free_at;
  set_next();
  return delays;
}

void LinkLearning::add(Micros took, const LinkDelays& delays, Time now) {
  took = std::clamp(took, Micros{0}, kTookMax);
  const Micros since = std::min(now - confirmed_, kRemembered / kPartMost);
  // A shift, since a division here costs more than all else.
  const auto results_bits =
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(results_))) - 1;
  const int compared_bits = std::clamp(results_bits, 0, kComparedBits);
  for (std::size_t i = 0; i < kLinkSpeeds; ++i) {
    speeds_[i].add({took.count - delays[i]}, since, results_ == 0, compared_bits);
  }
  results_ += 1;
  confirmed_ = now;
  if (results_ > kComparedMin) {
    choose();
  }
  believe();
}

void LinkLearning::choose() {
  const auto possible = [](const Speed& speed) {
    return speed.mean_ns >= -kHiccup.count * 1000;
  };
  std::size_t best = 0;  // without a limit nothing is impossible
  for (std::size_t i = 1; i < kLinkSpeeds; ++i) {
    if (possible(speeds_[i]) && speeds_[i].misses_us < speeds_[best].misses_us) {
      best = i;
    }
  }
  const Speed& now = speeds_[chosen_];
  if (!possible(now) || speeds_[best].misses_us < now.misses_us - now.misses_us / kBetterPart) {
    chosen_ = best;
  }
}

bool LinkLearning::fades(Time now) const {
  if (results_ == 0 || now - confirmed_ < kRemembered) {
    return false;
  }
  LinkLearning faded = *this;
  faded.step_back();
  return faded.believed_.round_trip != believed_.round_trip ||
         faded.believed_.spread != believed_.spread;
}

void LinkLearning::fade(Time now) {
  if (fades(now)) {
    step_back();
  }
}

void LinkLearning::step_back() {
  for (Speed& speed : speeds_) {
    speed.mean_ns += (std::max<std::int64_t>(speed.least_ns, 0) - speed.mean_ns) / kStepPart;
    speed.variance_us2 -= speed.variance_us2 / kStepPart;
  }
  believe();
}

}  // namespace juggler
