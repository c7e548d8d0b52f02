// What clients ask over HTTP, read into the messages that any AMQP client would send.

#include <gtest/gtest.h>

#include "http/asked.h"
#include "http/base64.h"
#include "http/infer.h"
#include "http/routes.h"
#include "nlohmann/json.hpp"

namespace juggler::http {
namespace {

Request infer(const std::string& body, Fields headers = {}) {
  Request request;
  request.method = "POST";
  request.headers = std::move(headers);
  request.body = wire::make_body(body);
  return request;
}

Request picture(Fields query, Fields headers = {}) {
  Request request = infer("jpeg", std::move(headers));
  request.query = std::move(query);
  return request;
}

std::string refusal(const Result<Asked>& asked) { return asked ? "taken" : asked.error().message; }

// {"id": …, "inputs": [an image], …}
std::string with_image(const std::string& rest) {
  return R"({"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["anBlZw=="]}])" +
         rest + "}";
}

TEST(Base64, EveryLengthOfPadding_Decodes) {
  EXPECT_EQ(base64_bytes(""), "");
  EXPECT_EQ(base64_bytes("YQ=="), "a");
  EXPECT_EQ(base64_bytes("YWI="), "ab");
  EXPECT_EQ(base64_bytes("YWJj"), "abc");
  EXPECT_EQ(base64_bytes("/+8="), "\xff\xef");
}

TEST(Base64, WhatNoEncoderWrites_IsRefused) {
  for (const char* text : {"YQ", "YQ=", "Y===", "====", "YR==", "YW=j", "YWJj\n", "YW-_", "=YWJ"}) {
    EXPECT_FALSE(base64_bytes(text).has_value()) << text;
  }
}

TEST(HttpClassify, Query_BecomesHeadersOfTheTask) {
  const Result<Asked> asked = read_classify(picture({{"id", "42"},
                                                     {"min_accuracy", "75.5"},
                                                     {"deadline_ms", "200"},
                                                     {"max_energy_mj", "50"},
                                                     {"priority", "9"},
                                                     {"model", "resnet50"},
                                                     {"device", "7"},
                                                     {"allow_synthetic", "true"}}));
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_EQ(asked->id, "42");
  EXPECT_EQ(asked->task.priority, 9);
  EXPECT_EQ(asked->task.headers.at("deadline_ms"), wire::HeaderValue(std::int64_t{200}));
  EXPECT_EQ(asked->task.headers.at("min_accuracy"), wire::HeaderValue(std::string("75.5")));
  EXPECT_EQ(asked->task.headers.at("allow_synthetic"), wire::HeaderValue(true));
  EXPECT_EQ(asked->task.headers.at("device"), wire::HeaderValue(std::string("7")));
  EXPECT_EQ(*asked->task.body, "jpeg");
  EXPECT_TRUE(asked->picture);
}

TEST(HttpClassify, QueryWinsOverHeader) {
  const Result<Asked> asked = read_classify(
      picture({{"min_accuracy", "80"}}, {{"juggler-min-accuracy", "70"}, {"juggler-top-k", "3"}}));
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_EQ(asked->task.headers.at("min_accuracy"), wire::HeaderValue(std::int64_t{80}));
  EXPECT_EQ(asked->task.headers.at("top_k"), wire::HeaderValue(std::int64_t{3}));
}

TEST(HttpClassify, WhatTheControllerWouldRefuse_IsRefusedWithItsReason) {
  EXPECT_EQ(refusal(read_classify(picture({{"min_accuracy", "700"}}))),
            "'min_accuracy' is 700; it must be 0 to 100 (percent top-1)");
  EXPECT_NE(refusal(read_classify(picture({{"priority", "10"}}))).find("0 to 9"),
            std::string::npos);
  EXPECT_NE(refusal(read_classify(picture({{"deadline_ms", "soon"}}))).find("must be a number"),
            std::string::npos);
  Request empty = picture({});
  empty.body = wire::make_body("");
  EXPECT_EQ(refusal(read_classify(empty)), "the payload is empty");
}

TEST(HttpClassify, MisspeltRequirement_IsRefusedAndNotOverlooked) {
  EXPECT_NE(refusal(read_classify(picture({{"min_acuracy", "75"}}))).find("'min_acuracy' is no"),
            std::string::npos);
}

