// A twin's memory: what goes first, and what is refused.

#include "core/loaded_variants.h"

#include <gtest/gtest.h>

namespace juggler {
namespace {

TEST(LoadedVariants, LeastRecentlyUsedOfItsOwnProcessor_GoesFirst) {
  LoadedVariants memory(Bytes{100});
  std::vector<std::string> gone;
  ASSERT_TRUE(memory.load("gpu0", "a", Bytes{40}, gone));
  ASSERT_TRUE(memory.load("cpu0", "c", Bytes{20}, gone));
  ASSERT_TRUE(memory.load("gpu0", "b", Bytes{40}, gone));
  memory.used("gpu0", "a");
  ASSERT_TRUE(memory.load("gpu0", "d", Bytes{30}, gone));
  EXPECT_EQ(gone, std::vector<std::string>{"b"});
  EXPECT_TRUE(memory.contains("cpu0", "c")) << "another processor's is left alone";
}

TEST(LoadedVariants, WhatDoesNotFitBesideOtherProcessors_IsRefusedAndNothingUnloadedForIt) {
  LoadedVariants memory(Bytes{100});
  std::vector<std::string> gone;
  ASSERT_TRUE(memory.load("cpu0", "c", Bytes{60}, gone));
  ASSERT_TRUE(memory.load("gpu0", "a", Bytes{30}, gone));
  EXPECT_FALSE(memory.load("gpu0", "huge", Bytes{50}, gone));
  EXPECT_TRUE(gone.empty());
  EXPECT_TRUE(memory.contains("gpu0", "a"));
}

TEST(LoadedVariants, NoLimit_HoldsAll) {
  LoadedVariants memory(Bytes{0});
  std::vector<std::string> gone;
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_TRUE(memory.load("cpu0", name, mebibytes(100'000), gone));
  }
  EXPECT_TRUE(gone.empty());
}

}  // namespace
}  // namespace juggler
