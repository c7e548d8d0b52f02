#include "wire/join.h"

#include <optional>

#include "wire/bodies.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kJoinBytesMax = 16'384;
constexpr std::size_t kAddressMax = 4'096;

Result<void> parse_body(const Envelope& envelope, std::string_view kind, JsonDocument& document) {
  if (const Result<void> type = check_type(envelope, kind); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "message without a body");
  }
  return document.parse(*envelope.body, kJoinBytesMax);
}

Envelope passing(std::string_view kind) {
  Envelope envelope;
  envelope.type = type_of(kind);
  envelope.content_type = "application/json";
  envelope.persistent = false;  // it may hold a password
  return envelope;
}

}  // namespace

Envelope encode_join(const JoinRequest& request, const std::string& reply_to,
                     const std::string& user) {
  Envelope envelope = passing("join");
  envelope.exchange = kJoinExchange;
  envelope.routing_key = kJoinsQueue;
  envelope.reply_to = reply_to;
  envelope.user_id = user;
  envelope.mandatory = true;
  JsonWriter writer;
  writer.begin_object();
  writer.text("device", request.device);
  write_minor(writer);
  writer.integer("unix_s", request.unix_seconds);
  writer.text("version", request.version);
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

Result<JoinRequest> decode_join(const Envelope& envelope) {
  JsonDocument document;
  if (const Result<void> parsed = parse_body(envelope, "join", document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  JoinRequest request;
  request.device = reader.string("device", 256);
  request.unix_seconds = reader.integer("unix_s", 0, INT64_MAX);
  request.version = reader.string("version", 256);
  return error.has_value() ? Result<JoinRequest>(*error) : Result<JoinRequest>(std::move(request));
}

Envelope encode_joined(const JoinAnswer& answer, const std::string& reply_to) {
  Envelope envelope = passing("joined");
  envelope.routing_key = reply_to;  // by the default exchange
  envelope.mandatory = false;
  JsonWriter writer;
  writer.begin_object();
  writer.text("address", answer.address);
  writer.text("code", answer.code);
  write_minor(writer);
  writer.text("reason", answer.reason);
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

Result<JoinAnswer> decode_joined(const Envelope& envelope) {
  JsonDocument document;
  if (const Result<void> parsed = parse_body(envelope, "joined", document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  JoinAnswer answer;
  answer.address = reader.string_or("address", "", kAddressMax);
  answer.code = reader.string_or("code", "", 64);
  answer.reason = reader.string_or("reason", "", 2'048);
  return error.has_value() ? Result<JoinAnswer>(*error) : Result<JoinAnswer>(std::move(answer));
}

}  // namespace juggler::wire