TEST(HttpClassify, IdThatFitsNoPath_IsRefused) {
  for (const std::string& id : {std::string("a/b"), std::string(65, 'a'), std::string("a b"),
                                std::string(), std::string("\xc3\xa4")}) {
    EXPECT_NE(refusal(read_classify(picture({{"id", id}}))).find("'id' must be"), std::string::npos)
        << id;
  }
}

TEST(HttpInfer, PictureInBase64_IsTheTask) {
  const Result<Asked> asked = read_infer(
      infer(with_image(
          R"(,"id":"7","parameters":{"min_accuracy":75.5,"deadline_ms":200,"max_energy_mj":50})")),
      "auto");
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_EQ(asked->id, "7");
  EXPECT_EQ(*asked->task.body, "jpeg");
  EXPECT_EQ(asked->task.headers.at("model"), wire::HeaderValue(std::string("auto")));
  EXPECT_EQ(asked->task.headers.at("min_accuracy"), wire::HeaderValue(75.5));
  EXPECT_EQ(asked->infer->model, "auto");
  EXPECT_FALSE(asked->infer->binary);
}

TEST(HttpInfer, Priority_OneIsMostUrgentThereAndNineHere) {
  for (const auto& [theirs, ours] :
       {std::pair{0, 0}, std::pair{1, 9}, std::pair{2, 8}, std::pair{9, 1}, std::pair{10, 0}}) {
    const Result<Asked> asked = read_infer(
        infer(with_image(",\"parameters\":{\"priority\":" + std::to_string(theirs) + "}")), "auto");
    ASSERT_TRUE(asked) << refusal(asked);
    EXPECT_EQ(asked->task.priority, ours);
  }
  const Result<Asked> header =
      read_infer(infer(with_image(""), {{"juggler-priority", "1"}}), "auto");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->task.priority, 9);
}

TEST(HttpInfer, Timeout_IsMicrosecondsAndZeroIsNone) {
  const Result<Asked> some =
      read_infer(infer(with_image(R"(,"parameters":{"timeout":50000})")), "auto");
  ASSERT_TRUE(some);
  EXPECT_EQ(some->task.headers.at("deadline_ms"), wire::HeaderValue(50.0));
  const Result<Asked> none =
      read_infer(infer(with_image(R"(,"parameters":{"timeout":0})")), "auto");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->task.headers.count("deadline_ms"), 0U);
}

TEST(HttpInfer, BinaryPicture_FollowsTheJson) {
  const std::string head =
      R"({"inputs":[{"name":"image","datatype":"BYTES","shape":[1,1],)"
      R"("parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}})";
  const std::string tensor("\x04\x00\x00\x00jpeg", 8);
  const Result<Asked> asked = read_infer(
      infer(head + tensor, {{"inference-header-content-length", std::to_string(head.size())}}),
      "imagenet");
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_EQ(*asked->task.body, "jpeg");
  EXPECT_TRUE(asked->infer->binary);
}

TEST(HttpInfer, SizesThatDoNotAgree_AreRefused) {
  const std::string head = R"({"inputs":[{"name":"image","datatype":"BYTES","shape":[1],)"
                           R"("parameters":{"binary_data_size":8}}]})";
  const Fields length{{"inference-header-content-length", std::to_string(head.size())}};
  for (const std::string& tensor :
       {std::string("\x05\x00\x00\x00jpeg", 8), std::string("\x04\x00\x00\x00jpe", 7),
        std::string("\xff\xff\xff\xffjpeg", 8), std::string("\x04\x00", 2), std::string()}) {
    EXPECT_FALSE(read_infer(infer(head + tensor, length), "auto").has_value());
  }
  EXPECT_FALSE(
      read_infer(infer(head, {{"inference-header-content-length", "9999"}}), "auto").has_value());
  EXPECT_FALSE(
      read_infer(infer(head, {{"inference-header-content-length", "-1"}}), "auto").has_value());
}

TEST(HttpInfer, Pixels_AreATensorOfTheProtocol) {
  const std::string head = R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,1,2,3],)"
                           R"("parameters":{"binary_data_size":6}}]})";
  const Result<Asked> asked = read_infer(
      infer(head + "rgbrgb", {{"inference-header-content-length", std::to_string(head.size())}}),
      "auto");
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_FALSE(asked->picture);
  EXPECT_EQ(asked->task.content_type, "application/octet-stream");
  EXPECT_EQ(asked->task.headers.at("height"), wire::HeaderValue(std::int64_t{1}));
  EXPECT_EQ(asked->task.headers.at("width"), wire::HeaderValue(std::int64_t{2}));
}

