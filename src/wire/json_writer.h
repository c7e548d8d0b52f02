#pragma once
// Writing JSON front to back, with no document between a message and its bytes. Inside src/wire
// only.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace juggler::wire {

// Writes one document. Text that is not UTF-8 is repaired, a number that is none is null. Keys are
// our own: plain ASCII, and by convention in alphabetical order.
class JsonWriter {
 public:
  JsonWriter() { out_.reserve(kUsualSize); }

  void begin_object() { begin('{'); }
  void begin_object(std::string_view key) { begin(key, '{'); }
  void end_object() { end('}'); }
  void begin_array(std::string_view key) { begin(key, '['); }
  void end_array() { end(']'); }

  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::int64_t value);
  void number(std::string_view key, double value);
  void flag(std::string_view key, bool value);

  // The document. requires  everything begun is ended; the last call
  std::string take() { return std::move(out_); }

 private:
  static constexpr std::size_t kUsualSize = 1024;

  void comma();
  void name(std::string_view key);
  void begin(char bracket);
  void begin(std::string_view key, char bracket);
  void end(char bracket);
  void escape(char special);

  std::string out_;
  bool first_ = true;  // of its object or array
};

}  // namespace juggler::wire
