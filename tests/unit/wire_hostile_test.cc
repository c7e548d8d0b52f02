// Bytes that nobody sane would send, to every decoder: an error, soon, and little memory.

#include <gtest/gtest.h>

#include <functional>

#include "support/builders.h"
#include "support/json_edit.h"
#include "wire/join.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using test::with_body;
using wire::Envelope;

// Each decoder of JSON with a good message of its kind; the decoder gives its error, or "".
struct Decoder {
  std::string name;
  Envelope good;
  std::function<std::string(const Envelope&)> error;
};

template <class T>
std::string error_of(const Result<T>& decoded) {
  return decoded.has_value() ? "" : decoded.error().message;
}

std::vector<Decoder> decoders() {
  Dispatch dispatch;
  dispatch.attempt = {{"user:a", "t"}, 1, 1};
  dispatch.device = "pi-1";
  Heartbeat beat;
  beat.device = "pi-1";
  return {{"result", wire::encode_result(test::result_of(dispatch)),
           [](const Envelope& e) { return error_of(wire::decode_result(e)); }},
          {"heartbeat", wire::encode_heartbeat(beat),
           [](const Envelope& e) { return error_of(wire::decode_heartbeat(e)); }},
          {"hello", wire::encode_hello(test::device("pi-1")),
           [](const Envelope& e) { return error_of(wire::decode_hello(e)); }},
          {"control", wire::encode_control("pi-1", {.kind = wire::ControlKind::Hello}),
           [](const Envelope& e) { return error_of(wire::decode_control(e)); }},
          {"join", wire::encode_join({"pi-1", "1", 1}, "r", "u"),
           [](const Envelope& e) { return error_of(wire::decode_join(e)); }},
          {"joined", wire::encode_joined({"", "taken", "why"}, "r"),
           [](const Envelope& e) { return error_of(wire::decode_joined(e)); }},
          {"outcome", wire::encode_decided(test::outcome_of("t", OutcomeKind::Expired)),
           [](const Envelope& e) { return error_of(wire::decode_outcome(e)); }}};
}

std::string nested(std::size_t depth, const std::string& head) {
  return head + std::string(depth, '[') + std::string(depth, ']') + "}";
}

TEST(WireHostile, GoodMessages_Decode) {
  for (const Decoder& decoder : decoders()) {
    EXPECT_EQ(decoder.error(decoder.good), "") << decoder.name;
  }
}

TEST(WireHostile, NoBody_IsRefused) {
  for (const Decoder& decoder : decoders()) {
    Envelope envelope = decoder.good;
    envelope.body = nullptr;
    EXPECT_NE(decoder.error(envelope), "") << decoder.name;
  }
}

TEST(WireHostile, JunkForJson_IsRefused) {
  for (const Decoder& decoder : decoders()) {
    for (const char* junk :
         {"", " ", "null", "[]", "42", "\"text\"", "{", "{\"a\":}", "{}{}", "\xff\xfe\x00",
          "\x89PNG\r\n", "{\"id\":\"\xff\"}", "NaN", "{\"device\":1e999}"}) {
      EXPECT_NE(decoder.error(with_body(decoder.good, junk)), "") << decoder.name << ": " << junk;
    }
  }
}

TEST(WireHostile, FiveMegabytesOfAnything_AreRefusedUnread) {
  const std::string large = "{\"a\":\"" + std::string(5 << 20, 'x') + "\"}";
  for (const Decoder& decoder : decoders()) {
    EXPECT_NE(decoder.error(with_body(decoder.good, large)).find("bytes of JSON"),
              std::string::npos)
        << decoder.name;
  }
}

TEST(WireHostile, DeepNesting_IsRefused) {
  // A megabyte of brackets in a field that would be ignored takes 40 times that in memory.
  for (const Decoder& decoder : decoders()) {
    for (const std::size_t depth : {100U, 1000U, 100'000U}) {
      EXPECT_NE(decoder.error(with_body(decoder.good, nested(depth, "{\"ignored\":"))), "")
          << decoder.name << " " << depth;
    }
  }
}

TEST(WireHostile, BracketsInsideText_AreNotNesting) {
  for (const Decoder& decoder : decoders()) {
    const Envelope envelope =
        test::with(decoder.good, "/ignored", "\"" + std::string(1000, '[') + "\\");
    EXPECT_EQ(decoder.error(envelope), "") << decoder.name;
  }
}

TEST(WireHostile, EveryTruncation_IsRefusedOrDecodes) {
  for (const Decoder& decoder : decoders()) {
    const std::string& whole = *decoder.good.body;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_NE(decoder.error(with_body(decoder.good, whole.substr(0, size))), "") << decoder.name;
    }
  }
}

TEST(WireHostile, ZeroByte_IsRefusedWhereverItStands) {
  for (const Decoder& decoder : decoders()) {
    const std::string& whole = *decoder.good.body;
    for (const std::size_t at : {std::size_t{0}, std::size_t{2}, whole.size() - 1, whole.size()}) {
      std::string body = whole;
      body.insert(at, 1, '\0');
      EXPECT_NE(decoder.error(with_body(decoder.good, body + "{")), "") << decoder.name << at;
      EXPECT_NE(decoder.error(with_body(decoder.good, body)), "") << decoder.name << " " << at;
    }
  }
}

TEST(WireHostile, NamesThatAreNotUtf8InTheType_AreReportedSafely) {
  for (const Decoder& decoder : decoders()) {
    Envelope envelope = decoder.good;
    envelope.type = "juggler.\xff\xff.v1";
    EXPECT_NE(decoder.error(envelope), "") << decoder.name;
  }
}

}  // namespace
}  // namespace juggler
