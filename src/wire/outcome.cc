// Outcomes: what submitters read. The fields are documented in docs/protocol.md and stable.

#include <fmt/format.h>

#include "wire/figures.h"
#include "wire/json.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

using nlohmann::json;

constexpr std::size_t kOutcomeBytesMax = 512 * 1024;  // 1,000 labels with long names fit

json to_json(const Outcome& outcome) {
  json document{{"version", fmt::format("{}.{}", kMajor, kMinor)},
                {"id", outcome.key.id},
                {"submitter", outcome.key.submitter},
                {"outcome", to_string(outcome.kind)},
                {"latency_us", {{"total", outcome.total.count}}}};
  if (!outcome.reason.empty()) {
    document["reason"] = outcome.reason;
  }
  if (outcome.deadline.has_value()) {
    document["deadline_us"] = outcome.deadline->count;
  }
  json& attempts = document["attempts"] = json::array();
  for (const AttemptRecord& attempt : outcome.attempts) {
    attempts.push_back({{"device", attempt.device},
                        {"processor", attempt.processor},
                        {"variant", attempt.variant},
                        {"end", attempt.end}});
  }
  if (outcome.kind != OutcomeKind::Completed) {
    return document;
  }
  write_labels(document, outcome.labels);
  document["device"] = outcome.device;
  document["processor"] = outcome.processor;
  document["variant"] = outcome.variant;
  document["twin"] = outcome.twin;
  document["runtime"] = outcome.runtime;
  document["weights"] = to_string(outcome.weights);
  document["accuracy_percent"] = static_cast<double>(outcome.accuracy.count) / 1000.0;
  document["accuracy_evidence"] = to_string(outcome.accuracy_evidence);
  document["latency_us"]["waiting"] = outcome.waiting.count;
  document["latency_us"]["network"] = outcome.network.count;
  document["latency_us"]["queued"] = outcome.queued.count;
  document["latency_us"]["compute"] = outcome.compute.count;
  write_energy(document, outcome.energy);
  return document;
}

void read_completed(ObjectReader& reader, const json& document, std::optional<Error>& error,
                    Outcome& outcome) {
  outcome.labels = read_labels(reader);
  outcome.device = reader.string("device", 64);
  outcome.processor = reader.string("processor", 64);
  outcome.variant = reader.string("variant", kModelNameMax);
  outcome.twin = reader.boolean_or("twin", false);
  outcome.runtime = reader.string_or("runtime", "", 512);
  outcome.weights = reader.name("weights", parse_weights, Weights::Synthetic);
  outcome.accuracy = {std::llround(reader.number("accuracy_percent", 0, 100) * 1000)};
  outcome.accuracy_evidence = reader.name("accuracy_evidence", parse_evidence, Evidence::Assumed);
  const auto latency = document.find("latency_us");
  if (latency != document.end() && latency->is_object()) {
    ObjectReader split(*latency, "latency_us.", error);
    outcome.waiting = {split.integer_or("waiting", 0, 0, kMicrosMax)};
    outcome.network = {split.integer_or("network", 0, 0, kMicrosMax)};
    outcome.queued = {split.integer_or("queued", 0, 0, kMicrosMax)};
    outcome.compute = {split.integer_or("compute", 0, 0, kMicrosMax)};
  }
  outcome.energy = read_energy(reader);
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

std::string outcome_json(const Outcome& outcome) { return dump(to_json(outcome)); }

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

Envelope encode_dead(const Outcome& outcome, Body payload) {
  Envelope envelope = envelope_of(outcome);
  envelope.exchange = kDeadExchange;
  envelope.type = type_of("dead");
  envelope.content_type = "application/octet-stream";
  envelope.headers["x-juggler-outcome"] = outcome_json(outcome);
  envelope.body = std::move(payload);
  return envelope;
}

Result<Outcome> decode_outcome(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "outcome"); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "outcome without a body");
  }
  Result<json> document = parse_object(*envelope.body, kOutcomeBytesMax);
  if (!document) {
    return document.error();
  }
  std::optional<Error> error;
  ObjectReader reader(*document, "", error);
  Outcome outcome;
  outcome.key.id = reader.string("id", kTaskIdMax + 32);
  outcome.key.submitter = reader.string_or("submitter", "", 512);
  outcome.kind = reader.name("outcome", parse_outcome_kind, OutcomeKind::Failed);
  outcome.reason = reader.string_or("reason", "", 64 * 1024);
  if (const auto deadline = reader.optional_integer("deadline_us", 0, kMicrosMax)) {
    outcome.deadline = Micros{*deadline};
  }
  const auto latency = document->find("latency_us");
  if (latency != document->end() && latency->is_object()) {
    ObjectReader split(*latency, "latency_us.", error);
    outcome.total = {split.integer("total", 0, kMicrosMax)};
  }
  reader.each("attempts", 1000, [&](ObjectReader& attempt) {
    outcome.attempts.push_back(
        {attempt.string("device", 64), attempt.string_or("processor", "", 64),
         attempt.string_or("variant", "", kModelNameMax), attempt.string("end", 64 * 1024)});
  });
  if (!error.has_value() && outcome.kind == OutcomeKind::Completed) {
    read_completed(reader, *document, error, outcome);
  }
  if (error.has_value()) {
    return *error;
  }
  return outcome;
}

}  // namespace juggler::wire
