// Dispatch, result, heartbeat and control: each malformed field is refused by its name.

#include <gtest/gtest.h>

#include <algorithm>

#include "support/builders.h"
#include "support/json_edit.h"
#include "wire/messages.h"

namespace juggler {
namespace {

using nlohmann::json;
using test::with;
using test::without;
using wire::Envelope;

Dispatch dispatch() {
  Dispatch made;
  made.attempt = {{"user:a", "t"}, 3, 2};
  made.device = "pi-1";
  made.processor = "cpu0";
  made.variant = "n-fp32";
  made.batch = 7;
  made.budget = milliseconds(500);
  made.priority = 4;
  made.payload.kind = PayloadKind::Jpeg;
  return made;
}
Envelope dispatch_message() { return wire::encode_dispatch(dispatch(), wire::make_body("bytes")); }
Envelope result_message() {
  AttemptResult result = test::result_of(dispatch());
  result.energy = test::energy_mj(5, 0.1);
  return wire::encode_result(result);
}
Envelope heartbeat_message() {
  Heartbeat beat;
  beat.device = "pi-1";
  beat.incarnation = 4;
  beat.host.memory_free = Bytes{5};
  beat.host.cpu_load_permille = 10;
  beat.host.temperature_millicelsius = 40'000;
  beat.host.throttled = false;
  beat.host.power_mode = "15W";
  beat.host.power = PowerNow{{5120}, PowerScope::ModuleRail, Evidence::Measured};
  beat.host.age = Micros{250'000};
  beat.running = {{dispatch().attempt}};
  return wire::encode_heartbeat(beat);
}

template <class T>
void expect_names(const Result<T>& decoded, const std::string& field) {
  ASSERT_FALSE(decoded.has_value()) << "accepted a wrong " << field;
  EXPECT_NE(decoded.error().message.find(field), std::string::npos) << decoded.error().message;
}

TEST(WireDispatch, Encoded_GoesToItsDeviceAndDiesWithItsBudget) {
  const Envelope envelope = dispatch_message();
  EXPECT_EQ(envelope.exchange, "juggler.dispatch");
  EXPECT_EQ(envelope.routing_key, "pi-1");
  EXPECT_EQ(envelope.type, "juggler.task.v1");
  EXPECT_EQ(envelope.expiration_ms, 1500);
  EXPECT_EQ(envelope.priority, 4);
  EXPECT_TRUE(envelope.mandatory);
  EXPECT_TRUE(envelope.persistent);
}

TEST(WireDispatch, BudgetUnderAMillisecond_StillLivesForOne) {
  Dispatch hurried = dispatch();
  hurried.budget = Micros{10};
  EXPECT_EQ(wire::encode_dispatch(hurried, wire::make_body("x")).expiration_ms, 1000);
}

TEST(WireDispatch, MissingHeader_IsRefusedByName) {
  for (const char* header :
       {"x-juggler-submitter", "x-juggler-epoch", "x-juggler-attempt", "x-juggler-budget-us",
        "x-juggler-processor", "x-juggler-variant", "x-juggler-batch", "x-juggler-batch-size",
        "x-juggler-top-k", "x-juggler-payload", "x-juggler-width", "x-juggler-height"}) {
    Envelope envelope = dispatch_message();
    ASSERT_EQ(envelope.headers.erase(header), 1U) << header;
    expect_names(wire::decode_dispatch(envelope), header);
  }
}

TEST(WireDispatch, HeaderOfTheWrongType_IsRefusedByName) {
  for (const char* header : {"x-juggler-epoch", "x-juggler-attempt", "x-juggler-budget-us",
                             "x-juggler-batch", "x-juggler-top-k", "x-juggler-width"}) {
    Envelope envelope = dispatch_message();
    envelope.headers[header] = std::string("1");
    expect_names(wire::decode_dispatch(envelope), header);
    envelope.headers[header] = std::int64_t{-1};
    expect_names(wire::decode_dispatch(envelope), header);
    envelope.headers[header] = 1.0;
    expect_names(wire::decode_dispatch(envelope), header);
  }
  Envelope envelope = dispatch_message();
  envelope.headers["x-juggler-variant"] = std::int64_t{1};
  expect_names(wire::decode_dispatch(envelope), "x-juggler-variant");
}

// A controller of an earlier version puts none on, a consumer of one gives none back.
TEST(WireStamp, LeftOut_IsEmpty) {
  const Envelope without = dispatch_message();
  EXPECT_FALSE(without.headers.contains("x-juggler-stamp"));
  EXPECT_EQ(wire::decode_dispatch(without)->stamp, "");
  EXPECT_EQ(wire::decode_result(result_message())->stamp, "");
  EXPECT_EQ(wire::decode_heartbeat(heartbeat_message())->running.at(0).stamp, "");
}

TEST(WireStamp, TooLong_IsRefused) {
  Envelope envelope = dispatch_message();
  envelope.headers["x-juggler-stamp"] = std::string(65, 'a');
  expect_names(wire::decode_dispatch(envelope), "x-juggler-stamp");
  AttemptResult result = test::result_of(dispatch());
  result.stamp = std::string(65, 'a');
  expect_names(wire::decode_result(wire::encode_result(result)), "stamp");
}

TEST(WireDispatch, UnknownPayloadKind_IsRefused) {
  Envelope envelope = dispatch_message();
  envelope.headers["x-juggler-payload"] = std::string("hologram");
  expect_names(wire::decode_dispatch(envelope), "hologram");
}

TEST(WireDispatch, NoTaskId_IsRefused) {
  Envelope envelope = dispatch_message();
  envelope.correlation_id.clear();
  expect_names(wire::decode_dispatch(envelope), "correlation_id");
  envelope.correlation_id = std::string(200, 'x');
  expect_names(wire::decode_dispatch(envelope), "correlation_id");
}

TEST(WireDispatch, NoBody_IsRefused) {
  Envelope envelope = dispatch_message();
  envelope.body = nullptr;
  expect_names(wire::decode_dispatch(envelope), "body");
}

TEST(WireDispatch, UnknownHeader_IsIgnored) {
  Envelope envelope = dispatch_message();
  envelope.headers["x-juggler-minor"] = std::int64_t{9};
  envelope.headers["x-juggler-new-in-1.9"] = true;
  EXPECT_TRUE(wire::decode_dispatch(envelope).has_value());
}

TEST(WireVersion, UnknownMajorOrAnotherKind_IsRefusedEverywhere) {
  for (const char* type : {"", "juggler.task.v2", "juggler.result.v2", "juggler.heartbeat.v0",
                           "juggler.control.v11", "juggler.hello.v1"}) {
    Envelope envelope = dispatch_message();
    envelope.type = type;
    expect_names(wire::decode_dispatch(envelope), "message type");
    envelope = result_message();
    envelope.type = type;
    expect_names(wire::decode_result(envelope), "message type");
    envelope = heartbeat_message();
    envelope.type = type;
    expect_names(wire::decode_heartbeat(envelope), "message type");
    envelope = wire::encode_control("pi-1", {.kind = wire::ControlKind::Drain});
    envelope.type = type;
    expect_names(wire::decode_control(envelope), "message type");
  }
}

TEST(WireResult, Encoded_SaysWhoseItIs) {
  const Envelope envelope = result_message();
  EXPECT_EQ(envelope.exchange, "juggler.up");
  EXPECT_EQ(envelope.routing_key, "result.pi-1");
  EXPECT_EQ(envelope.message_id, "t.3.2.result");
  EXPECT_TRUE(envelope.persistent);
  EXPECT_TRUE(envelope.mandatory);
}

TEST(WireResult, RequiredFieldMissing_IsRefusedByName) {
  for (const char* field : {"submitter", "id", "epoch", "attempt", "device", "processor", "variant",
                            "status", "queued_us", "compute_us"}) {
    expect_names(wire::decode_result(without(result_message(), std::string("/") + field)),
                 std::string("'") + field + "'");
  }
}

TEST(WireResult, FieldOfTheWrongType_IsRefusedByName) {
  const std::vector<std::pair<std::string, json>> wrong{{"id", 5},
                                                        {"epoch", "5"},
                                                        {"epoch", -1},
                                                        {"attempt", 0},
                                                        {"attempt", 1.5},
                                                        {"device", json::array()},
                                                        {"status", "fine"},
                                                        {"status", 1},
                                                        {"reason", 7},
                                                        {"labels", "cat"},
                                                        {"synthetic_labels", "no"},
                                                        {"queued_us", -1},
                                                        {"compute_us", 1e300},
                                                        {"compute_us", 18446744073709551615ULL},
                                                        {"slowed_us", -1},
                                                        {"slowed_us", 1e9},
                                                        {"batch_size", 0},
                                                        {"redelivered", 1},
                                                        {"energy_uj", "low"}};
  for (const auto& [field, value] : wrong) {
    expect_names(wire::decode_result(with(result_message(), "/" + field, value)), field);
  }
}

TEST(WireResult, LabelsWithWrongFields_AreRefusedByPlace) {
  expect_names(wire::decode_result(with(result_message(), "/labels/0/score", "high")),
               "labels[0].score");
  expect_names(wire::decode_result(with(result_message(), "/labels/0/index", -1)),
               "labels[0].index");
  expect_names(wire::decode_result(with(result_message(), "/labels/0", 3)), "labels");
}

TEST(WireResult, MoreLabelsThanAllowed_AreRefused) {
  json labels = json::array();
  for (int i = 0; i <= kTopKMax; ++i) {
    labels.push_back({{"index", i}, {"label", "x"}, {"score", 0.1}});
  }
  expect_names(wire::decode_result(with(result_message(), "/labels", labels)), "labels");
}

TEST(WireResult, LabelsWithNamesWithoutEnd_AreNeitherReadNorWritten) {
  AttemptResult result = test::result_of(dispatch());
  result.labels.clear();
  for (int i = 0; i < 65; ++i) {
    result.labels.push_back({i, std::string(1'000, 'x'), 0.1});
  }
  const Result<AttemptResult> fits = wire::decode_result(wire::encode_result(result));
  ASSERT_TRUE(fits.has_value());
  EXPECT_EQ(fits->labels.size(), 65U);
  result.labels.push_back({65, std::string(1'000, 'x'), 0.1});
  const Result<AttemptResult> cut = wire::decode_result(wire::encode_result(result));
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(cut->labels, fits->labels);
  json labels = json::array();
  for (int i = 0; i < 66; ++i) {
    labels.push_back({{"index", i}, {"label", std::string(1'000, 'x')}, {"score", 0.1}});
  }
  const Result<AttemptResult> read =  // of an earlier version, which wrote all
      wire::decode_result(with(result_message(), "/labels", labels));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->labels.size(), 65U);
}

TEST(WireResult, EnergyWithoutItsInterval_IsRefused) {
  for (const char* field : {"energy_uj_low", "energy_uj_high", "energy_evidence", "energy_scope"}) {
    expect_names(wire::decode_result(without(result_message(), std::string("/") + field)), field);
  }
}

TEST(WireResult, EnergyIntervalUpsideDown_IsRefused) {
  expect_names(wire::decode_result(with(result_message(), "/energy_uj_high", 1)), "energy_uj");
}

TEST(WireResult, OfAnotherDeviceThanItsRoutingKey_IsRefused) {
  Envelope envelope = result_message();
  envelope.routing_key = "result.pi-2";
  expect_names(wire::decode_result(envelope), "routing key");
}

TEST(WireResult, UnknownFields_AreIgnored) {
  EXPECT_TRUE(wire::decode_result(with(result_message(), "/gpu_clock_mhz", 900)).has_value());
  EXPECT_TRUE(wire::decode_result(with(result_message(), "/minor", 99)).has_value());
}

TEST(WireHeartbeat, RequiredFieldMissing_IsRefusedByName) {
  for (const char* field : {"device", "incarnation"}) {
    expect_names(wire::decode_heartbeat(without(heartbeat_message(), std::string("/") + field)),
                 field);
  }
}

TEST(WireHeartbeat, FieldOfTheWrongType_IsRefusedByName) {
  const std::vector<std::pair<std::string, json>> wrong{{"incarnation", "new"},
                                                        {"draining", 1},
                                                        {"leaving", "yes"},
                                                        {"memory_bytes_free", -1},
                                                        {"cpu_load_permille", 1001},
                                                        {"temperature_millicelsius", 1e9},
                                                        {"host", 5},
                                                        {"host/power_mw", -1},
                                                        {"host/power_scope", "roof"},
                                                        {"host/throttled", 1},
                                                        {"host/age_us", "old"},
                                                        {"running", 5},
                                                        {"running", json::array({1})}};
  for (const auto& [field, value] : wrong) {
    std::string name = field;
    std::replace(name.begin(), name.end(), '/', '.');
    expect_names(wire::decode_heartbeat(with(heartbeat_message(), "/" + field, value)), name);
  }
  expect_names(wire::decode_heartbeat(without(heartbeat_message(), "/running/0/epoch")),
               "running[0].epoch");
}

TEST(WireHeartbeat, OptionalFieldsMissingOrNull_AreUnknown) {
  Envelope envelope = without(heartbeat_message(), "/memory_bytes_free");
  envelope = with(envelope, "/cpu_load_permille", nullptr);
  const auto decoded = wire::decode_heartbeat(envelope);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_FALSE(decoded->host.memory_free.has_value());
  EXPECT_FALSE(decoded->host.cpu_load_permille.has_value());
}

TEST(WireHeartbeat, OfAnotherDeviceThanItsRoutingKey_IsRefused) {
  Envelope envelope = heartbeat_message();
  envelope.routing_key = "heartbeat.pi-2";
  expect_names(wire::decode_heartbeat(envelope), "routing key");
}

TEST(WireControl, UnknownCommand_IsRefused) {
  const Envelope envelope = wire::encode_control("pi-1", {.kind = wire::ControlKind::Hello});
  EXPECT_EQ(envelope.routing_key, "device.pi-1");
  expect_names(wire::decode_control(with(envelope, "/do", "reboot")), "reboot");
  expect_names(wire::decode_control(without(envelope, "/do")), "do");
}

}  // namespace
}  // namespace juggler
