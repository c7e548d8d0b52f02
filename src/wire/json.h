#pragma once
// Reading JSON that a stranger wrote: sizes are capped before parsing, every field is checked for
// presence, type and range, and the first complaint is kept. Inside src/wire only.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler::wire {

// Parses an object of at most `bytes_max` bytes. Never throws.
Result<nlohmann::json> parse_object(std::string_view text, std::size_t bytes_max);

// A document as bytes; text that is not UTF-8 is repaired, never thrown about.
std::string dump(const nlohmann::json& document);

// Reads the fields of one object; the first error sticks, later reads give defaults.
//
// requires  the object and the error outlive the reader
class ObjectReader {
 public:
  ObjectReader(const nlohmann::json& object, std::string path, std::optional<Error>& error)
      : object_(object), path_(std::move(path)), error_(error) {}

  bool has(const char* key) const;
  std::string string(const char* key, std::size_t size_max);
  std::string string_or(const char* key, std::string fallback, std::size_t size_max);
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max);
  std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t min,
                          std::int64_t max);
  std::optional<std::int64_t> optional_integer(const char* key, std::int64_t min, std::int64_t max);
  double number(const char* key, double min, double max);
  bool boolean_or(const char* key, bool fallback);
  // An array of objects, of at most `size_max` elements; calls `each(reader)` for every one.
  template <class Each>
  void each(const char* key, std::size_t size_max, Each each_element);

  // A name of an enumeration.
  template <class Enum>
  Enum name(const char* key, std::optional<Enum> (*parse)(std::string_view), Enum fallback);

  void complain(const char* key, const std::string& what);
  bool failed() const { return error_.has_value(); }

 private:
  const nlohmann::json* field(const char* key) const;
  const nlohmann::json* array(const char* key, std::size_t size_max);

  const nlohmann::json& object_;
  std::string path_;
  std::optional<Error>& error_;
};

template <class Each>
void ObjectReader::each(const char* key, std::size_t size_max, Each each_element) {
  const nlohmann::json* elements = array(key, size_max);
  if (elements == nullptr) {
    return;
  }
  std::size_t index = 0;
  for (const nlohmann::json& element : *elements) {
    const std::string where = path_ + key + "[" + std::to_string(index) + "]";
    if (!element.is_object()) {
      complain(key, "holds something that is not an object");
      return;
    }
    ObjectReader reader(element, where + ".", error_);
    each_element(reader);
    if (failed()) {
      return;
    }
    index += 1;
  }
}

template <class Enum>
Enum ObjectReader::name(const char* key, std::optional<Enum> (*parse)(std::string_view),
                        Enum fallback) {
  const std::string text = string(key, 64);
  const std::optional<Enum> value = parse(text);
  if (!value.has_value() && !failed()) {
    complain(key, "has the unknown value '" + text + "'");
  }
  return value.value_or(fallback);
}

}  // namespace juggler::wire
