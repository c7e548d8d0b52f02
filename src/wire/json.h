#pragma once
// Reading JSON that a stranger wrote: sizes and depths are capped, every field is checked for
// presence, type and range, and the first complaint is kept. Inside src/wire only.
//
// By RapidJSON and not by nlohmann::json, which the rest of the program uses: each task passes here
// and through json_writer.h three times, which cost 400,000 of its 550,000 instructions.

#include <rapidjson/document.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace juggler::wire {

// One parsed object.
class JsonDocument {
 public:
  JsonDocument();

  // Parses an object of at most `bytes_max` bytes. Never throws. Called once.
  Result<void> parse(std::string_view text, std::size_t bytes_max);
  const rapidjson::Value& root() const { return document_; }

 private:
  std::string text_;  // parsed in place: strings lie here
  // Most messages fit in here and need no more memory from the heap.
  alignas(std::max_align_t) std::array<char, 4096> first_values_;
  rapidjson::MemoryPoolAllocator<> values_;
  rapidjson::Document document_;
};

// Reads the fields of one object; the first error sticks, later reads give defaults. Fastest in the
// order in which the fields were written.
//
// requires  the object and the error outlive the reader, and it the readers it made
class ObjectReader {
 public:
  ObjectReader(const JsonDocument& document, std::optional<Error>& error)
      : ObjectReader(document.root(), nullptr, nullptr, kNoIndex, error) {}

  bool has(const char* key) const;
  // In the document, and gone with it.
  std::string_view text(const char* key, std::size_t size_max);
  std::string string(const char* key, std::size_t size_max) {
    return std::string(text(key, size_max));
  }
  std::string string_or(const char* key, std::string fallback, std::size_t size_max);
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max);
  std::int64_t integer_or(const char* key, std::int64_t fallback, std::int64_t min,
                          std::int64_t max);
  std::optional<std::int64_t> optional_integer(const char* key, std::int64_t min, std::int64_t max);
  double number(const char* key, double min, double max);
  bool boolean_or(const char* key, bool fallback);
  // The object in that field; none if there is none.
  std::optional<ObjectReader> object(const char* key) const;
  // An array of objects, of at most `size_max` elements; calls `each(reader)` for every one.
  template <class Each>
  void each(const char* key, std::size_t size_max, Each each_element);

  // A name of an enumeration.
  template <class Enum>
  Enum name(const char* key, std::optional<Enum> (*parse)(std::string_view), Enum fallback);

  void complain(const char* key, const std::string& what);
  bool failed() const { return error_.has_value(); }

 private:
  static constexpr std::size_t kNoIndex = SIZE_MAX;

  ObjectReader(const rapidjson::Value& object, const ObjectReader* parent, const char* key,
               std::size_t index, std::optional<Error>& error)
      : object_(object),
        parent_(parent),
        key_(key),
        index_(index),
        error_(error),
        next_(object.MemberBegin()) {}

  std::string path() const;
  const rapidjson::Value* field(const char* key) const;
  const rapidjson::Value* array(const char* key, std::size_t size_max);

  const rapidjson::Value& object_;
  const ObjectReader* parent_;  // where it stands: parent.key, or parent.key[index]
  const char* key_;
  std::size_t index_;
  std::optional<Error>& error_;
  mutable rapidjson::Value::ConstMemberIterator next_;  // where the next field is looked for first
};

template <class Each>
void ObjectReader::each(const char* key, std::size_t size_max, Each each_element) {
  const rapidjson::Value* elements = array(key, size_max);
  if (elements == nullptr) {
    return;
  }
  for (rapidjson::SizeType i = 0; i < elements->Size(); ++i) {
    const rapidjson::Value& element = (*elements)[i];
    if (!element.IsObject()) {
      complain(key, "holds something that is not an object");
      return;
    }
    ObjectReader reader(element, this, key, i, error_);
    each_element(reader);
    if (failed()) {
      return;
    }
  }
}

template <class Enum>
Enum ObjectReader::name(const char* key, std::optional<Enum> (*parse)(std::string_view),
                        Enum fallback) {
  const std::string_view given = text(key, 64);
  const std::optional<Enum> value = parse(given);
  if (!value.has_value() && !failed()) {
    complain(key, "has the unknown value '" + std::string(given) + "'");
  }
  return value.value_or(fallback);
}

}  // namespace juggler::wire
