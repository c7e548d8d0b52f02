// Tables that are too wide for the terminal: what gives way, and in which order.

#include "apps/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace juggler {
namespace {

using Fit = Column::Fit;

Screen columns(std::size_t width) { return {.terminal = true, .width = width, .utf8 = false}; }

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, display_width(line));
  }
  return widest;
}

Table table() {
  Table table({{.title = "id", .fit = Fit::Id, .least = 8},
               {.title = "first to go", .leave_out = 2},
               {.title = "second", .leave_out = 1},
               {.title = "why", .fit = Fit::Wrap, .least = 10}});
  table.row({"device-number-1", "12345678901", "123456", "one two three four five"});
  return table;
}

TEST(Table, CutMiddle_KeepsBothEnds) {
  EXPECT_EQ(cut_middle("device-number-1", 8, false), "de~ber-1");
  EXPECT_EQ(cut_middle("µµµµµ", 4, true), "µ…µµ");
  EXPECT_EQ(cut_middle("short", 8, false), "short");
}

TEST(Table, Wrap_BreaksWordsThatAreLongerThanALine) {
  EXPECT_EQ(wrap("at /a/long/path now", 8),
            (std::vector<std::string>{"at", "/a/long/", "path now"}));
}

TEST(Table, BreakId_KeepsPartsTogetherAndAllOfIt) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(break_id("jetson-orin-nano gpu0 T", 12, false), (Lines{"jetson-orin-", "nano gpu0 T"}));
  EXPECT_EQ(break_id("efficientnet_lite0-fp16", 12, false), (Lines{"efficientnet", "_lite0-fp16"}));
  EXPECT_EQ(break_id("abcdefghij", 4, false), (Lines{"abcd", "efgh", "ij"}));
  EXPECT_EQ(break_id("µµµµµ-µ", 6, true), (Lines{"µµµµµ-", "µ"}));
  EXPECT_EQ(break_id("  jetson-nano", 9, false), (Lines{"  jetson-", "  nano"}));
  EXPECT_EQ(break_id("short", 8, false), Lines{"short"});
  EXPECT_EQ(break_id("0123456789abcdefghij", 4, false), (Lines{"012~", "cdef", "ghij"}));
}

TEST(Table, WithRoom_IsWhole) {
  EXPECT_EQ(table().text(columns(80)),
            "id               first to go  second  why\n"
            "---------------  -----------  ------  -----------------------\n"
            "device-number-1  12345678901  123456  one two three four five\n");
}

TEST(Table, TooWide_ContinuesTextsThenIdsOnTheNextLine) {
  EXPECT_EQ(table().text(columns(45)),
            "id            first to go  second  why\n"
            "------------  -----------  ------  ----------\n"
            "device-       12345678901  123456  one two\n"
            "number-1                           three four\n"
            "                                   five\n");
}

TEST(Table, TooWideEvenSo_LeavesColumnsOutAndSaysWhich) {
  EXPECT_EQ(table().text(columns(40)),
            "id               second  why\n"
            "---------------  ------  ---------------\n"
            "device-number-1  123456  one two three\n"
            "                         four five\n"
            "Left out to fit 40 columns: first to go.\n");
}

TEST(Table, AnyWidth_IsKeptWhereColumnsMayGiveWay) {
  for (std::size_t width = 40; width <= 80; ++width) {
    EXPECT_LE(widest_line(table().text(columns(width))), width);
  }
}

}  // namespace
}  // namespace juggler
