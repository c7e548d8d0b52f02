#include "wire/fleet_record.h"

#include <fmt/format.h>

#include <optional>

#include "core/device.h"
#include "core/task.h"
#include "wire/bodies.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kRecordBytesMax = std::size_t{8} << 20U;
constexpr std::size_t kSelectorMax = 160;

void write_note(JsonWriter& writer, const DeviceNote& note) {
  writer.begin_object();
  writer.text("device", note.device);
  writer.begin_array("groups");
  for (const std::string& group : note.groups) {
    writer.begin_object();
    writer.text("name", group);
    writer.end_object();
  }
  writer.end_array();
  writer.begin_array("labels");
  for (const auto& [key, value] : note.labels) {
    writer.begin_object();
    writer.text("key", key);
    writer.text("value", value);
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
}

void write_names(JsonWriter& writer, const char* key, const std::vector<std::string>& names) {
  writer.begin_array(key);
  for (const std::string& name : names) {
    writer.begin_object();
    writer.text("name", name);
    writer.end_object();
  }
  writer.end_array();
}

void write_rollout(JsonWriter& writer, const Rollout& rollout) {
  writer.begin_object();
  writer.integer("began_unix_s", rollout.began_unix_s);
  writer.integer("errors_permille_max", rollout.errors_permille_max);
  if (rollout.latency_max.has_value()) {
    writer.integer("latency_us_max", rollout.latency_max->count);
  }
  write_names(writer, "reached", rollout.reached);
  writer.text("reason", rollout.reason);
  writer.integer("slower_percent_max", rollout.slower_percent_max);
  writer.text("state", to_string(rollout.state));
  writer.text("variant", rollout.variant);
  writer.integer("watch_us", rollout.watch.count);
  writer.text("where", to_string(rollout.where));
  writer.end_object();
}

Selector read_selector(ObjectReader& reader) {
  const Result<Selector> selector = parse_selector(reader.string("where", kSelectorMax));
  if (!selector && !reader.failed()) {
    reader.complain("where", selector.error().message);
  }
  return selector.value_or(Selector{});
}

std::vector<std::string> read_names(ObjectReader& reader, const char* key, std::size_t count_max,
                                    std::size_t size_max) {
  std::vector<std::string> names;
  reader.each(key, count_max,
              [&](ObjectReader& name) { names.push_back(name.string("name", size_max)); });
  return names;
}

DeviceNote read_note(ObjectReader& reader) {
  DeviceNote note;
  note.device = reader.string("device", kDeviceIdMax);
  for (std::string& group : read_names(reader, "groups", kGroupsPerDeviceMax, kRecordWordMax)) {
    note.groups.insert(std::move(group));
  }
  reader.each("labels", kLabelsPerDeviceMax, [&](ObjectReader& label) {
    std::string key = label.string("key", kRecordWordMax);
    note.labels[std::move(key)] = label.string("value", kRecordWordMax);
  });
  return note;
}

Rollout read_rollout(ObjectReader& reader) {
  Rollout rollout;
  rollout.began_unix_s = reader.integer("began_unix_s", 0, INT64_MAX);
  rollout.errors_permille_max = reader.integer("errors_permille_max", 0, 1'000);
  if (const auto latency = reader.optional_integer("latency_us_max", 1, 600'000'000)) {
    rollout.latency_max = Micros{*latency};
  }
  rollout.reached = read_names(reader, "reached", kNotesMax, kDeviceIdMax);
  rollout.reason = reader.string("reason", 1'024);
  rollout.slower_percent_max = reader.integer("slower_percent_max", 100, 1'000'000);
  rollout.state = reader.name("state", parse_rollout_state, RolloutState::RolledBack);
  rollout.variant = reader.string("variant", kModelNameMax);
  rollout.watch = Micros{reader.integer("watch_us", 0, INT64_MAX / 4)};
  rollout.where = read_selector(reader);
  return rollout;
}

}  // namespace

std::string record_json(const FleetRecord& record) {
  JsonWriter writer;
  writer.begin_object();
  writer.begin_array("devices");
  for (const DeviceNote& note : record.devices) {
    write_note(writer, note);
  }
  writer.end_array();
  writer.integer("revision", record.revision);
  writer.begin_array("rollouts");
  for (const Rollout& rollout : record.rollouts) {
    write_rollout(writer, rollout);
  }
  writer.end_array();
  writer.begin_array("wants");
  for (const Want& want : record.wants) {
    writer.begin_object();
    write_names(writer, "models", want.models);
    writer.text("where", to_string(want.where));
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
  return writer.take();
}

Envelope encode_record(const FleetRecord& record) {
  Envelope envelope;
  envelope.routing_key = kFleetQueue;  // by the default exchange
  envelope.type = type_of("fleet");
  envelope.content_type = "application/json";
  envelope.message_id = fmt::format("fleet.{}", record.revision);
  envelope.body = make_body(record_json(record));
  return envelope;
}

Result<FleetRecord> decode_record(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "fleet"); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "message without a body");
  }
  JsonDocument document;
  if (const Result<void> parsed = document.parse(*envelope.body, kRecordBytesMax); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  FleetRecord record;
  record.revision = reader.integer("revision", 0, INT64_MAX - 1);
  reader.each("devices", kNotesMax,
              [&](ObjectReader& note) { record.devices.push_back(read_note(note)); });
  reader.each("wants", kWantsMax, [&](ObjectReader& want) {
    std::vector<std::string> models = read_names(want, "models", kWantedModelsMax, kModelNameMax);
    record.wants.push_back({read_selector(want), std::move(models)});
  });
  reader.each("rollouts", kRolloutsMax,
              [&](ObjectReader& rollout) { record.rollouts.push_back(read_rollout(rollout)); });
  if (error.has_value()) {
    return *error;
  }
  if (const Result<void> valid = validate(record); !valid) {
    return valid.error();
  }
  return record;
}

}  // namespace juggler::wire
