// Files that are written whole.

#include "files/write_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/temp_folder.h"

namespace juggler {
namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(WriteFile, MakesItsFolder_AndTakesTheOldOnesPlace) {
  const test::TempFolder folder;
  const auto file = folder.path() / "new" / "file";
  ASSERT_TRUE(write_file(file, "one").has_value());
  ASSERT_TRUE(write_file(file, "two").has_value());
  EXPECT_EQ(content_of(file), "two");
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".new"));
}

TEST(WriteFile, WhereNoFileCanBe_SaysWhichAndWhy) {
  const test::TempFolder folder;
  ASSERT_TRUE(write_file(folder.path() / "file", "one").has_value());
  const auto below = folder.path() / "file" / "below";
  const Result<void> written = write_file(below, "two");
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message.find(below.string()), std::string::npos);
  EXPECT_NE(written.error().message.find("Not a directory"), std::string::npos)
      << written.error().message;
  EXPECT_EQ(content_of(folder.path() / "file"), "one");
}

TEST(WriteFile, PlaceThatAFolderHas_IsLeftToIt) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder.path() / "taken" / "by");
  EXPECT_FALSE(write_file(folder.path() / "taken", "one").has_value());
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "taken" / "by"));
}

}  // namespace
}  // namespace juggler
