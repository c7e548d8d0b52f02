// The machine that a consumer announces, read below another root.

#include "inference/machine.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.h"

namespace juggler {
namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

TEST(ReadMachine, UnderAnotherRoot_IsTheHost) {
  const test::TempFolder host;
  const test::TempFolder own;
  write(host.path() / "sys/firmware/devicetree/base/model",
        std::string("NVIDIA Jetson Orin NX Developer Kit\0", 36));
  write(host.path() / "proc/meminfo", "MemTotal: 3000 kB\nMemAvailable: 2000 kB\n");
  const Machine machine = read_machine(host.path(), own.path());
  EXPECT_EQ(machine.board, "jetson-orin-nx");
  EXPECT_EQ(machine.title, "NVIDIA Jetson Orin NX Developer Kit");
  EXPECT_EQ(machine.memory, Bytes{2'048'000});
}

TEST(ReadMachine, LimitsOfAContainer_AreItsOwnAndNotTheHosts) {
  const test::TempFolder host;
  const test::TempFolder own;
  write(host.path() / "proc/meminfo", "MemTotal: 3000 kB\nMemAvailable: 2000 kB\n");
  write(host.path() / "sys/fs/cgroup/memory.max", "1000\n");
  write(host.path() / "sys/fs/cgroup/memory.current", "0\n");
  write(own.path() / "sys/fs/cgroup/memory.max", "1500000\n");
  write(own.path() / "sys/fs/cgroup/memory.current", "500000\n");
  EXPECT_EQ(read_machine(host.path(), own.path()).memory, Bytes{1'000'000});
}

}  // namespace
}  // namespace juggler
