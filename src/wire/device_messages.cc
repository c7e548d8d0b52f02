// Between controller and devices: dispatch, result, control. Hello and heartbeat, by far the
// largest, stand in hello.cc and heartbeat.cc.

#include <fmt/format.h>

#include "core/names.h"
#include "wire/bodies.h"
#include "wire/figures.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kResultBytesMax = std::size_t{512} * 1024;
constexpr std::size_t kFallBackMax = kProcessorsMax * 64;

constexpr std::array<Named<ControlKind>, 5> kControls{{{ControlKind::Hello, "hello"},
                                                       {ControlKind::Drain, "drain"},
                                                       {ControlKind::Heartbeat, "heartbeat"},
                                                       {ControlKind::Models, "models"},
                                                       {ControlKind::Rename, "rename"}}};

// "<task>.<epoch>.<number>", and what follows.
std::string attempt_name(const AttemptId& id, std::string_view suffix = {}) {
  const fmt::format_int epoch(id.epoch);
  const fmt::format_int number(id.number);
  std::string name;
  name.reserve(id.task.id.size() + epoch.size() + number.size() + 2 + suffix.size());
  name.append(id.task.id).append(1, '.').append(epoch.data(), epoch.size());
  return name.append(1, '.').append(number.data(), number.size()).append(suffix);
}

// Headers of a dispatch, all required unless said otherwise.
class DispatchHeaders {
 public:
  DispatchHeaders(const Headers& headers, std::optional<Error>& error)
      : headers_(headers), error_(error) {}

  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) {
    const auto at = headers_.find(key);
    const auto* value = at == headers_.end() ? nullptr : std::get_if<std::int64_t>(&at->second);
    if (value == nullptr || *value < min || *value > max) {
      complain(
          fmt::format("header '{}' is missing or not a whole number from {} to {}", key, min, max));
      return min;
    }
    return *value;
  }

  std::string text_or_none(const char* key, std::size_t size_max) {
    return headers_.contains(key) ? text(key, size_max) : std::string();
  }

  std::string text(const char* key, std::size_t size_max) {
    const auto at = headers_.find(key);
    const auto* value = at == headers_.end() ? nullptr : std::get_if<std::string>(&at->second);
    if (value == nullptr || value->size() > size_max) {
      complain(
          fmt::format("header '{}' is missing or not a string of at most {} bytes", key, size_max));
      return {};
    }
    return *value;
  }

  void complain(std::string what) {
    if (!error_.has_value()) {
      error_ = fail(ErrorCode::Corrupt, "dispatch: " + std::move(what));
    }
  }

 private:
  const Headers& headers_;
  std::optional<Error>& error_;
};

// Names of processors, which have no comma, in one header: AMQP tables are bulky.
std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ","));
}

std::vector<std::string> parted(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    names.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

// In alphabetical order, so that none has to look for its place.
void write_headers(Envelope& envelope, const Dispatch& dispatch) {
  const auto put = [&headers = envelope.headers](const char* name, HeaderValue value) {
    headers.emplace_hint(headers.end(), name, std::move(value));
  };
  put("x-juggler-attempt", std::int64_t{dispatch.attempt.number});
  put("x-juggler-batch", dispatch.batch);
  put("x-juggler-batch-size", std::int64_t{dispatch.batch_size});
  put("x-juggler-budget-us", dispatch.budget.count);
  put("x-juggler-epoch", dispatch.attempt.epoch);
  if (!dispatch.fall_back.empty()) {
    put("x-juggler-fall-back", joined(dispatch.fall_back));
  }
  put("x-juggler-height", std::int64_t{dispatch.payload.height});
  write_minor(envelope);
  put("x-juggler-payload", std::string(to_string(dispatch.payload.kind)));
  put("x-juggler-processor", dispatch.processor);
  if (!dispatch.stamp.empty()) {
    put("x-juggler-stamp", dispatch.stamp);
  }
  put("x-juggler-submitter", dispatch.attempt.task.submitter);
  put("x-juggler-top-k", std::int64_t{dispatch.top_k});
  put("x-juggler-variant", dispatch.variant);
  put("x-juggler-width", std::int64_t{dispatch.payload.width});
}

// A packet lost on Wi-Fi holds up those behind it for 0.2 s, or a few times that.
constexpr std::int64_t kExpiryGraceMs = 1000;

}  // namespace

