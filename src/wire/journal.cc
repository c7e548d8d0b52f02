#include "wire/journal.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "wire/bodies.h"
#include "wire/journal_config.h"
#include "wire/raw_fields.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kTextMax = std::size_t{64} << 10U;
constexpr std::int64_t kTimeMax = INT64_MAX / 1024;  // times added to it stay times

// In the order of the events' and ends' own numbers.
constexpr std::array<std::string_view, std::variant_size_v<ControllerEvent>> kEvents{
    "lead-begun", "lead-ended", "broker-blocked", "submitted", "result",   "hello",
    "heartbeat",  "decided",    "settled",        "tick",      "presence", "tasks-read"};
constexpr std::array<std::string_view, 4> kEnds{"confirmed", "returned", "refused", "unknown"};

template <std::size_t N>
std::optional<std::size_t> index_in(const std::array<std::string_view, N>& names,
                                    std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) {
      return i;
    }
  }
  return std::nullopt;
}

void put(JsonWriter& writer, const DeliveryId& delivery) {
  put_bits(writer, "connection", delivery.incarnation);
  put_bits(writer, "tag", delivery.tag);
}
DeliveryId get_delivery(ObjectReader& reader) {
  const std::uint64_t incarnation = get_bits(reader, "connection");
  return {incarnation, get_bits(reader, "tag")};
}

template <class Message>
void put(JsonWriter& writer, const char* key, const Message& message) {
  writer.begin_object(key);
  write_fields(writer, message);
  writer.end_object();
}

// The message in that field; one read from nothing, with an error, if there is none.
template <class Message>
Message get(ObjectReader& reader, const char* key, Message (*read)(ObjectReader&)) {
  if (std::optional<ObjectReader> object = reader.object(key)) {
    return read(*object);
  }
  reader.complain(key, "is missing or not an object");
  return {};
}

void put_submission(JsonWriter& writer, const Submission& task) {
  writer.begin_object("task");
  const Requirements& wanted = task.requirements;
  writer.flag("allow_synthetic", wanted.allow_synthetic);
  put_bytes(writer, "correlation_id", task.correlation_id);
  if (wanted.deadline.has_value()) {
    writer.integer("deadline_us", wanted.deadline->count);
  }
  if (!wanted.device.empty()) {
    put_bytes(writer, "device", wanted.device);
  }
  put_bytes(writer, "id", task.key.id);
  if (wanted.max_energy.has_value()) {
    writer.integer("max_energy_uj", wanted.max_energy->count);
  }
  if (wanted.min_accuracy.has_value()) {
    writer.integer("min_accuracy_millipercent", wanted.min_accuracy->count);
  }
  put_bytes(writer, "model", wanted.model);
  put_bits(writer, "payload", task.payload.handle);
  writer.integer("payload_bytes", task.payload.size.count);
  writer.integer("payload_height", task.payload.height);
  writer.text("payload_kind", to_string(task.payload.kind));
  writer.integer("payload_width", task.payload.width);
  writer.integer("priority", wanted.priority);
  writer.flag("redelivered", task.redelivered);
  put_bytes(writer, "reply_to", task.reply_to);
  put_bytes(writer, "submitter", task.key.submitter);
  writer.integer("top_k", wanted.top_k);
  writer.end_object();
}

