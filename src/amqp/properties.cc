#include "amqp/properties.h"

#include <bit>
#include <charconv>
#include <string>
#include <vector>

#include "amqp/library.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

constexpr std::size_t kShortStringMax = 255;

// Reads big-endian numbers and length-prefixed strings; past the end it gives zeros and fails.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    for (const char c : take(width)) {
      value = value << 8U | static_cast<unsigned char>(c);
    }
    return value;
  }
  std::string_view short_string() { return take(number(1)); }
  std::string_view long_string() { return take(number(4)); }
  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  bool good() const { return good_; }
  bool more() const { return good_ && !rest_.empty(); }
  void fail() { good_ = false; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

template <class Int>
wire::HeaderValue integer(Reader& reader) {
  return std::int64_t{static_cast<Int>(reader.number(sizeof(Int)))};
}

// Types that Juggler does not read come out as monostate.
wire::HeaderValue read_value(Reader& reader) {
  const auto kind = static_cast<char>(reader.number(1));
  switch (kind) {
    case 't':
      return reader.number(1) != 0;
    case 'b':
      return integer<std::int8_t>(reader);
    case 'B':
      return integer<std::uint8_t>(reader);
    case 's':
      return integer<std::int16_t>(reader);
    case 'u':
      return integer<std::uint16_t>(reader);
    case 'I':
      return integer<std::int32_t>(reader);
    case 'i':
      return integer<std::uint32_t>(reader);
    case 'l':
      return integer<std::int64_t>(reader);
    case 'L':
    case 'T': {
      const std::uint64_t value = reader.number(8);
      return value > INT64_MAX ? wire::HeaderValue{}
                               : wire::HeaderValue{static_cast<std::int64_t>(value)};
    }
    case 'f':
      return static_cast<double>(
          std::bit_cast<float>(static_cast<std::uint32_t>(reader.number(4))));
    case 'd':
      return std::bit_cast<double>(reader.number(8));
    case 'S':
    case 'x':
      return std::string(reader.long_string());
    case 'D':
      reader.take(5);
      return {};
    case 'A':
    case 'F':
      reader.long_string();
      return {};
    case 'V':
      return {};
    default:
      reader.fail();
      return {};
  }
}

// A table whose inside cannot be read leaves the headers read so far: its own length bounds it.
void read_headers(std::string_view table, wire::Headers& headers) {
  Reader reader(table);
  while (reader.more()) {
    const std::string name(reader.short_string());
    wire::HeaderValue value = read_value(reader);
    headers[name] = reader.good() ? std::move(value) : wire::HeaderValue{};
  }
}

std::optional<std::int64_t> parse_milliseconds(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 0
             ? std::optional(value)
             : std::nullopt;
}

amqp_field_value_t to_field(const wire::HeaderValue& value) {
  amqp_field_value_t field{};
  field.kind = AMQP_FIELD_KIND_VOID;
  if (const auto* flag = std::get_if<bool>(&value)) {
    field.kind = AMQP_FIELD_KIND_BOOLEAN;
    field.value.boolean = *flag ? 1 : 0;
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    field.kind = AMQP_FIELD_KIND_I64;
    field.value.i64 = *number;
  } else if (const auto* real = std::get_if<double>(&value)) {
    field.kind = AMQP_FIELD_KIND_F64;
    field.value.f64 = *real;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    field.kind = AMQP_FIELD_KIND_UTF8;
    field.value.bytes = to_bytes(*text);
  }
  return field;
}

Result<void> check_lengths(const wire::Envelope& envelope) {
  const struct {
    const char* name;
    std::string_view text;
  } fields[] = {{"exchange", envelope.exchange},
                {"routing key", envelope.routing_key},
                {"content_type", envelope.content_type},
                {"type", envelope.type},
                {"message_id", envelope.message_id},
                {"correlation_id", envelope.correlation_id},
                {"reply_to", envelope.reply_to},
                {"user_id", envelope.user_id},
                {"app_id", envelope.app_id}};
  for (const auto& field : fields) {
    if (field.text.size() > kShortStringMax) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("its {} has {} bytes; AMQP allows {}", field.name, field.text.size(),
                              kShortStringMax));
    }
  }
  for (const auto& [name, value] : envelope.headers) {
    if (name.size() > 128) {
      return fail(ErrorCode::InvalidArgument, "the name of a header has more than 128 bytes");
    }
  }
  return {};
}

}  // namespace