TEST(HttpInfer, FloatTensorForAuto_IsRefused) {
  const std::string head = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,3,1,1],)"
                           R"("parameters":{"binary_data_size":12}}]})";
  const Fields length{{"inference-header-content-length", std::to_string(head.size())}};
  EXPECT_NE(refusal(read_infer(infer(head + std::string(12, '\0'), length), "auto"))
                .find("must name its variant"),
            std::string::npos);
  EXPECT_TRUE(read_infer(infer(head + std::string(12, '\0'), length), "resnet50-fp32").has_value());
  EXPECT_FALSE(read_infer(infer(head + std::string(8, '\0'), length), "resnet50-fp32").has_value());
}

TEST(HttpInfer, Malformed_IsRefusedInWords) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string(R"({"inputs":[]})"),
        std::string(R"({"inputs":[1]})"), std::string(R"({"inputs":[{},{}]})"),
        std::string(R"({"inputs":[{"datatype":"BYTES","shape":[2],"data":["a","b"]}]})"),
        std::string(R"({"inputs":[{"datatype":"BYTES","shape":[1],"data":["%"]}]})"),
        std::string(R"({"inputs":[{"datatype":"BYTES","shape":[-1],"data":["YQ=="]}]})"),
        std::string(R"({"inputs":[{"datatype":"FP64","shape":[1],"data":[1.0]}]})"),
        with_image(R"(,"id":7)"), with_image(R"(,"parameters":[])"),
        with_image(R"(,"parameters":{"priorty":1})"), with_image(R"(,"outputs":[{"name":"x"}])"),
        with_image(R"(,"parameters":{"deadline_ms":{}})"), std::string(100'000, '[')}) {
    const Result<Asked> asked = read_infer(infer(body), "auto");
    ASSERT_FALSE(asked.has_value()) << body.substr(0, 80);
    EXPECT_FALSE(asked.error().message.empty());
  }
}

TEST(HttpInfer, Classification_IsTopK) {
  const Result<Asked> asked =
      read_infer(infer(with_image(R"(,"outputs":[{"name":"labels",)"
                                  R"("parameters":{"classification":3,"binary_data":true}}])")),
                 "auto");
  ASSERT_TRUE(asked) << refusal(asked);
  EXPECT_EQ(asked->task.headers.at("top_k"), wire::HeaderValue(std::int64_t{3}));
  EXPECT_TRUE(asked->infer->binary);
}

Outcome completed() {
  Outcome outcome;
  outcome.kind = OutcomeKind::Completed;
  outcome.labels = {{258, "cat", 0.75}, {7, "", 0.25}};
  outcome.device = "pi";
  outcome.variant = "resnet50-fp32";
  return outcome;
}

TEST(HttpInfer, Reply_HasTheLabelsInTheFormOfTheClassificationExtension) {
  const Reply reply = infer_reply({.model = "auto"}, "7", "local/7", completed());
  const auto body = nlohmann::json::parse(reply.body);
  EXPECT_EQ(body["id"], "7");
  EXPECT_EQ(body["model_name"], "auto");
  EXPECT_EQ(body["outputs"][0]["datatype"], "BYTES");
  EXPECT_EQ(body["outputs"][0]["shape"], nlohmann::json({1, 2}));
  EXPECT_EQ(body["outputs"][0]["data"][0], "0.750000:258:cat");
  EXPECT_EQ(body["outputs"][0]["data"][1], "0.250000:7");
  EXPECT_EQ(body["parameters"]["device"], "pi");
}

TEST(HttpInfer, BinaryReply_HasLengthsBeforeItsElements) {
  const Reply reply = infer_reply({.model = "auto", .binary = true}, "7", "local/7", completed());
  std::size_t head = 0;
  for (const auto& [name, value] : reply.headers) {
    head = name == "Inference-Header-Content-Length" ? std::stoul(value) : head;
  }
  const auto body = nlohmann::json::parse(reply.body.substr(0, head));
  EXPECT_EQ(body["outputs"][0]["parameters"]["binary_data_size"], reply.body.size() - head);
  EXPECT_EQ(reply.body.substr(head, 20), std::string("\x10\x00\x00\x00", 4) + "0.750000:258:cat");
}

}  // namespace
}  // namespace juggler::http
