#pragma once
// A random generator whose sequence is the same on every compiler and machine, which those of
// <random> are not. One per concern, all derived from one seed.

#include <array>
#include <cstdint>

namespace juggler {

// xoshiro256**, seeded by SplitMix64. Source: Blackman and Vigna, prng.di.unimi.it.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31U);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // A number in [0, bound), each equally likely. requires bound > 0
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t unbiased_max = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = next();
    while (value >= unbiased_max) {
      value = next();
    }
    return value % bound;
  }

 private:
  friend struct StateAccess;  // wire/state_fields_fleet.h: what a checkpoint keeps
  static std::uint64_t rotate(std::uint64_t x, unsigned k) { return (x << k) | (x >> (64U - k)); }

  std::array<std::uint64_t, 4> state_{};
};

// About normal: twelve uniform numbers have a variance of one. In integers, so that every machine
// draws the same.
inline std::int64_t about_normal(Rng& rng, std::int64_t deviation) {
  std::int64_t sum = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t bits = rng.next();
    for (unsigned part = 0; part < 4; ++part) {
      sum += static_cast<std::int64_t>((bits >> (part * 16U)) & 0xffffU);
    }
  }
  return (sum - std::int64_t{12} * 32'767) * deviation / 65'536;
}

}  // namespace juggler
