// The host's files on a disk: links below another root, files that vanish and come back.

#include "telemetry/host_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

class HostFilesOnDisk : public testing::Test {
 protected:
  test::TempFolder folder_;
  fs::path root_ = folder_.path();
  DiskFiles files_{folder_.path().string()};
};

TEST_F(HostFilesOnDisk, Text_EndsBeforeNulsAndLineBreaks) {
  write(root_ / "sys/model", std::string("A board\n\0", 9));
  EXPECT_EQ(files_.text("sys/model").value, "A board");
}

TEST_F(HostFilesOnDisk, AbsoluteLinksAndDots_DoNotLeadOutOfTheRoot) {
  write(root_ / "sys/devices/gpu/load", "12\n");
  fs::create_directories(root_ / "proc");
  fs::create_symlink("/sys/devices/gpu", root_ / "proc/gpu");
  fs::create_symlink("../../../../../../sys/devices", root_ / "proc/up");
  EXPECT_EQ(files_.text("proc/gpu/load").value, "12");
  EXPECT_EQ(files_.text("proc/up/gpu/load").value, "12");
  EXPECT_EQ(files_.list("proc/gpu"), std::vector<std::string>{"load"});
}

TEST_F(HostFilesOnDisk, LinksInACircle_AreMissing) {
  fs::create_symlink("b", root_ / "a");
  fs::create_symlink("a", root_ / "b");
  EXPECT_FALSE(files_.text("a").value.has_value());
}

TEST_F(HostFilesOnDisk, AKeptFile_IsReadAnew) {
  write(root_ / "sys/temp", "41000\n");
  EXPECT_EQ(files_.text("sys/temp").value, "41000");
  write(root_ / "sys/temp", "42000\n");
  EXPECT_EQ(files_.text("sys/temp").value, "42000");
}

TEST_F(HostFilesOnDisk, AFileThatIsReplaced_IsReadAnewOutsideOfProcAndSys) {
  write(root_ / "var/status", "pmode:0001\n");
  EXPECT_EQ(files_.text("var/status").value, "pmode:0001");
  write(root_ / "var/status.new", "pmode:0002\n");
  fs::rename(root_ / "var/status.new", root_ / "var/status");
  EXPECT_EQ(files_.text("var/status").value, "pmode:0002");
}

TEST_F(HostFilesOnDisk, WhatCannotBeRead_SaysWhy) {
  EXPECT_EQ(files_.text("sys/none").why, Absence::Missing);
  write(root_ / "sys/empty", "");
  EXPECT_EQ(files_.text("sys/empty").why, Absence::NoData);
  fs::create_directories(root_ / "sys/folder");
  EXPECT_EQ(files_.text("sys/folder").why, Absence::Failed);
  ASSERT_EQ(mkfifo((root_ / "sys/pipe").c_str(), 0600), 0);
  EXPECT_EQ(files_.text("sys/pipe").why, Absence::Failed);  // and does not block
}

TEST_F(HostFilesOnDisk, AHugeFile_IsReadToItsBound) {
  write(root_ / "proc/huge", std::string(3 * kHostFileMax, 'x'));
  EXPECT_EQ(files_.text("proc/huge").value->size(), kHostFileMax);
}

TEST(AbsenceOf, SystemErrors_AreReasons) {
  EXPECT_EQ(absence_of(EACCES), Absence::Denied);
  EXPECT_EQ(absence_of(EPERM), Absence::Denied);
  EXPECT_EQ(absence_of(ENODEV), Absence::Missing);
  EXPECT_EQ(absence_of(EAGAIN), Absence::NoData);
  EXPECT_EQ(absence_of(ENODATA), Absence::NoData);
  EXPECT_EQ(absence_of(EIO), Absence::Failed);
}

}  // namespace
}  // namespace juggler