Submission read_submission(ObjectReader& reader) {
  Submission task;
  Requirements& wanted = task.requirements;
  wanted.allow_synthetic = reader.boolean_or("allow_synthetic", false);
  task.correlation_id = get_bytes(reader, "correlation_id", kTextMax);
  if (const auto us = reader.optional_integer("deadline_us", 0, kTimeMax)) {
    wanted.deadline = Micros{*us};
  }
  wanted.device = get_bytes(reader, "device", kTextMax);
  task.key.id = get_bytes(reader, "id", kTextMax);
  if (const auto uj = reader.optional_integer("max_energy_uj", 0, kTimeMax)) {
    wanted.max_energy = Microjoules{*uj};
  }
  if (const auto share = reader.optional_integer("min_accuracy_millipercent", 0, 100'000)) {
    wanted.min_accuracy = MilliPercent{*share};
  }
  wanted.model = get_bytes(reader, "model", kTextMax);
  task.payload.handle = get_bits(reader, "payload");
  task.payload.size = {reader.integer("payload_bytes", 0, kTimeMax)};
  task.payload.height = static_cast<int>(reader.integer("payload_height", 0, INT32_MAX));
  task.payload.kind = reader.name("payload_kind", parse_payload_kind, PayloadKind::Opaque);
  task.payload.width = static_cast<int>(reader.integer("payload_width", 0, INT32_MAX));
  wanted.priority = static_cast<int>(reader.integer("priority", 0, kPriorityMax));
  task.redelivered = reader.boolean_or("redelivered", false);
  task.reply_to = get_bytes(reader, "reply_to", kTextMax);
  task.key.submitter = get_bytes(reader, "submitter", kTextMax);
  wanted.top_k = static_cast<int>(reader.integer("top_k", 0, kTopKMax));
  return task;
}

struct EventWriter {
  JsonWriter& writer;

  void operator()(const LeadBegun& e) const {
    writer.integer("epoch", e.epoch);
    writer.integer("predecessor", e.predecessor);
  }
  void operator()(const LeadEnded& /*e*/) const {}
  void operator()(const BrokerBlocked& e) const { writer.flag("blocked", e.blocked); }
  void operator()(const Submitted& e) const {
    put(writer, e.delivery);
    writer.flag("id_given", e.id_given);
    put_bytes(writer, "refusal", e.refusal);
    put_submission(writer, e.submission);
  }
  void operator()(const ResultArrived& e) const {
    writer.integer("bytes", e.size.count);
    put(writer, e.delivery);
    AttemptResult result = e.result;
    result.labels.clear();
    put(writer, "result", result);
  }
  void operator()(const HelloArrived& e) const { put_facts(writer, "device", e.facts); }
  void operator()(const HeartbeatArrived& e) const { put(writer, "heartbeat", e.heartbeat); }
  void operator()(const DecidedRead& e) const { put(writer, "outcome", e.outcome); }
  void operator()(const PublishSettled& e) const {
    writer.text("end", kEnds.at(static_cast<std::size_t>(e.end)));
    put_bits(writer, "publish", e.id);
  }
  void operator()(const Tick& /*e*/) const {}
  void operator()(const PresenceTold& e) const {
    writer.text("device", e.device);
    writer.flag("present", e.present);
  }
  void operator()(const TasksRead& /*e*/) const {}
};

ControllerEvent read_event(ObjectReader& reader) {
  const std::string_view name = reader.text("event", 64);
  switch (index_in(kEvents, name).value_or(kEvents.size())) {
    case 0: {
      const std::int64_t epoch = reader.integer("epoch", 0, INT64_MAX);
      return LeadBegun{epoch, reader.integer("predecessor", 0, INT64_MAX)};
    }
    case 1:
      return LeadEnded{};
    case 2:
      return BrokerBlocked{reader.boolean_or("blocked", false)};
    case 3: {
      Submitted event;
      event.delivery = get_delivery(reader);
      event.id_given = reader.boolean_or("id_given", true);
      event.refusal = get_bytes(reader, "refusal", kTextMax);
      event.submission = get(reader, "task", read_submission);
      return event;
    }
    case 4: {
      const DeliveryId delivery = get_delivery(reader);
      const Bytes size{reader.integer_or("bytes", 0, 0, kTimeMax)};
      return ResultArrived{get(reader, "result", read_result), delivery, size};
    }
    case 5:
      return HelloArrived{get_facts(reader, "device")};
    case 6:
      return HeartbeatArrived{get(reader, "heartbeat", read_heartbeat)};
    case 7:
      return DecidedRead{get(reader, "outcome", read_outcome)};
    case 8: {
      const auto end = index_in(kEnds, reader.text("end", 64));
      if (!end.has_value()) {
        reader.complain("end", "is not one of: confirmed, returned, refused, unknown");
      }
      return PublishSettled{get_bits(reader, "publish"), static_cast<PublishEnd>(end.value_or(3))};
    }
    case 9:
      return Tick{};
    case 10: {
      std::string device = reader.string("device", 63);
      return PresenceTold{std::move(device), reader.boolean_or("present", false)};
    }
    case 11:
      return TasksRead{};
    default:
      reader.complain("event", fmt::format("has the unknown value '{}'", name));
      return Tick{};
  }
}

JournalLine read_head(ObjectReader& reader) {
  JournalHead head;
  if (std::optional<ObjectReader> config = reader.object("config")) {
    head.config = read_config(*config);
  } else {
    reader.complain("config", "is missing or not an object");
  }
  head.juggler = reader.string_or("juggler", "", 256);
  head.policy = reader.string("policy", 256);
  head.run = reader.string("run", 256);
  head.segment = reader.integer("segment", 1, INT32_MAX);
  head.unix_s = reader.integer("unix_s", 0, kTimeMax);
  return head;
}

JournalLine read_step(ObjectReader& reader) {
  JournalStep step;
  step.at = {reader.integer("at_us", 0, kTimeMax)};
  const std::string_view digest = reader.text("digest", 16);
  const char* end = digest.data() + digest.size();
  const auto [stop, failed] = std::from_chars(digest.data(), end, step.digest, 16);
  if (failed != std::errc() || stop != end) {
    reader.complain("digest", "is not a hexadecimal number");
  }
  step.event = read_event(reader);
  return step;
}

JournalLine read_line(ObjectReader& reader) {
  if (reader.has("event")) {
    return read_step(reader);
  }
  if (reader.has("gap")) {
    const std::int64_t steps = reader.integer("gap", 0, INT64_MAX);
    return JournalGap{steps, reader.string_or("reason", "", kTextMax)};
  }
  if (reader.has("known")) {
    return JournalKnown{get_facts(reader, "known")};
  }
  if (reader.has("state")) {
    return JournalState{read_state_part(reader)};
  }
  return read_head(reader);
}

}  // namespace