Result<void> decode_properties(std::string_view list, wire::Envelope& envelope) {
  Reader reader(list);
  const auto flags = static_cast<unsigned>(reader.number(2));
  const auto has = [flags](unsigned flag) { return (flags & flag) != 0; };
  const auto text = [&](unsigned flag, std::string& field) {
    if (has(flag)) {
      field = reader.short_string();
    }
  };
  std::string unused;
  text(AMQP_BASIC_CONTENT_TYPE_FLAG, envelope.content_type);
  text(AMQP_BASIC_CONTENT_ENCODING_FLAG, unused);
  if (has(AMQP_BASIC_HEADERS_FLAG)) {
    read_headers(reader.long_string(), envelope.headers);
  }
  envelope.persistent = has(AMQP_BASIC_DELIVERY_MODE_FLAG) && reader.number(1) == 2;
  if (has(AMQP_BASIC_PRIORITY_FLAG)) {
    envelope.priority = static_cast<int>(reader.number(1));
  }
  text(AMQP_BASIC_CORRELATION_ID_FLAG, envelope.correlation_id);
  text(AMQP_BASIC_REPLY_TO_FLAG, envelope.reply_to);
  if (has(AMQP_BASIC_EXPIRATION_FLAG)) {
    envelope.expiration_ms = parse_milliseconds(reader.short_string());
  }
  text(AMQP_BASIC_MESSAGE_ID_FLAG, envelope.message_id);
  if (has(AMQP_BASIC_TIMESTAMP_FLAG)) {
    const std::uint64_t value = reader.number(8);
    if (value <= INT64_MAX) {
      envelope.timestamp_s = static_cast<std::int64_t>(value);
    }
  }
  text(AMQP_BASIC_TYPE_FLAG, envelope.type);
  text(AMQP_BASIC_USER_ID_FLAG, envelope.user_id);
  text(AMQP_BASIC_APP_ID_FLAG, envelope.app_id);
  text(AMQP_BASIC_CLUSTER_ID_FLAG, unused);
  if (!reader.good() || reader.more()) {
    return fail(ErrorCode::Corrupt, "the broker sent a property list of the wrong length");
  }
  return {};
}

Result<std::size_t> encode_properties(const wire::Envelope& envelope, std::span<char> into) {
  if (auto checked = check_lengths(envelope); !checked) {
    return checked.error();
  }
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = envelope.persistent ? 2 : 1;
  const auto text = [&properties](unsigned flag, amqp_bytes_t& field, const std::string& value) {
    if (!value.empty()) {
      properties._flags |= flag;
      field = to_bytes(value);
    }
  };
  text(AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type, envelope.content_type);
  text(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id, envelope.correlation_id);
  text(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to, envelope.reply_to);
  text(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id, envelope.message_id);
  text(AMQP_BASIC_TYPE_FLAG, properties.type, envelope.type);
  text(AMQP_BASIC_USER_ID_FLAG, properties.user_id, envelope.user_id);
  text(AMQP_BASIC_APP_ID_FLAG, properties.app_id, envelope.app_id);
  if (envelope.priority) {
    properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
    properties.priority = static_cast<std::uint8_t>(*envelope.priority);
  }
  if (envelope.timestamp_s) {
    properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    properties.timestamp = static_cast<std::uint64_t>(*envelope.timestamp_s);
  }
  const std::string expiration =
      envelope.expiration_ms ? std::to_string(*envelope.expiration_ms) : std::string();
  text(AMQP_BASIC_EXPIRATION_FLAG, properties.expiration, expiration);
  std::vector<amqp_table_entry_t> entries;
  entries.reserve(envelope.headers.size());
  for (const auto& [name, value] : envelope.headers) {
    entries.push_back({to_bytes(name), to_field(value)});
  }
  if (!entries.empty()) {
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = {static_cast<int>(entries.size()), entries.data()};
  }
  const int length =
      amqp_encode_properties(AMQP_BASIC_CLASS, &properties, to_bytes({into.data(), into.size()}));
  if (length < 0) {
    return fail(ErrorCode::TooLarge, "its properties and headers do not fit into one frame");
  }
  return static_cast<std::size_t>(length);
}

}  // namespace juggler::amqp
