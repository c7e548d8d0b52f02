// Outcomes: what submitters read. The fields are documented in docs/protocol.md and stable.

#include <cmath>

#include "wire/bodies.h"
#include "wire/figures.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kOutcomeBytesMax =
    std::size_t{512} * 1024;  // 1,000 labels with long names fit

void write_attempts(JsonWriter& writer, const std::vector<AttemptRecord>& attempts) {
  writer.begin_array("attempts");
  for (const AttemptRecord& attempt : attempts) {
    writer.begin_object();
    writer.text("device", attempt.device);
    writer.text("end", attempt.end);
    writer.text("processor", attempt.processor);
    writer.text("variant", attempt.variant);
    writer.end_object();
  }
  writer.end_array();
}

void write_latency(JsonWriter& writer, const Outcome& outcome, bool completed) {
  writer.begin_object("latency_us");
  if (completed) {
    writer.integer("compute", outcome.compute.count);
    writer.integer("network", outcome.network.count);
    writer.integer("queued", outcome.queued.count);
  }
  writer.integer("total", outcome.total.count);
  if (completed) {
    writer.integer("waiting", outcome.waiting.count);
  }
  writer.end_object();
}

void read_completed(ObjectReader& reader, Outcome& outcome) {
  outcome.accuracy_evidence = reader.name("accuracy_evidence", parse_evidence, Evidence::Assumed);
  outcome.accuracy = {std::llround(reader.number("accuracy_percent", 0, 100) * 1000)};
  outcome.device = reader.string("device", 64);
  outcome.energy = read_energy(reader);
  outcome.labels = read_labels(reader);
  if (std::optional<ObjectReader> split = reader.object("latency_us")) {
    outcome.compute = {split->integer_or("compute", 0, 0, kMicrosMax)};
    outcome.network = {split->integer_or("network", 0, 0, kMicrosMax)};
    outcome.queued = {split->integer_or("queued", 0, 0, kMicrosMax)};
    outcome.waiting = {split->integer_or("waiting", 0, 0, kMicrosMax)};
  }
  outcome.processor = reader.string("processor", 64);
  outcome.runtime = reader.string_or("runtime", "", 512);
  outcome.twin = reader.boolean_or("twin", false);
  outcome.variant = reader.string("variant", kModelNameMax);
  outcome.weights = reader.name("weights", parse_weights, Weights::Synthetic);
}

Envelope envelope_of(const Outcome& outcome) {
  Envelope envelope;
  envelope.type = type_of("outcome");
  envelope.content_type = "application/json";
  envelope.message_id = outcome.key.id + ".outcome";
  envelope.correlation_id = outcome.key.id;
  return envelope;
}

}  // namespace

void write_fields(JsonWriter& writer, const Outcome& outcome) {
  const bool completed = outcome.kind == OutcomeKind::Completed;
  if (completed) {
    writer.text("accuracy_evidence", to_string(outcome.accuracy_evidence));
    writer.number("accuracy_percent", static_cast<double>(outcome.accuracy.count) / 1000.0);
  }
  write_attempts(writer, outcome.attempts);
  if (outcome.deadline.has_value()) {
    writer.integer("deadline_us", outcome.deadline->count);
  }
  if (completed) {
    writer.text("device", outcome.device);
    write_energy(writer, outcome.energy);
  }
  writer.text("id", outcome.key.id);
  if (completed) {
    write_labels(writer, outcome.labels);
  }
  write_latency(writer, outcome, completed);
  writer.text("outcome", to_string(outcome.kind));
  if (completed) {
    writer.text("processor", outcome.processor);
  }
  if (!outcome.reason.empty()) {
    writer.text("reason", outcome.reason);
  }
  if (completed) {
    writer.text("runtime", outcome.runtime);
  }
  writer.text("submitter", outcome.key.submitter);
  if (completed) {
    writer.flag("twin", outcome.twin);
    writer.text("variant", outcome.variant);
  }
  write_version(writer);
  if (completed) {
    writer.text("weights", to_string(outcome.weights));
  }
}