std::string encode_journal(const JournalHead& head) {
  JsonWriter writer;
  writer.begin_object();
  writer.integer("journal", kJournalVersion);
  writer.begin_object("config");
  write_config(writer, head.config);
  writer.end_object();
  writer.text("juggler", head.juggler);
  writer.text("policy", head.policy);
  writer.text("run", head.run);
  writer.integer("segment", head.segment);
  writer.integer("unix_s", head.unix_s);
  writer.end_object();
  return writer.take();
}

std::string encode_journal(const JournalGap& gap) {
  JsonWriter writer;
  writer.begin_object();
  writer.integer("gap", gap.steps);
  writer.text("reason", gap.reason);
  writer.end_object();
  return writer.take();
}

std::string encode_known(const DeviceFacts& facts) {
  JsonWriter writer;
  writer.begin_object();
  put_facts(writer, "known", facts);
  writer.end_object();
  return writer.take();
}

std::string encode_step(Time at, std::uint64_t digest, const ControllerEvent& event) {
  JsonWriter writer;
  writer.begin_object();
  writer.integer("at_us", at.us);
  writer.text("digest", fmt::format("{:016x}", digest));
  writer.text("event", kEvents.at(event.index()));
  std::visit(EventWriter{writer}, event);
  writer.end_object();
  return writer.take();
}

Result<JournalLine> decode_journal(std::string_view line) {
  JsonDocument document;
  if (const Result<void> parsed = document.parse(line, kJournalLineMax); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  if (reader.has("journal")) {
    const std::int64_t version = reader.integer("journal", 1, INT64_MAX);
    if ((version < kJournalVersionOldest || version > kJournalVersion) && !reader.failed()) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("a journal of version {}; this juggler reads versions {} and {}: "
                              "replay it with the juggler that wrote it ({})",
                              version, kJournalVersionOldest, kJournalVersion,
                              reader.string_or("juggler", "?", 256)));
    }
  } else if (!reader.has("event") && !reader.has("gap") && !reader.has("known") &&
             !reader.has("state")) {
    return fail(ErrorCode::Corrupt,
                "not a line of a journal: no field journal, event, gap, known, state");
  }
  JournalLine read = read_line(reader);
  if (error.has_value()) {
    return *error;
  }
  return read;
}

}  // namespace juggler::wire
