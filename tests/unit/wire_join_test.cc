// How a device asks for a login, and what it is told.

#include <gtest/gtest.h>

#include "support/json_edit.h"
#include "wire/join.h"

namespace juggler {
namespace {

TEST(WireJoin, Request_SaysWhoAsksAndWhen) {
  const wire::Envelope sent =
      wire::encode_join({"pi-1", "1.2.3", 1'800'000'000}, "amq.gen-x", "join.1.a");
  EXPECT_EQ(sent.exchange, wire::kJoinExchange);
  EXPECT_EQ(sent.routing_key, wire::kJoinsQueue);
  EXPECT_EQ(sent.reply_to, "amq.gen-x");
  EXPECT_EQ(sent.user_id, "join.1.a");
  EXPECT_TRUE(sent.mandatory) << "without a desk it has to come back";
  const auto read = wire::decode_join(sent);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->device, "pi-1");
  EXPECT_EQ(read->version, "1.2.3");
  EXPECT_EQ(read->unix_seconds, 1'800'000'000);
}

TEST(WireJoin, Answer_GoesToTheAskerAndIsNotKeptOnDisk) {
  const wire::Envelope sent =
      wire::encode_joined({"amqps://pi-1:secret@192.0.2.7/juggler", "", ""}, "amq.gen-x");
  EXPECT_EQ(sent.exchange, "");
  EXPECT_EQ(sent.routing_key, "amq.gen-x");
  EXPECT_FALSE(sent.persistent) << "it holds a password";
  const auto read = wire::decode_joined(sent);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->address, "amqps://pi-1:secret@192.0.2.7/juggler");
  EXPECT_EQ(read->code, "");
}

TEST(WireJoin, Refusal_HasACodeAndAReason) {
  const auto read = wire::decode_joined(wire::encode_joined({"", "taken", "choose"}, "amq.gen-x"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->address, "");
  EXPECT_EQ(read->code, "taken");
  EXPECT_EQ(read->reason, "choose");
}

TEST(WireJoin, AnotherMajorVersion_IsToldApartFromNonsense) {
  wire::Envelope old = wire::encode_join({"pi-1", "0.1", 1}, "r", "u");
  old.type = "juggler.join.v0";
  EXPECT_EQ(wire::decode_join(old).error().code, ErrorCode::Unsupported);
  wire::Envelope odd = wire::encode_join({"pi-1", "0.1", 1}, "r", "u");
  odd.body = wire::make_body("[]");
  const auto read = wire::decode_join(odd);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().code, ErrorCode::Unsupported);
}

TEST(WireJoin, FieldsOfALaterMinor_AreIgnored) {
  const wire::Envelope sent = wire::encode_join({"pi-1", "9", 1}, "r", "u");
  EXPECT_TRUE(wire::decode_join(test::with(sent, "/labels", {{"site", "roof"}})));
  EXPECT_FALSE(wire::decode_join(test::without(sent, "/device")));
  EXPECT_FALSE(wire::decode_join(test::with(sent, "/unix_s", -1)));
  EXPECT_FALSE(wire::decode_join(test::with(sent, "/device", std::string(300, 'a'))));
}

}  // namespace
}  // namespace juggler
