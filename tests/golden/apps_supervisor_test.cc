// When something that keeps dying is given up, and what is said of its end.

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "apps/supervisor.h"
#include "runtime/clock.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

TEST(Deaths, InARow_AreTooManyAtTheFifth) {
  Deaths deaths;
  Time now{0};
  for (int i = 1; i < Deaths::kMax; ++i) {
    EXPECT_FALSE(deaths.note(now, now + seconds(1))) << i;
  }
  EXPECT_TRUE(deaths.note(now, now + seconds(1)));
}

TEST(Deaths, OneThatHadRunWell_CountsAsTheFirstAgain) {
  Deaths deaths;
  for (int i = 0; i < 100; ++i) {  // once a minute for as long as one likes
    EXPECT_FALSE(deaths.note(Time{0}, Time{0} + seconds(60)));
  }
  EXPECT_EQ(deaths.count(), 1);
}

TEST(Supervisor, RefusedFlags_AreGivenUpWithTheReasonOfThisStartAlone) {
  const test::TempFolder folder;
  const std::string log = (folder.path() / "child.log").string();
  std::ofstream(log) << "2026-01-01T00:00:00.000 child error of an older run\n";
  SystemClock clock;
  Supervisor supervisor(1);
  std::vector<std::string> told;
  ASSERT_TRUE(supervisor.start({.name = "talks",
                                .program = "/bin/sh",
                                .arguments = {"-c", "echo 'juggler: no such flag' >&2; exit 2"},
                                .broker = "",
                                .log = log},
                               clock.now()));
  const Time until = clock.now() + seconds(20);
  while (!supervisor.given_up("talks") && clock.now() < until) {
    supervisor.look(clock.now(), told);
    std::this_thread::yield();
  }
  EXPECT_EQ(supervisor.last_end("talks"), "ended with status 2: no such flag");

  ASSERT_TRUE(supervisor.start({.name = "silent",
                                .program = "/bin/sh",
                                .arguments = {"-c", "exit 2"},
                                .broker = "",
                                .log = log},
                               clock.now()));
  while (!supervisor.given_up("silent") && clock.now() < until) {
    supervisor.look(clock.now(), told);
    std::this_thread::yield();
  }
  EXPECT_EQ(supervisor.last_end("silent"), "ended with status 2");
}

}  // namespace
}  // namespace juggler
