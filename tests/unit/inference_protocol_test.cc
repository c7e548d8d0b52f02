// The external engine's protocol as bytes: what is accepted, and what is refused and why.

#include <gtest/gtest.h>

#include <cstring>

#include "inference/external_protocol.h"

namespace juggler::external {
namespace {

constexpr const char* kHello =
    R"({"type":"hello","major":1,"minor":0,"runtime":"r","variants":["a-fp32"],"batch_max":2})";

Frame frame(std::string header, std::string tensor = {}) {
  return {std::move(header), std::move(tensor)};
}

TEST(ExternalProtocol, FrameInSinglebytes_ComesWhole) {
  const std::string bytes = encode_frame("{\"a\":1}", "12345678") + encode_frame("{}", "");
  FrameReader reader;
  std::vector<Frame> frames;
  for (const char byte : bytes) {
    reader.append({&byte, 1});
    const auto next = reader.next();
    ASSERT_TRUE(next.has_value()) << next.error().message;
    if (next->has_value()) {
      frames.push_back(**next);
    }
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].header, "{\"a\":1}");
  EXPECT_EQ(frames[0].tensor, "12345678");
  EXPECT_TRUE(reader.empty());
}

TEST(ExternalProtocol, WrongMark_IsRefusedAtItsFirstByte) {
  FrameReader reader;
  reader.append("T");
  EXPECT_EQ(reader.next().error().code, ErrorCode::Corrupt);
}

TEST(ExternalProtocol, TooLongAClaim_IsRefusedBeforeTheBytesCome) {
  FrameReader reader;
  reader.append(encode_frame(std::string(kHeaderBytesMax + 1, ' '), "").substr(0, kPrefixBytes));
  EXPECT_EQ(reader.next().error().code, ErrorCode::Corrupt);
}

TEST(ExternalProtocol, Hello_IsRead) {
  const auto hello = decode_hello(frame(kHello));
  ASSERT_TRUE(hello.has_value()) << hello.error().message;
  EXPECT_EQ(hello->variants, std::vector<std::string>{"a-fp32"});
  EXPECT_EQ(hello->batch_max, 2);
}

TEST(ExternalProtocol, HelloOfAnotherMajor_IsUnsupported) {
  std::string text = kHello;
  text.replace(text.find("\"major\":1"), 9, "\"major\":9");
  EXPECT_EQ(decode_hello(frame(text)).error().code, ErrorCode::Unsupported);
}

TEST(ExternalProtocol, HelloWithWrongFields_IsCorrupt) {
  for (const char* text :
       {"", "null", "[]", "{}", R"({"type":"scores"})", R"({"type":"hello","major":"1"})",
        R"({"type":"hello","major":1,"minor":0,"runtime":7,"variants":[],"batch_max":2})",
        R"({"type":"hello","major":1,"minor":0,"runtime":"r","variants":[7],"batch_max":2})",
        R"({"type":"hello","major":1,"minor":0,"runtime":"r","variants":{},"batch_max":2})",
        R"({"type":"hello","major":1,"minor":0,"runtime":"r","variants":[],"batch_max":0})",
        R"({"type":"hello","major":1,"minor":0,"runtime":"r","variants":[],"batch_max":1.5})",
        R"({"type":"hello","major":18446744073709551615,"minor":0})"}) {
    const auto hello = decode_hello(frame(text));
    ASSERT_FALSE(hello.has_value()) << text;
    EXPECT_EQ(hello.error().code, ErrorCode::Corrupt) << text;
  }
}

TEST(ExternalProtocol, Answers_AreRead) {
  const auto loaded = decode_answer(frame(R"({"type":"loaded","id":4,"classes":10})"), 4);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(std::get<Loaded>(*loaded).classes, 10);
  EXPECT_EQ(std::get<Loaded>(*loaded).memory, Bytes{0});
  const std::vector<float> values{0.5F, -2.0F};
  std::string tensor(8, '\0');
  std::memcpy(tensor.data(), values.data(), 8);
  const auto scores = decode_answer(frame(R"({"type":"scores","id":5})", tensor), 5);
  ASSERT_TRUE(scores.has_value());
  EXPECT_EQ(std::get<Scores>(*scores).values, values);
  const auto refused =
      decode_answer(frame(R"({"type":"error","id":6,"reason":"no","out_of_memory":1})"), 6);
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(std::get<Refusal>(*refused).out_of_memory);
}

TEST(ExternalProtocol, AnswersThatDoNotFit_AreCorrupt) {
  for (const auto& [text, tensor] : std::vector<std::pair<std::string, std::string>>{
           {R"({"type":"loaded","id":4})", ""},
           {R"({"type":"loaded","id":4,"classes":0})", ""},
           {R"({"type":"scores","id":3})", ""},
           {R"({"type":"scores","id":4})", "123"},
           {R"({"type":"scores"})", ""},
           {R"({"type":"error","id":4})", ""},
           {R"({"type":"song","id":4})", ""}}) {
    const auto answer = decode_answer(frame(text, tensor), 4);
    ASSERT_FALSE(answer.has_value()) << text;
    EXPECT_EQ(answer.error().code, ErrorCode::Corrupt) << text;
  }
}

TEST(ExternalProtocol, Requests_AreFramesThatAnyReaderTakes) {
  CatalogueVariant variant;
  variant.variant.id = "a-fp32";
  variant.variant.precision = "fp32";
  variant.input.width = 7;
  variant.input.height = 5;
  FrameReader reader;
  reader.append(encode_load(1, variant));
  reader.append(encode_run(2, "a-fp32", 3, 4));
  reader.append("\1\2\3\4");
  reader.append(encode_unload(3, "a-fp32"));
  const auto load = reader.next();
  EXPECT_NE((*load)->header.find("\"input\":[3,5,7]"), std::string::npos) << (*load)->header;
  const auto run = reader.next();
  EXPECT_NE((*run)->header.find("\"batch\":3"), std::string::npos);
  EXPECT_EQ((*run)->tensor, "\1\2\3\4");
  EXPECT_NE((*reader.next())->header.find("unload"), std::string::npos);
}

}  // namespace
}  // namespace juggler::external
