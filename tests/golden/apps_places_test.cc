// What is known of the `juggler up`s that run.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/own_login.h"
#include "apps/places.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

class RunningTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("XDG_STATE_HOME", folder_.path().c_str(), /*overwrite=*/1); }
  void TearDown() override { unsetenv("XDG_STATE_HOME"); }

  // Two processes that do run.
  const std::int64_t first_ = getppid();
  const std::int64_t second_ = getpid();
  test::TempFolder folder_;
};

std::string home_found() {
  const std::optional<Running> found = find_running();
  return found.has_value() ? found->home.string() : "none";
}

TEST_F(RunningTest, LaterOneEnds_TheEarlierIsFoundAgain) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/second", second_, "amqp://b"}));
  EXPECT_EQ(home_found(), "/second");
  remove_running(second_);
  EXPECT_EQ(home_found(), "/first");
  remove_running(first_);
  EXPECT_EQ(home_found(), "none");
}

TEST_F(RunningTest, EarlierOneEnds_TheLaterStays) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/second", second_, ""}));
  remove_running(first_);
  EXPECT_EQ(home_found(), "/second");
  remove_running(second_);
  EXPECT_EQ(home_found(), "none");
}

TEST_F(RunningTest, OneThatWasKilled_HidesNobody) {
  ASSERT_TRUE(write_running({"/first", first_, ""}));
  ASSERT_TRUE(write_running({"/killed", 0x7fff'fff0, ""}));  // no process has such a number
  EXPECT_EQ(home_found(), "/first");
}

void write(const test::TempFolder& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.path() / name) << text;
}

// Logins of a service: the credential stays as it was when the device gets another name.
class OwnLoginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    unsetenv("JUGGLER_BROKER");
    write(credentials_, "broker", "amqps://pi-1:old@broker:5671/juggler\n");
  }
  void TearDown() override { unsetenv("CREDENTIALS_DIRECTORY"); }

  BrokerChoice choice() const { return {.home = home_.path().string(), .use = BrokerUse::Daemon}; }
  void use_credential() {
    setenv("CREDENTIALS_DIRECTORY", credentials_.path().c_str(), /*overwrite=*/1);
  }

  test::TempFolder home_;
  test::TempFolder credentials_;
};

TEST_F(OwnLoginTest, Joined_TheStoredOneIsUsed) {
  BrokerChoice broker = choice();
  EXPECT_EQ(own_login(broker), "");
  write(home_, "login", "amqps://pi-1:p@broker:5671/juggler\n");
  EXPECT_EQ(own_login(broker), (home_.path() / "login").string());
  EXPECT_EQ(read_broker(broker)->user, "pi-1");
}

TEST_F(OwnLoginTest, FileIsNamed_ItIsNotOurs) {
  write(home_, "login", "amqps://pi-1:p@broker:5671/juggler\n");
  BrokerChoice broker = choice();
  broker.broker_file = (home_.path() / "login").string();
  EXPECT_EQ(own_login(broker), "");
}

TEST_F(OwnLoginTest, CredentialAndAnotherNameSince_TheNewOneIsUsed) {
  use_credential();
  BrokerChoice first = choice();
  const std::string kept = own_login(first);
  ASSERT_NE(kept, "");
  EXPECT_EQ(first.broker_file, "");
  EXPECT_EQ(read_broker(first)->user, "pi-1");
  write(home_, std::filesystem::path(kept).filename().string(),
        "amqps://pi-roof:new@broker:5671/juggler\n");
  BrokerChoice again = choice();
  EXPECT_EQ(own_login(again), kept);
  EXPECT_EQ(read_broker(again)->user, "pi-roof");
}

TEST_F(OwnLoginTest, CredentialIsReplaced_TheOldNameIsForgotten) {
  use_credential();
  BrokerChoice first = choice();
  const std::string kept = own_login(first);
  write(home_, std::filesystem::path(kept).filename().string(),
        "amqps://pi-roof:new@broker:5671/juggler\n");
  write(credentials_, "broker", "amqps://pi-7:other@broker:5671/juggler\n");
  BrokerChoice again = choice();
  EXPECT_NE(own_login(again), kept);
  EXPECT_EQ(read_broker(again)->user, "pi-7");
}

}  // namespace
}  // namespace juggler
