#include "core/rng.h"

#include <gtest/gtest.h>

namespace juggler {
namespace {

// Source: an independent Python transcription of splitmix64.c and xoshiro256starstar.c.
TEST(Rng, Seed0_GivesTheKnownSequence) {
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x99ec5f36cb75f2b4ULL);
  EXPECT_EQ(rng.next(), 0xbf6e1f784956452aULL);
  EXPECT_EQ(rng.next(), 0x1a5f849d4933e6e0ULL);
  EXPECT_EQ(rng.next(), 0x6aa594f1262d2d2cULL);
}

TEST(Rng, Seed42_GivesTheKnownSequence) {
  Rng rng(42);
  EXPECT_EQ(rng.next(), 0x15780b2e0c2ec716ULL);
  EXPECT_EQ(rng.next(), 0x6104d9866d113a7eULL);
  EXPECT_EQ(rng.next(), 0xae17533239e499a1ULL);
  EXPECT_EQ(rng.next(), 0xecb8ad4703b360a1ULL);
}

TEST(Rng, SameSeed_SameSequence) {
  Rng a(7);
  Rng b(7);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(a.next(), b.next());
  }
}

TEST(Rng, Below_StaysBelow) {
  Rng rng(1);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LT(rng.below(7), 7U);
  }
}

TEST(Rng, BelowOne_IsZero) {
  Rng rng(1);
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(Rng, Below_EveryValueEquallyLikely) {
  Rng rng(1);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i) {
    counts[rng.below(6)] += 1;
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 10'000, 400);  // more than four standard deviations
  }
}

}  // namespace
}  // namespace juggler
