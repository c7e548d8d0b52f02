// Which commands need what the programs forgo.

#include <gtest/gtest.h>

#include "apps/privileges.h"

namespace juggler {
namespace {

TEST(Privileges, CommandsThatWorkByGettingMore_AreKnown) {
  for (const char* command : {"sudo rabbitmqctl", "/usr/bin/sudo -u rabbitmq rabbitmqctl", "doas x",
                              "su rabbitmq -c", "pkexec rabbitmqctl", "sudo"}) {
    EXPECT_TRUE(asks_for_rights(command)) << command;
  }
  for (const char* command : {"", "rabbitmqctl", "/usr/sbin/rabbitmqctl",
                              "docker exec -i sudo rabbitmqctl", "sudoku", "/sudo/rabbitmqctl"}) {
    EXPECT_FALSE(asks_for_rights(command)) << command;
  }
}

}  // namespace
}  // namespace juggler
