// Outcomes: what submitters read. The fields are documented in docs/protocol.md and stable.

#include <cmath>
#include <cstddef>

#include "core/text.h"
#include "wire/bodies.h"
#include "wire/figures.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

// Fits the largest: labels of kLabelBytesMax and the ends of all attempts, of control characters.
constexpr std::size_t kOutcomeBytesMax = std::size_t{512} * 1024;
// All properties of a message fit one frame of 128 KiB; its other headers take a few.
constexpr std::size_t kHistoryBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kAttemptsKeptMax = 200;  // of them the newest
constexpr std::size_t kReasonBytesMax = 1000;  // of a dead letter's outcome

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

// What a text takes in JSON, at most.
std::size_t json_bytes(std::string_view text) {
  std::size_t bytes = 0;
  for (const char c : text) {
    bytes += static_cast<unsigned char>(c) < 0x20U ? 6 : c == '"' || c == '\\' ? 2 : 1;
  }
  return bytes;
}

// Takes about `excess` bytes: the ends of attempts, the oldest first; where none has one, attempts.
void cut(std::vector<AttemptRecord>& attempts, std::size_t excess) {
  constexpr std::size_t kNames = 51;  // of an attempt's fields, with what stands around them
  std::size_t taken = 0;
  for (AttemptRecord& attempt : attempts) {
    if (taken < excess) {
      taken += json_bytes(attempt.end);
      attempt.end.clear();
    }
  }
  if (taken > 0) {
    return;
  }
  std::size_t gone = 0;
  for (; gone < attempts.size() && taken < excess; ++gone) {
    const AttemptRecord& attempt = attempts[gone];
    taken += kNames + json_bytes(attempt.device) + json_bytes(attempt.processor) +
             json_bytes(attempt.variant);
  }
  attempts.erase(attempts.begin(), attempts.begin() + static_cast<std::ptrdiff_t>(gone));
}

// The outcome as a dead letter's header can hold it.
std::string history_json(Outcome outcome) {
  outcome.reason = shortened(outcome.reason, kReasonBytesMax);
  if (outcome.attempts.size() > kAttemptsKeptMax) {
    outcome.attempts.erase(outcome.attempts.begin(),
                           outcome.attempts.end() - std::ptrdiff_t{kAttemptsKeptMax});
  }
  for (AttemptRecord& attempt : outcome.attempts) {
    attempt.end = shortened(attempt.end, kAttemptEndMax);
  }
  std::string json = outcome_json(outcome);
  while (json.size() > kHistoryBytesMax && !outcome.attempts.empty()) {
    cut(outcome.attempts, json.size() - kHistoryBytesMax);
    json = outcome_json(outcome);
  }
  return json;
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
  envelope.exchange.clear();  // by the default exchange, which submitters and devices cannot use
  envelope.routing_key = kFailedQueue;
  envelope.type = type_of("dead");
  // The broker holds a user id against ours, and answers here go nowhere.
  envelope.user_id.clear();
  envelope.headers["x-juggler-submitter"] = submission.key.submitter;
  envelope.headers["x-juggler-reply-to"] = submission.reply_to;
  envelope.reply_to.clear();
  envelope.headers["x-juggler-outcome"] = history_json(outcome);
  return envelope;
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
