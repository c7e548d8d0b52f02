#include "wire/raw_fields.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "wire/bodies.h"
#include "wire/utf8.h"

namespace juggler::wire {

void put_bytes(JsonWriter& writer, const std::string& key, const std::string& value) {
  if (is_utf8(value)) {
    writer.text(key, value);
    return;
  }
  std::string hex;
  for (const char c : value) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  writer.text(key + "_hex", hex);
}

std::string get_bytes(ObjectReader& reader, const std::string& key, std::size_t size_max) {
  const std::string hex_key = key + "_hex";
  if (!reader.has(hex_key.c_str())) {
    return reader.string_or(key.c_str(), "", size_max);
  }
  const std::string_view hex = reader.text(hex_key.c_str(), 2 * size_max);
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2) {
    unsigned byte = 0;
    const auto [end, failed] = std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    if (failed != std::errc() || end != hex.data() + i + 2) {
      reader.complain(hex_key.c_str(), "is not hexadecimal");
      return {};
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

void put_facts(JsonWriter& writer, const char* key, const DeviceFacts& facts) {
  writer.begin_object(key);
  write_fields(writer, facts);
  writer.end_object();
}

DeviceFacts get_facts(ObjectReader& reader, const char* key) {
  std::optional<ObjectReader> object = reader.object(key);
  if (!object.has_value()) {
    reader.complain(key, "is missing or not an object");
    return {};
  }
  DeviceFacts facts = read_facts(*object);
  if (!reader.failed()) {
    if (const Result<void> sane = validate(facts); !sane) {
      reader.complain(key, sane.error().message);
    }
  }
  return facts;
}

}  // namespace juggler::wire
