// The hello: each malformed field is refused by its place, and what decodes is sane.

#include <gtest/gtest.h>

#include "support/builders.h"
#include "support/json_edit.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;
using test::with;
using test::without;
using wire::Envelope;

Envelope hello() {
  DeviceFacts facts = test::device("pi-1").serves(test::variant("n-fp32"), milliseconds(50),
                                                  test::energy_mj(100, 0.1));
  facts.idle = Milliwatts{2700};
  return wire::encode_hello(facts);
}

void expect_names(const Envelope& envelope, const std::string& field) {
  const Result<DeviceFacts> decoded = wire::decode_hello(envelope);
  ASSERT_FALSE(decoded.has_value()) << "accepted a wrong " << field;
  EXPECT_NE(decoded.error().message.find(field), std::string::npos) << decoded.error().message;
}

TEST(WireHello, RequiredFieldMissing_IsRefusedByPlace) {
  const std::vector<std::pair<std::string, std::string>> required{
      {"/device", "device"},
      {"/incarnation", "incarnation"},
      {"/variants/0/id", "variants[0].id"},
      {"/variants/0/model", "variants[0].model"},
      {"/variants/0/network", "variants[0].network"},
      {"/variants/0/precision", "variants[0].precision"},
      {"/variants/0/accuracy_percent", "variants[0].accuracy_percent"},
      {"/variants/0/accuracy_evidence", "variants[0].accuracy_evidence"},
      {"/variants/0/weights", "variants[0].weights"},
      {"/processors/0/id", "processors[0].id"},
      {"/processors/0/kind", "processors[0].kind"},
      {"/processors/0/window_batches", "processors[0].window_batches"},
      {"/processors/0/batch_max", "processors[0].batch_max"},
      {"/processors/0/profiles/0/variant", "profiles[0].variant"},
      {"/processors/0/profiles/0/evidence", "profiles[0].evidence"},
      {"/processors/0/profiles/0/points/0/batch", "points[0].batch"},
      {"/processors/0/profiles/0/points/0/latency_us_mean", "points[0].latency_us_mean"},
      {"/processors/0/profiles/0/points/0/latency_us_p95", "points[0].latency_us_p95"}};
  for (const auto& [pointer, place] : required) {
    expect_names(without(hello(), pointer), place);
  }
}

TEST(WireHello, FieldOfTheWrongType_IsRefusedByPlace) {
  const std::vector<std::pair<std::string, json>> wrong{
      {"/device", 1},
      {"/board", 1},
      {"/twin", "yes"},
      {"/incarnation", -1},
      {"/memory_bytes", 1.5},
      {"/to_board_input_permille", 99},
      {"/idle_mw", -1},
      {"/variants", 5},
      {"/variants/0", "n-fp32"},
      {"/variants/0/accuracy_percent", 100.1},
      {"/variants/0/accuracy_percent", "high"},
      {"/variants/0/weights", "trained"},
      {"/processors/0/kind", "tpu"},
      {"/processors/0/window_batches", 65},
      {"/processors/0/profiles/0/memory_bytes", -5},
      {"/processors/0/profiles/0/points/0/batch", 0},
      {"/processors/0/profiles/0/points/0/energy_scope", "moon"}};
  for (const auto& [pointer, value] : wrong) {
    const std::string field = pointer.substr(pointer.rfind('/') + 1);
    expect_names(with(hello(), pointer, value), field == "0" ? "variants" : field);
  }
}

TEST(WireHello, FactsThatAreNotSane_AreRefused) {
  expect_names(with(hello(), "/processors/0/profiles/0/points/0/latency_us_p95", 1), "latency");
  expect_names(with(hello(), "/processors/0/profiles/0/variant", "other"), "not announced");
  expect_names(with(hello(), "/processors/0/profiles/0/points", json::array()), "batch sizes");
}

TEST(WireHello, SlowdownsThatAreNotSane_AreRefused) {
  DeviceFacts facts = test::device("pi-1").processor("a").processor("b");
  facts.processors[0].slowed_by = {{"b", 1500}};
  const Envelope good = wire::encode_hello(facts);
  const auto decoded = wire::decode_hello(good);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(*decoded, facts);
  const std::string rows = "/processors/0/slowed_by";
  expect_names(with(good, rows, 3), "slowed_by");
  expect_names(without(good, rows + "/0/processor"), "slowed_by[0].processor");
  expect_names(without(good, rows + "/0/permille"), "slowed_by[0].permille");
  expect_names(with(good, rows + "/0/permille", 999), "permille");
  expect_names(with(good, rows + "/0/permille", 10'001), "permille");
  expect_names(with(good, rows + "/0/processor", "c"), "another processor of the device");
  expect_names(with(good, rows + "/0/processor", "a"), "another processor of the device");
  const json one = json::parse(*good.body)["processors"][0]["slowed_by"][0];
  expect_names(with(good, rows, json::array({one, one})), "sorted by processor");
  expect_names(with(good, rows, json(std::vector<json>(kProcessorsMax + 1, one))), "slowed_by");
}

TEST(WireHello, DeviceNameThatIsNoRoutingKey_IsRefused) {
  Envelope envelope = with(hello(), "/device", "Pi 1");
  envelope.routing_key = "hello.Pi 1";
  expect_names(envelope, "device id");
}

TEST(WireHello, OfAnotherDeviceThanItsRoutingKey_IsRefused) {
  Envelope envelope = hello();
  envelope.routing_key = "hello.pi-2";
  expect_names(envelope, "routing key");
}

TEST(WireHello, MoreThanItsBounds_IsRefused) {
  json variants = json::array();
  const json one = json::parse(*hello().body)["variants"][0];
  for (std::size_t i = 0; i <= kVariantsMax; ++i) {
    variants.push_back(one);
  }
  expect_names(with(hello(), "/variants", variants), "variants");
}

TEST(WireHello, UnknownFieldsAndOptionalOnesMissing_AreFine) {
  EXPECT_TRUE(wire::decode_hello(with(hello(), "/fan_rpm", 1200)).has_value());
  Envelope envelope = without(without(hello(), "/idle_mw"), "/memory_bytes");
  const auto decoded = wire::decode_hello(envelope);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_FALSE(decoded->idle.has_value());
}

TEST(WireHello, UnknownMajor_IsRefused) {
  Envelope envelope = hello();
  envelope.type = "juggler.hello.v2";
  expect_names(envelope, "message type");
}

TEST(WireHello, LargestThatIsAllowed_FitsIntoTheSizeThatIsRead) {
  test::DeviceBuilder builder("big");
  builder.processor("p0");
  for (std::size_t v = 0; v < kVariantsMax; ++v) {
    builder.serves(test::variant("some-network-of-average-length-" + std::to_string(v)),
                   milliseconds(50), test::energy_mj(100, 0.1));
    for (int batch = 2; batch <= static_cast<int>(kProfilePointsMax); ++batch) {
      builder.point(batch, milliseconds(50));
    }
  }
  const DeviceFacts facts = builder;
  ASSERT_TRUE(validate(facts).has_value());
  EXPECT_TRUE(wire::decode_hello(wire::encode_hello(facts)).has_value());
}

}  // namespace
}  // namespace juggler
