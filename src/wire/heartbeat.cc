// The heartbeat: what a device says about every second. Its object `host` stands in host_sample.cc.

#include "wire/bodies.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kHeartbeatBytesMax = std::size_t{256} * 1024;
constexpr std::size_t kLaneReasonMax = 200;  // written; repaired text may be longer

void write_attempt(JsonWriter& writer, const StartedAttempt& started) {
  const AttemptId& id = started.id;
  writer.begin_object();
  writer.integer("attempt", id.number);
  writer.integer("epoch", id.epoch);
  writer.text("id", id.task.id);
  if (!started.stamp.empty()) {
    writer.text("stamp", started.stamp);
  }
  writer.text("submitter", id.task.submitter);
  writer.end_object();
}

void write_lane_variants(JsonWriter& writer, const char* key,
                         const std::vector<LaneVariant>& list) {
  if (list.empty()) {
    return;
  }
  writer.begin_array(key);
  for (const LaneVariant& one : list) {
    writer.begin_object();
    writer.text("processor", one.processor);
    if (!one.reason.empty()) {
      writer.text("reason", one.reason.substr(0, kLaneReasonMax));
    }
    writer.text("variant", one.variant);
    writer.end_object();
  }
  writer.end_array();
}

std::vector<LaneVariant> read_lane_variants(ObjectReader& reader, const char* key) {
  std::vector<LaneVariant> list;
  reader.each(key, kLaneVariantsMax, [&](ObjectReader& entry) {
    LaneVariant one;
    one.processor = entry.string("processor", 63);
    one.reason = entry.string_or("reason", "", 4 * kLaneReasonMax);
    one.variant = entry.string("variant", kModelNameMax);
    list.push_back(std::move(one));
  });
  return list;
}

StartedAttempt read_attempt(ObjectReader& reader) {
  StartedAttempt started;
  AttemptId& id = started.id;
  id.number = static_cast<int>(reader.integer("attempt", 1, 1'000'000));
  id.epoch = reader.integer("epoch", 0, INT64_MAX);
  id.task.id = reader.string("id", kInternalIdMax);
  id.task.submitter = reader.string("submitter", kSubmitterMax);
  started.stamp = reader.string_or("stamp", "", kStampMax);
  return started;
}

}  // namespace

Envelope encode_heartbeat(const Heartbeat& heartbeat) {
  Envelope envelope = up("heartbeat", heartbeat.device);
  envelope.persistent = false;
  envelope.mandatory = false;
  envelope.body = body_of(heartbeat);
  return envelope;
}

void write_fields(JsonWriter& writer, const Heartbeat& heartbeat) {
  if (heartbeat.host.cpu_load_permille.has_value()) {
    writer.integer("cpu_load_permille", *heartbeat.host.cpu_load_permille);
  }
  writer.text("device", heartbeat.device);
  writer.flag("draining", heartbeat.draining);
  writer.integer("every_us", heartbeat.every.count);
  write_host(writer, heartbeat.host);
  writer.integer("incarnation", heartbeat.incarnation);
  writer.flag("leaving", heartbeat.leaving);
  if (heartbeat.host.memory_free.has_value()) {
    writer.integer("memory_bytes_free", heartbeat.host.memory_free->count);
  }
  write_minor(writer);
  writer.begin_array("running");
  for (const StartedAttempt& started : heartbeat.running) {
    write_attempt(writer, started);
  }
  writer.end_array();
  if (!heartbeat.serving) {
    writer.flag("serving", false);
  }
  write_lane_variants(writer, "stopped", heartbeat.stopped);
  if (heartbeat.host.temperature_millicelsius.has_value()) {
    writer.integer("temperature_millicelsius", *heartbeat.host.temperature_millicelsius);
  }
  write_lane_variants(writer, "unloaded", heartbeat.unloaded);
}

Heartbeat read_heartbeat(ObjectReader& reader) {
  Heartbeat heartbeat;
  heartbeat.device = reader.string("device", 63);
  heartbeat.incarnation = reader.integer("incarnation", 0, INT64_MAX);
  heartbeat.draining = reader.boolean_or("draining", false);
  heartbeat.leaving = reader.boolean_or("leaving", false);
  heartbeat.serving = reader.boolean_or("serving", true);
  // Left out by a device that cannot be told another: once a second.
  heartbeat.every = Micros{
      reader.optional_integer("every_us", 1'000, 600'000'000).value_or(heartbeat.every.count)};
  if (const auto bytes = reader.optional_integer("memory_bytes_free", 0, INT64_MAX)) {
    heartbeat.host.memory_free = Bytes{*bytes};
  }
  heartbeat.host.cpu_load_permille = reader.optional_integer("cpu_load_permille", 0, 1000);
  heartbeat.host.temperature_millicelsius =
      reader.optional_integer("temperature_millicelsius", -100'000, 250'000);
  read_host(reader, heartbeat.host);
  reader.each("running", 1024,
              [&](ObjectReader& attempt) { heartbeat.running.push_back(read_attempt(attempt)); });
  heartbeat.stopped = read_lane_variants(reader, "stopped");
  heartbeat.unloaded = read_lane_variants(reader, "unloaded");
  return heartbeat;
}

Result<Heartbeat> decode_heartbeat(const Envelope& envelope) {
  JsonDocument document;
  if (const Result<void> parsed = parse_body(envelope, "heartbeat", kHeartbeatBytesMax, document);
      !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  Heartbeat heartbeat = read_heartbeat(reader);
  if (error.has_value()) {
    return *error;
  }
  if (envelope.routing_key != "heartbeat." + heartbeat.device) {
    return fail(ErrorCode::Corrupt, "heartbeat of device '" + heartbeat.device +
                                        "' came by the routing key " + envelope.routing_key);
  }
  return heartbeat;
}

}  // namespace juggler::wire
