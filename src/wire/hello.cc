// The hello: everything a device says of itself.

#include <algorithm>
#include <cmath>

#include "wire/bodies.h"
#include "wire/figures.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kHelloBytesMax =
    std::size_t{4} * 1024 * 1024;  // 32 processors x 256 variants x 16 sizes fit
constexpr std::int64_t kBytesMax = INT64_MAX / 4;

void write(JsonWriter& writer, const Variant& variant) {
  writer.begin_object();
  writer.text("accuracy_evidence", to_string(variant.accuracy_evidence));
  writer.number("accuracy_percent", static_cast<double>(variant.accuracy.count) / 1000.0);
  writer.text("id", variant.id);
  writer.text("model", variant.model);
  writer.text("network", variant.network);
  writer.text("precision", variant.precision);
  writer.text("sha256", variant.sha256);
  writer.text("weights", to_string(variant.weights));
  writer.end_object();
}

void write(JsonWriter& writer, const ProfilePoint& point) {
  writer.begin_object();
  writer.integer("batch", point.batch);
  write_energy(writer, point.energy);
  writer.integer("latency_us_mean", point.latency_mean.count);
  writer.integer("latency_us_p95", point.latency_p95.count);
  writer.end_object();
}

void write(JsonWriter& writer, const Profile& profile, bool loaded) {
  writer.begin_object();
  writer.text("evidence", to_string(profile.evidence));
  writer.integer("load_us", profile.load.count);
  if (loaded) {
    writer.flag("loaded", true);
  }
  writer.integer("memory_bytes", profile.memory.count);
  writer.begin_array("points");
  for (const ProfilePoint& point : profile.points) {
    write(writer, point);
  }
  writer.end_array();
  writer.text("source", profile.source);
  writer.text("variant", profile.variant);
  writer.end_object();
}

void write(JsonWriter& writer, const Processor& processor) {
  writer.begin_object();
  writer.integer("batch_max", processor.batch_max);
  writer.text("id", processor.id);
  writer.text("kind", to_string(processor.kind));
  writer.begin_array("profiles");
  for (const Profile& profile : processor.profiles) {
    write(writer, profile,
          std::binary_search(processor.loaded.begin(), processor.loaded.end(), profile.variant));
  }
  writer.end_array();
  writer.text("runtime", processor.runtime);
  if (!processor.slowed_by.empty()) {
    writer.begin_array("slowed_by");
    for (const Slowdown& slowdown : processor.slowed_by) {
      writer.begin_object();
      writer.integer("permille", slowdown.permille);
      writer.text("processor", slowdown.by);
      writer.end_object();
    }
    writer.end_array();
  }
  writer.integer("window_batches", processor.window_batches);
  writer.end_object();
}

Variant read_variant(ObjectReader& reader) {
  Variant variant;
  variant.id = reader.string("id", 128);
  variant.model = reader.string("model", 128);
  variant.network = reader.string("network", 128);
  variant.precision = reader.string("precision", 16);
  variant.accuracy = {std::llround(reader.number("accuracy_percent", 0, 100) * 1000)};
  variant.accuracy_evidence = reader.name("accuracy_evidence", parse_evidence, Evidence::Assumed);
  variant.weights = reader.name("weights", parse_weights, Weights::Synthetic);
  variant.sha256 = reader.string_or("sha256", "", 64);
  return variant;
}

ProfilePoint read_point(ObjectReader& reader) {
  ProfilePoint point;
  point.batch = static_cast<int>(reader.integer("batch", 1, 1024));
  point.latency_mean = {reader.integer("latency_us_mean", 0, kMicrosMax)};
  point.latency_p95 = {reader.integer("latency_us_p95", 0, kMicrosMax)};
  point.energy = read_energy(reader);
  return point;
}

Profile read_profile(ObjectReader& reader) {
  Profile profile;
  profile.variant = reader.string("variant", 128);
  profile.memory = {reader.integer_or("memory_bytes", 0, 0, kBytesMax)};
  profile.load = {reader.integer_or("load_us", 0, 0, kMicrosMax)};
  profile.evidence = reader.name("evidence", parse_evidence, Evidence::Assumed);
  profile.source = reader.string_or("source", "", 4096);
  reader.each("points", kProfilePointsMax,
              [&](ObjectReader& point) { profile.points.push_back(read_point(point)); });
  return profile;
}

