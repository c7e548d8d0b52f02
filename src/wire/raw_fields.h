#pragma once
// Fields of the journal that no message has: bytes that may be no text, numbers that are only bits.
// Inside src/wire only.

#include <cstdint>
#include <string>

#include "core/device.h"
#include "wire/json.h"
#include "wire/json_writer.h"

namespace juggler::wire {

// What a client sent may be no UTF-8; a replay needs its very bytes. Such stand under KEY_hex.
void put_bytes(JsonWriter& writer, const std::string& key, const std::string& value);
// Empty where there is none.
std::string get_bytes(ObjectReader& reader, const std::string& key, std::size_t size_max);

// Numbers that are nothing but bits, as the signed number of the same bits.
inline void put_bits(JsonWriter& writer, const char* key, std::uint64_t bits) {
  writer.integer(key, static_cast<std::int64_t>(bits));
}
inline std::uint64_t get_bits(ObjectReader& reader, const char* key) {
  return static_cast<std::uint64_t>(reader.integer(key, INT64_MIN, INT64_MAX));
}

// A hello, as its sender writes it. What validate() does not accept is the reader's error.
void put_facts(JsonWriter& writer, const char* key, const DeviceFacts& facts);
DeviceFacts get_facts(ObjectReader& reader, const char* key);

}  // namespace juggler::wire
