// Before the first header of RapidJSON: it looks for the ends of strings in sixteens.
#if defined(__SSE2__)
#define RAPIDJSON_SSE2
#endif
#include "wire/json.h"

#include <fmt/format.h>

#include <rapidjson/reader.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "wire/utf8.h"

namespace juggler::wire {
namespace {

constexpr int kDepthMax = 32;          // ours are 6 deep
constexpr std::size_t kOverread = 16;  // the parser may look so far behind the text's end

// Hands the parser's events on to the document and ends the parsing where they nest too deep:
// before there is any memory in it, because JSON amplifies.
//
// Numbers come as text: of a zero with an exponent (0e9) RapidJSON 1.1 makes anything, because it
// counts the leading zeros of nothing.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  explicit Builder(rapidjson::Document& document) : document_(document) {}

  // NOLINTBEGIN(readability-identifier-naming): the parser calls its handler by these names
  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool /*copy*/) {
    const char* end = text + size;
    std::int64_t whole = 0;
    if (whole_text_is(text, end, whole)) {
      return document_.Int64(whole);
    }
    std::uint64_t large = 0;
    if (whole_text_is(text, end, large)) {
      return document_.Uint64(large);
    }
    double real = 0.0;  // what no double holds, is refused where a number is read
    return document_.Double(
        whole_text_is(text, end, real) ? real : std::numeric_limits<double>::infinity());
  }
  bool String(const char* text, rapidjson::SizeType size, bool copy) {
    return document_.String(text, size, copy);
  }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) {
    return document_.Key(text, size, copy);
  }
  bool StartObject() { return ++depth_ <= kDepthMax && document_.StartObject(); }
  bool EndObject(rapidjson::SizeType members) {
    --depth_;
    return document_.EndObject(members);
  }
  bool StartArray() { return ++depth_ <= kDepthMax && document_.StartArray(); }
  bool EndArray(rapidjson::SizeType elements) {
    --depth_;
    return document_.EndArray(elements);
  }
  // NOLINTEND(readability-identifier-naming)

 private:
  template <class Number>
  static bool whole_text_is(const char* text, const char* end, Number& number) {
    const auto [stop, error] = std::from_chars(text, end, number);
    return error == std::errc{} && stop == end;
  }

  rapidjson::Document& document_;
  int depth_ = 0;
};

}  // namespace

JsonDocument::JsonDocument()
    : values_(first_values_.data(), first_values_.size()), document_(&values_) {}

Result<void> JsonDocument::parse(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return fail(ErrorCode::TooLarge,
                fmt::format("{} bytes of JSON; at most {} are read", text.size(), bytes_max));
  }
  // To the parser a zero byte is the end of the text; JSON has none.
  if (text.find('\0') != std::string_view::npos || !is_utf8(text)) {
    return fail(ErrorCode::Corrupt, "not JSON");
  }
  text_.reserve(text.size() + kOverread);
  text_.assign(text);
  text_.append(kOverread, '\0');
  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::InsituStringStream stream(text_.data());
  rapidjson::ParseResult result;
  auto parse_into = [&](rapidjson::Document& document) {
    Builder builder(document);
    rapidjson::Reader reader;
    result = reader.Parse<kFlags>(stream, builder);
    return !result.IsError();
  };
  document_.Populate(parse_into);
  if (result.Code() == rapidjson::kParseErrorTermination) {
    return fail(ErrorCode::TooLarge, fmt::format("JSON nested deeper than {}", kDepthMax));
  }
  if (result.IsError()) {
    return fail(ErrorCode::Corrupt, "not JSON");
  }
  if (!document_.IsObject()) {
    return fail(ErrorCode::Corrupt, "JSON, but not an object");
  }
  return {};
}

std::string ObjectReader::path() const {
  if (parent_ == nullptr) {
    return {};
  }
  return index_ == kNoIndex ? fmt::format("{}{}.", parent_->path(), key_)
                            : fmt::format("{}{}[{}].", parent_->path(), key_, index_);
}