Processor read_processor(ObjectReader& reader) {
  Processor processor;
  processor.id = reader.string("id", 63);
  processor.kind = reader.name("kind", parse_processor_kind, ProcessorKind::Cpu);
  processor.runtime = reader.string_or("runtime", "", 512);
  processor.window_batches = static_cast<int>(reader.integer("window_batches", 1, 64));
  processor.batch_max = static_cast<int>(reader.integer("batch_max", 1, 1024));
  reader.each("profiles", kVariantsMax, [&](ObjectReader& profile) {
    processor.profiles.push_back(read_profile(profile));
    if (profile.boolean_or("loaded", false)) {
      processor.loaded.push_back(processor.profiles.back().variant);
    }
  });
  if (reader.has("slowed_by")) {
    reader.each("slowed_by", kProcessorsMax, [&](ObjectReader& slowdown) {
      processor.slowed_by.push_back({slowdown.string("processor", 63),
                                     slowdown.integer("permille", kSlowdownMin, kSlowdownMax)});
    });
  }
  return processor;
}

}  // namespace

Envelope encode_hello(const DeviceFacts& facts) {
  Envelope envelope;
  envelope.exchange = kUpExchange;
  envelope.routing_key = "hello." + facts.id;
  envelope.type = type_of("hello");
  envelope.content_type = "application/json";
  envelope.app_id = facts.id;
  envelope.persistent = false;
  envelope.mandatory = false;
  envelope.body = body_of(facts);
  return envelope;
}

void write_fields(JsonWriter& writer, const DeviceFacts& facts) {
  if (facts.battery_permille_min > 0) {
    writer.integer("battery_permille_min", facts.battery_permille_min);
  }
  writer.text("board", facts.board);
  writer.text("device", facts.id);
  if (facts.idle.has_value()) {
    writer.integer("idle_mw", facts.idle->count);
  }
  writer.integer("incarnation", facts.incarnation);
  writer.integer("memory_bytes", facts.memory.count);
  write_minor(writer);
  if (facts.power_max.has_value()) {
    writer.integer("power_mw_max", facts.power_max->count);
  }
  writer.begin_array("processors");
  for (const Processor& processor : facts.processors) {
    write(writer, processor);
  }
  writer.end_array();
  if (!facts.serving) {
    writer.flag("serving", false);
  }
  writer.text("title", facts.title);
  writer.integer("to_board_input_permille", facts.to_board_input.factor_permille);
  if (facts.to_board_input.from.has_value()) {
    writer.text("to_board_input_scope", to_string(*facts.to_board_input.from));
  }
  writer.flag("twin", facts.twin);
  writer.begin_array("variants");
  for (const Variant& variant : facts.variants) {
    write(writer, variant);
  }
  writer.end_array();
}

DeviceFacts read_facts(ObjectReader& reader) {
  DeviceFacts facts;
  facts.id = reader.string("device", 63);
  facts.board = reader.string_or("board", "unknown", 128);
  facts.title = reader.string_or("title", "", 512);
  facts.twin = reader.boolean_or("twin", false);
  facts.serving = reader.boolean_or("serving", true);
  facts.incarnation = reader.integer("incarnation", 0, INT64_MAX);
  facts.memory = {reader.integer_or("memory_bytes", 0, 0, kBytesMax)};
  facts.to_board_input.factor_permille =
      reader.integer_or("to_board_input_permille", 1000, 100, 10'000);
  if (reader.has("to_board_input_scope")) {
    facts.to_board_input.from =
        reader.name("to_board_input_scope", parse_power_scope, PowerScope::BoardInput);
  }
  if (const auto idle = reader.optional_integer("idle_mw", 0, 10'000'000)) {
    facts.idle = Milliwatts{*idle};
  }
  if (const auto most = reader.optional_integer("power_mw_max", 0, 1'000'000'000)) {
    facts.power_max = Milliwatts{*most};
  }
  facts.battery_permille_min = reader.integer_or("battery_permille_min", 0, 0, 1000);
  reader.each("variants", kVariantsMax,
              [&](ObjectReader& variant) { facts.variants.push_back(read_variant(variant)); });
  reader.each("processors", kProcessorsMax, [&](ObjectReader& processor) {
    facts.processors.push_back(read_processor(processor));
  });
  return facts;
}

Result<DeviceFacts> decode_hello(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "hello"); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "hello without a body");
  }
  JsonDocument document;
  if (const Result<void> parsed = document.parse(*envelope.body, kHelloBytesMax); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  DeviceFacts facts = read_facts(reader);
  if (error.has_value()) {
    return *error;
  }
  if (envelope.routing_key != "hello." + facts.id) {
    return fail(ErrorCode::Corrupt, "hello of device '" + facts.id + "' came by the routing key " +
                                        envelope.routing_key);
  }
  if (const Result<void> sane = validate(facts); !sane) {
    return sane.error();
  }
  return facts;
}

}  // namespace juggler::wire
