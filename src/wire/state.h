#pragma once
// A checkpoint of a controller in its journal: its state (core/controller_state.h) as lines, one
// for each device, task, timer and so on. docs/journal.md is the specification.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/controller_state.h"
#include "core/digest.h"
#include "core/result.h"

namespace juggler::wire {

class JsonWriter;
class ObjectReader;

// The last line, with the digest of all before it.
struct StateEnd {
  std::uint64_t digest = 0;
};

// What one line holds. `Whole` is the first.
using StatePart = std::variant<ControllerState::Whole, DeviceState, LiveTask, Answered,
                               ControllerState::SetTimer, ControllerState::SentPublish,
                               ControllerState::RunningAttempt, Orphan, DecidedRead, StateEnd>;

// All lines, each with its end.
std::string encode_state(const ControllerState& state);
// One line, without its end.
std::string encode_state_part(const StatePart& part);
// Of an object with the field `state`. What is wrong with it is the reader's error.
StatePart read_state_part(ObjectReader& reader);

// Puts the lines of a checkpoint together again.
class StateReader {
 public:
  // The whole state with its last line; nothing before.
  //
  // errors  Corrupt: a line is missing, or was changed
  Result<std::optional<ControllerState>> add(const StatePart& part);
  // Whether lines are still to come.
  bool begun() const { return state_.has_value(); }

 private:
  std::optional<ControllerState> state_;
  Digest digest_;
};

}  // namespace juggler::wire