Outcome read_outcome(ObjectReader& reader) {
  Outcome outcome;
  outcome.key.id = reader.string("id", kTaskIdMax + 32);
  outcome.key.submitter = reader.string_or("submitter", "", 512);
  outcome.kind = reader.name("outcome", parse_outcome_kind, OutcomeKind::Failed);
  outcome.reason = reader.string_or("reason", "", std::size_t{64} * 1024);
  if (const auto deadline = reader.optional_integer("deadline_us", 0, kMicrosMax)) {
    outcome.deadline = Micros{*deadline};
  }
  if (std::optional<ObjectReader> split = reader.object("latency_us")) {
    outcome.total = {split->integer("total", 0, kMicrosMax)};
  }
  reader.each("attempts", 1000, [&](ObjectReader& attempt) {
    outcome.attempts.push_back({attempt.string("device", 64),
                                attempt.string_or("processor", "", 64),
                                attempt.string_or("variant", "", kModelNameMax),
                                attempt.string("end", std::size_t{64} * 1024)});
  });
  if (!reader.failed() && outcome.kind == OutcomeKind::Completed) {
    read_completed(reader, outcome);
  }
  return outcome;
}

std::string outcome_json(const Outcome& outcome) {
  JsonWriter writer;
  writer.begin_object();
  write_fields(writer, outcome);
  writer.end_object();
  return writer.take();
}

Envelope encode_outcome(const Outcome& outcome, const std::string& reply_to,
                        const std::string& correlation_id) {
  Envelope envelope = envelope_of(outcome);
  if (reply_to.empty()) {
    envelope.exchange = kUnroutedExchange;
  } else {
    envelope.routing_key = reply_to;  // by the default exchange
    // Mandatory towards direct reply-to comes back as unroutable although it would be delivered.
    envelope.mandatory = reply_to.rfind("amq.rabbitmq.reply-to", 0) != 0;
  }
  if (!correlation_id.empty()) {
    envelope.correlation_id = correlation_id;
  }
  envelope.body = make_body(outcome_json(outcome));
  return envelope;
}

Envelope encode_decided(const Outcome& outcome) {
  Envelope envelope = envelope_of(outcome);
  envelope.routing_key = kDecidedQueue;
  envelope.body = make_body(outcome_json(outcome));
  return envelope;
}

Envelope encode_dead(const Outcome& outcome, const Submission& submission, Body payload) {
  Envelope envelope = encode_submission(submission, std::move(payload));
  envelope.exchange = kDeadExchange;
  envelope.routing_key.clear();
  envelope.type = type_of("dead");
  // The broker holds a user id against ours, and answers here go nowhere.
  envelope.user_id.clear();
  envelope.headers["x-juggler-submitter"] = submission.key.submitter;
  envelope.headers["x-juggler-reply-to"] = submission.reply_to;
  envelope.reply_to.clear();
  envelope.headers["x-juggler-outcome"] = outcome_json(outcome);
  return envelope;
}

std::optional<Envelope> submit_again(Envelope dead, const std::string& id) {
  if (dead.type != type_of("dead")) {
    return std::nullopt;
  }
  const auto reply_to = dead.headers.find("x-juggler-reply-to");
  if (reply_to != dead.headers.end()) {
    if (const auto* queue = std::get_if<std::string>(&reply_to->second)) {
      dead.reply_to = *queue;
    }
  }
  if (dead.correlation_id.empty()) {
    dead.correlation_id = dead.message_id;
  }
  dead.message_id = id;
  dead.exchange = kSubmitExchange;
  dead.routing_key = kTasksQueue;
  dead.type = type_of("submit");
  dead.persistent = true;
  dead.mandatory = true;
  std::erase_if(dead.headers, [](const auto& header) { return header.first.starts_with("x-"); });
  return dead;
}

Result<Outcome> decode_outcome(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "outcome"); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "outcome without a body");
  }
  JsonDocument document;
  if (const Result<void> parsed = document.parse(*envelope.body, kOutcomeBytesMax); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  Outcome outcome = read_outcome(reader);
  if (error.has_value()) {
    return *error;
  }
  return outcome;
}

}  // namespace juggler::wire
