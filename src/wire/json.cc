#include "wire/json.h"

#include <fmt/format.h>

#include <cmath>

namespace juggler::wire {

namespace {

constexpr int kDepthMax = 32;  // ours are 6 deep

// Whether brackets outside of strings nest deeper than any message of ours.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1U : 0U;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDepthMax) {
        return true;
      }
    } else if (c == ']' || c == '}') {
      depth -= 1;
    }
  }
  return false;
}

}  // namespace

Result<nlohmann::json> parse_object(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    // JSON amplifies: 10 MB of brackets become 383 MB in memory.
    return fail(ErrorCode::TooLarge,
                fmt::format("{} bytes of JSON; at most {} are read", text.size(), bytes_max));
  }
  if (too_deep(text)) {
    return fail(ErrorCode::TooLarge, fmt::format("JSON nested deeper than {}", kDepthMax));
  }
  nlohmann::json document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return fail(ErrorCode::Corrupt, "not JSON");
  }
  if (!document.is_object()) {
    return fail(ErrorCode::Corrupt, "JSON, but not an object");
  }
  return document;
}

std::string dump(const nlohmann::json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void ObjectReader::complain(const char* key, const std::string& what) {
  if (!error_.has_value()) {
    error_ = fail(ErrorCode::Corrupt, fmt::format("field '{}{}' {}", path_, key, what));
  }
}

const nlohmann::json* ObjectReader::field(const char* key) const {
  const auto at = object_.find(key);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

bool ObjectReader::has(const char* key) const { return field(key) != nullptr; }

std::string ObjectReader::string(const char* key, std::size_t size_max) {
  const nlohmann::json* value = field(key);
  if (value == nullptr || !value->is_string()) {
    complain(key, value == nullptr ? "is missing" : "is not a string");
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
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
  const nlohmann::json* value = field(key);
  if (value == nullptr || !value->is_number_integer()) {
    complain(key, value == nullptr ? "is missing" : "is not a whole number");
    return min;
  }
  const bool too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  const std::int64_t number = too_large ? INT64_MAX : value->get<std::int64_t>();
  if (too_large || number < min || number > max) {
    complain(key, fmt::format("is {}; it must be {} to {}", value->dump(), min, max));
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
  const nlohmann::json* value = field(key);
  if (value == nullptr || !value->is_number()) {
    complain(key, value == nullptr ? "is missing" : "is not a number");
    return min;
  }
  const double number = value->get<double>();
  if (!std::isfinite(number) || number < min || number > max) {
    complain(key, fmt::format("is {}; it must be {} to {}", number, min, max));
    return min;
  }
  return number;
}

bool ObjectReader::boolean_or(const char* key, bool fallback) {
  const nlohmann::json* value = field(key);
  if (value != nullptr && !value->is_boolean()) {
    complain(key, "is not true or false");
  }
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

const nlohmann::json* ObjectReader::array(const char* key, std::size_t size_max) {
  const nlohmann::json* value = field(key);
  if (value == nullptr) {
    return nullptr;  // an absent list is an empty one
  }
  if (!value->is_array() || value->size() > size_max) {
    complain(key, value->is_array()
                      ? fmt::format("has {} elements; at most {} are read", value->size(), size_max)
                      : "is not a list");
    return nullptr;
  }
  return value;
}

}  // namespace juggler::wire
