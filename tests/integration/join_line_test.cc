// The line that is pasted on a board, and what a board keeps of the answer.

#include "amqp/join_line.h"

#include <gtest/gtest.h>

namespace juggler::amqp {
namespace {

const std::string kPin(64, 'a');
const std::string kLine =
    "amqps://join.1800000000.AbC-_9:secret@192.0.2.7:5671/juggler?fingerprint=sha256%3A" + kPin;

std::string error_of(std::string_view line) {
  const auto address = read_join_line(line);
  return address ? "" : address.error().message;
}

TEST(JoinLine, AsPrinted_IsRead) {
  const auto address = read_join_line(kLine);
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->user, "join.1800000000.AbC-_9");
  EXPECT_EQ(address->password, "secret");
  EXPECT_EQ(address->host, "192.0.2.7");
  EXPECT_EQ(address->port, 5671);
  EXPECT_EQ(address->fingerprint, kPin);
  EXPECT_EQ(address->text(), kLine);
}

TEST(JoinLine, WithTheCommandAndQuotesAroundIt_IsRead) {
  for (const std::string& pasted :
       {"juggler-consumer join '" + kLine + "'", "  \"" + kLine + "\"\r\n", kLine + " --id pi"}) {
    const auto address = read_join_line(pasted);
    ASSERT_TRUE(address) << pasted << ": " << address.error().message;
    EXPECT_EQ(address->text(), kLine);
  }
}

TEST(JoinLine, OtherText_IsRefusedWithWhatToDo) {
  EXPECT_NE(error_of("").find("no line to join by"), std::string::npos);
  EXPECT_NE(error_of("https://example.org").find("no line to join by"), std::string::npos);
  EXPECT_NE(error_of("amqps://pi:secret@192.0.2.7/juggler").find("no one-time token"),
            std::string::npos);
  EXPECT_NE(error_of("amqp").find("broker address"), std::string::npos);
}

TEST(JoinLine, WhereOthersCouldReadTheLogin_IsRefused) {
  const std::string login = "join.1800000000.x:secret@";
  EXPECT_NE(error_of("amqp://" + login + "192.0.2.7/juggler").find("others can read"),
            std::string::npos);
  EXPECT_NE(
      error_of("amqps://" + login + "192.0.2.7/juggler?verify=verify_none").find("others can read"),
      std::string::npos);
  EXPECT_NE(error_of(kLine + "&verify=verify_none").find("leave out one"), std::string::npos)
      << "a pin that nobody judges";
  EXPECT_NE(error_of("amqp://" + login + "127.example.org/juggler").find("others can read"),
            std::string::npos)
      << "a name that looks like the loopback";
  EXPECT_EQ(error_of("amqp://" + login + "127.0.0.1/juggler"), "") << "the loopback is nobody's";
}

TEST(JoinLine, EndOfAToken_IsInItsName) {
  EXPECT_EQ(token_end("join.1800000000.x"), 1'800'000'000);
  for (const char* other : {"pi-1", "join", "join.", "join.x.y", "join.12", "join..x",
                            "join.99999999999999999999.x", "xjoin.12.y"}) {
    EXPECT_FALSE(token_end(other)) << other;
  }
}

// --- the answer

TEST(JoinedAddress, OfTheLineTheLoginAloneIsNew) {
  const auto line = read_join_line(kLine);
  const auto kept = joined_address(*line, "amqp://pi-1:own@198.51.100.1:1/elsewhere", "pi-1");
  ASSERT_TRUE(kept) << kept.error().message;
  BrokerUrl expected = *line;
  expected.user = "pi-1";
  expected.password = "own";
  EXPECT_EQ(kept->text(), expected.text()) << "host and fingerprint are the line's";
}

TEST(JoinedAddress, LoginOfSomebodyElse_IsRefused) {
  const auto line = read_join_line(kLine);
  for (const char* answer :
       {"", "nonsense", "amqps://pi-2:own@192.0.2.7/juggler", "amqps://pi-1@192.0.2.7/juggler",
        "amqps://192.0.2.7/juggler", "amqps://pi-1%0A:own@192.0.2.7/juggler"}) {
    const auto kept = joined_address(*line, answer, "pi-1");
    ASSERT_FALSE(kept) << answer;
    EXPECT_EQ(kept.error().code, ErrorCode::Corrupt) << answer;
  }
}

}  // namespace
}  // namespace juggler::amqp
