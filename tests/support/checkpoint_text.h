#pragma once
// A checkpoint's lines, read as a replay reads them.

#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

#include "wire/journal.h"
#include "wire/state.h"

namespace juggler::test {

// errors  those of the lines, and Corrupt: one that is of no checkpoint, or no last line
inline Result<ControllerState> state_of(const std::string& lines) {
  wire::StateReader reader;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    Result<wire::JournalLine> decoded = wire::decode_journal(line);
    if (!decoded) {
      return decoded.error();
    }
    const auto* part = std::get_if<wire::JournalState>(&*decoded);
    if (part == nullptr) {
      return fail(ErrorCode::Corrupt, "not a line of a checkpoint: " + line);
    }
    Result<std::optional<ControllerState>> state = reader.add(*part->part);
    if (!state) {
      return state.error();
    }
    if (state->has_value()) {
      return std::move(**state);
    }
  }
  return fail(ErrorCode::Corrupt, "a checkpoint without its last line");
}

}  // namespace juggler::test
