#include "wire/json_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "wire/utf8.h"

namespace juggler::wire {
namespace {

bool is_special(char c) { return static_cast<unsigned char>(c) < 0x20U || c == '"' || c == '\\'; }

// Whether it stands in JSON as it is: ASCII with nothing special. In eights: nearly every text is.
bool is_plain(std::string_view text) {
  constexpr std::uint64_t kEach = 0x0101010101010101ULL;
  constexpr std::uint64_t kHighBits = 0x80 * kEach;
  // Of eight ASCII bytes: a high bit where one is zero, and maybe above that one.
  const auto zeros = [](std::uint64_t eight) { return (eight - kEach) & ~eight; };
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= text.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + i, sizeof eight);
    const std::uint64_t odd = eight | (eight - 0x20 * kEach) | zeros(eight ^ ('"' * kEach)) |
                              zeros(eight ^ ('\\' * kEach));
    if ((odd & kHighBits) != 0) {
      return false;
    }
  }
  for (; i < text.size(); ++i) {
    if (is_special(text[i]) || static_cast<unsigned char>(text[i]) >= 0x80U) {
      return false;
    }
  }
  return true;
}

// Our own keys are shorter.
constexpr std::size_t kUsualKeyMax = 60;

}  // namespace

void JsonWriter::comma() {
  if (!first_) {
    out_.push_back(',');
  }
  first_ = false;
}

void JsonWriter::name(std::string_view key) {
  if (key.size() <= kUsualKeyMax) {  // appended at once: half of a message's bytes are names
    std::array<char, kUsualKeyMax + 4> whole;
    char* end = whole.data();
    if (!first_) {
      *end++ = ',';
    }
    first_ = false;
    *end++ = '"';
    end = std::copy(key.begin(), key.end(), end);
    *end++ = '"';
    *end++ = ':';
    out_.append(whole.data(), static_cast<std::size_t>(end - whole.data()));
    return;
  }
  comma();
  out_.push_back('"');
  out_.append(key);
  out_.append("\":");
}

void JsonWriter::begin(char bracket) {
  comma();
  out_.push_back(bracket);
  first_ = true;
}

void JsonWriter::begin(std::string_view key, char bracket) {
  name(key);
  out_.push_back(bracket);
  first_ = true;
}

void JsonWriter::end(char bracket) {
  out_.push_back(bracket);
  first_ = false;
}

void JsonWriter::escape(char special) {
  switch (special) {
    case '"':
      out_.append("\\\"");
      return;
    case '\\':
      out_.append("\\\\");
      return;
    case '\b':
      out_.append("\\b");
      return;
    case '\f':
      out_.append("\\f");
      return;
    case '\n':
      out_.append("\\n");
      return;
    case '\r':
      out_.append("\\r");
      return;
    case '\t':
      out_.append("\\t");
      return;
    default:
      out_.append(fmt::format("\\u{:04x}", static_cast<unsigned>(special)));
  }
}

void JsonWriter::text(std::string_view key, std::string_view value) {
  if (is_plain(value)) {
    name(key);
    out_.push_back('"');
    out_.append(value);
    out_.push_back('"');
    return;
  }
  std::string good;
  if (!is_utf8(value)) {
    good = repaired(value);
    value = good;
  }
  name(key);
  out_.push_back('"');
  std::size_t written = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (is_special(value[i])) {
      out_.append(value.substr(written, i - written));
      escape(value[i]);
      written = i + 1;
    }
  }
  out_.append(value.substr(written));
  out_.push_back('"');
}

void JsonWriter::integer(std::string_view key, std::int64_t value) {
  name(key);
  const fmt::format_int digits(value);
  out_.append(digits.data(), digits.size());
}

void JsonWriter::number(std::string_view key, double value) {
  name(key);
  if (!std::isfinite(value)) {
    out_.append("null");
    return;
  }
  // The shortest digits that read back as the same number.
  fmt::memory_buffer digits;
  fmt::format_to(std::back_inserter(digits), "{}", value);
  const std::string_view text(digits.data(), digits.size());
  out_.append(text);
  if (text.find_first_of(".e") == std::string_view::npos) {
    out_.append(".0");  // or it would read back as a whole number
  }
}

void JsonWriter::flag(std::string_view key, bool value) {
  name(key);
  out_.append(value ? "true" : "false");
}

}  // namespace juggler::wire