void ObjectReader::complain(const char* key, const std::string& what) {
  if (!error_.has_value()) {
    error_ = fail(ErrorCode::Corrupt, fmt::format("field '{}{}' {}", path(), key, what));
  }
}

const rapidjson::Value* ObjectReader::field(const char* key) const {
  const std::string_view wanted(key);
  const auto is_it = [wanted](const auto& member) {
    return std::string_view(member.name.GetString(), member.name.GetStringLength()) == wanted;
  };
  auto at = std::find_if(next_, object_.MemberEnd(), is_it);
  if (at == object_.MemberEnd()) {
    at = std::find_if(object_.MemberBegin(), next_, is_it);
    if (at == next_) {
      return nullptr;
    }
  }
  next_ = at;
  return at->value.IsNull() ? nullptr : &at->value;
}

bool ObjectReader::has(const char* key) const { return field(key) != nullptr; }

std::string_view ObjectReader::text(const char* key, std::size_t size_max) {
  const rapidjson::Value* value = field(key);
  if (value == nullptr || !value->IsString()) {
    complain(key, value == nullptr ? "is missing" : "is not a string");
    return {};
  }
  const std::string_view text(value->GetString(), value->GetStringLength());
  if (text.size() > size_max) {
    complain(key, fmt::format("has {} bytes; at most {} are read", text.size(), size_max));
    return {};
  }
  return text;
}

std::string ObjectReader::string_or(const char* key, std::string fallback, std::size_t size_max) {
  return has(key) ? string(key, size_max) : std::move(fallback);
}

std::int64_t ObjectReader::integer(const char* key, std::int64_t min, std::int64_t max) {
  const rapidjson::Value* value = field(key);
  if (value == nullptr || !(value->IsInt64() || value->IsUint64())) {
    complain(key, value == nullptr ? "is missing" : "is not a whole number");
    return min;
  }
  const bool too_large = !value->IsInt64();
  const std::int64_t number = too_large ? INT64_MAX : value->GetInt64();
  if (too_large || number < min || number > max) {
    complain(key,
             fmt::format("is {}; it must be {} to {}",
                         too_large ? fmt::to_string(value->GetUint64()) : fmt::to_string(number),
                         min, max));
    return min;
  }
  return number;
}

std::int64_t ObjectReader::integer_or(const char* key, std::int64_t fallback, std::int64_t min,
                                      std::int64_t max) {
  return has(key) ? integer(key, min, max) : fallback;
}

std::optional<std::int64_t> ObjectReader::optional_integer(const char* key, std::int64_t min,
                                                           std::int64_t max) {
  return has(key) ? std::optional(integer(key, min, max)) : std::nullopt;
}

double ObjectReader::number(const char* key, double min, double max) {
  const rapidjson::Value* value = field(key);
  if (value == nullptr || !value->IsNumber()) {
    complain(key, value == nullptr ? "is missing" : "is not a number");
    return min;
  }
  const double number = value->GetDouble();
  if (!std::isfinite(number) || number < min || number > max) {
    complain(key, fmt::format("is {}; it must be {} to {}", number, min, max));
    return min;
  }
  return number;
}

bool ObjectReader::boolean_or(const char* key, bool fallback) {
  const rapidjson::Value* value = field(key);
  if (value != nullptr && !value->IsBool()) {
    complain(key, "is not true or false");
  }
  return value != nullptr && value->IsBool() ? value->GetBool() : fallback;
}

std::optional<ObjectReader> ObjectReader::object(const char* key) const {
  const rapidjson::Value* value = field(key);
  if (value == nullptr || !value->IsObject()) {
    return std::nullopt;
  }
  return ObjectReader(*value, this, key, kNoIndex, error_);
}

const rapidjson::Value* ObjectReader::array(const char* key, std::size_t size_max) {
  const rapidjson::Value* value = field(key);
  if (value == nullptr) {
    return nullptr;  // an absent list is an empty one
  }
  if (!value->IsArray() || value->Size() > size_max) {
    complain(key, value->IsArray()
                      ? fmt::format("has {} elements; at most {} are read", value->Size(), size_max)
                      : "is not a list");
    return nullptr;
  }
  return value;
}

}  // namespace juggler::wire