Envelope up(const std::string& kind, const std::string& device) {
  Envelope envelope;
  envelope.exchange = kUpExchange;
  envelope.routing_key = kind + "." + device;
  envelope.type = type_of(kind);
  envelope.content_type = "application/json";
  envelope.app_id = device;
  return envelope;
}

Result<void> parse_body(const Envelope& envelope, std::string_view kind, std::size_t bytes_max,
                        JsonDocument& document) {
  if (const Result<void> type = check_type(envelope, kind); !type) {
    return type.error();
  }
  if (envelope.body == nullptr) {
    return fail(ErrorCode::Corrupt, "message without a body");
  }
  return document.parse(*envelope.body, bytes_max);
}

Envelope encode_dispatch(const Dispatch& dispatch, Body payload) {
  Envelope envelope;
  envelope.exchange = kDispatchExchange;
  envelope.routing_key = dispatch.device;
  envelope.type = type_of("task");
  envelope.content_type = "application/octet-stream";
  envelope.message_id = attempt_name(dispatch.attempt);
  envelope.correlation_id = dispatch.attempt.task.id;
  envelope.priority = dispatch.priority;
  // A safety net only: stale work is not delivered to a device that comes back. What is merely late
  // is: the broker drops without a word, and until the controller knows it counts the processor as
  // busy; the consumer says what has become of it.
  envelope.expiration_ms = dispatch.budget.count / 1000 + kExpiryGraceMs;
  write_headers(envelope, dispatch);
  envelope.body = std::move(payload);
  return envelope;
}

Result<Dispatch> decode_dispatch(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "task"); !type) {
    return type.error();
  }
  std::optional<Error> error;
  DispatchHeaders headers(envelope.headers, error);
  Dispatch dispatch;
  dispatch.attempt.task.id = envelope.correlation_id;
  dispatch.attempt.task.submitter = headers.text("x-juggler-submitter", kSubmitterMax);
  dispatch.attempt.epoch = headers.integer("x-juggler-epoch", 0, INT64_MAX);
  dispatch.attempt.number = static_cast<int>(headers.integer("x-juggler-attempt", 1, 1'000'000));
  dispatch.device = envelope.routing_key;
  dispatch.processor = headers.text("x-juggler-processor", 64);
  dispatch.variant = headers.text("x-juggler-variant", kModelNameMax);
  dispatch.batch = headers.integer("x-juggler-batch", 0, INT64_MAX);
  dispatch.batch_size = static_cast<int>(headers.integer("x-juggler-batch-size", 1, 1024));
  dispatch.budget = {headers.integer("x-juggler-budget-us", 0, kMicrosMax)};
  dispatch.priority = envelope.priority.value_or(0);
  dispatch.fall_back = parted(headers.text_or_none("x-juggler-fall-back", kFallBackMax));
  dispatch.stamp = headers.text_or_none("x-juggler-stamp", kStampMax);
  dispatch.top_k = static_cast<int>(headers.integer("x-juggler-top-k", 1, kTopKMax));
  const std::string kind = headers.text("x-juggler-payload", 32);
  if (const auto parsed = parse_payload_kind(kind)) {
    dispatch.payload.kind = *parsed;
  } else {
    headers.complain("unknown payload kind '" + kind + "'");
  }
  dispatch.payload.width = static_cast<int>(headers.integer("x-juggler-width", 0, 1 << 20));
  dispatch.payload.height = static_cast<int>(headers.integer("x-juggler-height", 0, 1 << 20));
  if (dispatch.attempt.task.id.empty() || dispatch.attempt.task.id.size() > kInternalIdMax) {
    headers.complain("correlation_id is not a task id");
  }
  if (envelope.body == nullptr) {
    headers.complain("no body");
  } else {
    dispatch.payload.size = {static_cast<std::int64_t>(envelope.body->size())};
  }
  if (error.has_value()) {
    return *error;
  }
  return dispatch;
}

Envelope encode_result(const AttemptResult& result) {
  Envelope envelope = up("result", result.device);
  envelope.message_id = attempt_name(result.attempt, ".result");
  envelope.correlation_id = result.attempt.task.id;
  envelope.body = body_of(result);
  return envelope;
}

