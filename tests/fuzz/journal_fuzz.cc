// Fuzzes the lines of journals: what can be read can be written, and reads back as the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "wire/journal.h"

namespace {

using juggler::wire::JournalLine;

std::string written(const JournalLine& line) {
  if (const auto* head = std::get_if<juggler::wire::JournalHead>(&line)) {
    return juggler::wire::encode_journal(*head);
  }
  if (const auto* gap = std::get_if<juggler::wire::JournalGap>(&line)) {
    return juggler::wire::encode_journal(*gap);
  }
  if (const auto* known = std::get_if<juggler::wire::JournalKnown>(&line)) {
    return juggler::wire::encode_known(known->facts);
  }
  if (const auto* state = std::get_if<juggler::wire::JournalState>(&line)) {
    return juggler::wire::encode_state_part(*state->part);
  }
  const auto& step = std::get<juggler::wire::JournalStep>(line);
  return juggler::wire::encode_step(step.at, step.digest, step.event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = juggler::wire::decode_journal(text);
  if (line) {
    const std::string once = written(*line);
    JUGGLER_CHECK(once.find('\n') == std::string::npos, "a line of a journal is one line");
    const auto again = juggler::wire::decode_journal(once);
    JUGGLER_CHECK(again.has_value(), "what the journal writes it reads");
    JUGGLER_CHECK(written(*again) == once, "what the journal reads is what it wrote");
  }
  return 0;
}