void write_fields(JsonWriter& writer, const AttemptResult& result) {
  writer.integer("attempt", result.attempt.number);
  writer.integer("batch_size", result.batch_size);
  writer.integer("compute_us", result.compute.count);
  writer.text("device", result.device);
  write_energy(writer, result.energy);
  writer.integer("epoch", result.attempt.epoch);
  if (!result.fell_back.empty()) {
    writer.text("fell_back", result.fell_back);
  }
  writer.text("id", result.attempt.task.id);
  if (!result.labels.empty()) {
    write_labels(writer, result.labels);
  }
  write_minor(writer);
  writer.text("processor", result.processor);
  writer.integer("queued_us", result.queued.count);
  if (!result.reason.empty()) {
    writer.text("reason", result.reason);
  }
  writer.flag("redelivered", result.redelivered);
  if (result.slowed > Micros{0}) {
    writer.integer("slowed_us", result.slowed.count);
  }
  if (!result.stamp.empty()) {
    writer.text("stamp", result.stamp);
  }
  writer.text("status", to_string(result.status));
  writer.text("submitter", result.attempt.task.submitter);
  writer.flag("synthetic_labels", result.synthetic_labels);
  writer.text("variant", result.variant);
}

AttemptResult read_result(ObjectReader& reader) {
  AttemptResult result;
  result.attempt.number = static_cast<int>(reader.integer("attempt", 1, 1'000'000));
  result.batch_size = static_cast<int>(reader.integer_or("batch_size", 1, 1, 1024));
  result.compute = {reader.integer("compute_us", 0, kMicrosMax)};
  result.device = reader.string("device", kDeviceIdMax);
  result.energy = read_energy(reader);
  result.attempt.epoch = reader.integer("epoch", 0, INT64_MAX);
  result.fell_back = reader.string_or("fell_back", "", std::size_t{16} * 1024);
  result.attempt.task.id = reader.string("id", kInternalIdMax);
  result.labels = read_labels(reader);
  result.processor = reader.string("processor", 63);
  result.queued = {reader.integer("queued_us", 0, kMicrosMax)};
  result.reason = reader.string_or("reason", "", std::size_t{16} * 1024);
  result.redelivered = reader.boolean_or("redelivered", false);
  result.slowed = {reader.integer_or("slowed_us", 0, 0, result.compute.count)};
  result.stamp = reader.string_or("stamp", "", kStampMax);
  result.status = reader.name("status", parse_attempt_status, AttemptStatus::Error);
  result.attempt.task.submitter = reader.string("submitter", kSubmitterMax);
  result.synthetic_labels = reader.boolean_or("synthetic_labels", false);
  result.variant = reader.string("variant", kModelNameMax);
  return result;
}

Result<AttemptResult> decode_result(const Envelope& envelope) {
  JsonDocument document;
  if (const Result<void> parsed = parse_body(envelope, "result", kResultBytesMax, document);
      !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  AttemptResult result = read_result(reader);
  if (error.has_value()) {
    return *error;
  }
  if (envelope.routing_key != "result." + result.device) {
    return fail(ErrorCode::Corrupt, "result of device '" + result.device +
                                        "' came by the routing key " + envelope.routing_key);
  }
  return result;
}

Envelope encode_control(const std::string& device, const Control& control) {
  Envelope envelope;
  envelope.exchange = kControlExchange;
  envelope.routing_key = "device." + device;
  envelope.type = type_of("control");
  envelope.content_type = "application/json";
  envelope.persistent = false;
  envelope.mandatory = false;
  JsonWriter writer;
  writer.begin_object();
  if (control.kind == ControlKind::Rename) {
    writer.text("device", control.device);
  }
  writer.text("do", name_of(kControls, control.kind));
  if (control.kind == ControlKind::Heartbeat) {
    writer.integer("every_us", control.every.count);
  }
  write_minor(writer);
  if (control.kind == ControlKind::Rename) {
    writer.text("password", control.password);
  }
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

Result<Control> decode_control(const Envelope& envelope) {
  JsonDocument document;
  if (const Result<void> parsed = parse_body(envelope, "control", 4096, document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  const std::string what = reader.string("do", 64);
  const std::optional<ControlKind> kind = value_of(kControls, what);
  Control control{.kind = kind.value_or(ControlKind::Hello)};
  if (kind == ControlKind::Heartbeat) {
    control.every = Micros{reader.integer("every_us", 1'000, 600'000'000)};
  } else if (kind == ControlKind::Rename) {
    control.device = reader.string("device", 63);
    control.password = reader.string("password", 256);
    if (!valid_device_id(control.device) && !reader.failed()) {
      reader.complain("device", "is no device's name");
    }
  }
  if (error.has_value()) {
    return *error;
  }
  return kind.has_value() ? Result<Control>(control)
                          : Result<Control>(fail(ErrorCode::Unsupported,
                                                 "unknown control message '" + what + "'"));
}

}  // namespace juggler::wire
