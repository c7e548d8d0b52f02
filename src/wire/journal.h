#pragma once
// The lines of a controller's journal: each one JSON object, typed to bytes and back. What the
// files around them are: runtime/journal_files.h. docs/journal.md is the specification.
//
// Payloads are never written, nor the labels of results: no decision reads them.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/controller.h"
#include "core/result.h"
#include "core/shared.h"
#include "wire/state.h"

namespace juggler::wire {

inline constexpr int kJournalVersion = 3;
inline constexpr int kJournalVersionOldest = 2;  // the same, without checkpoints
inline constexpr std::size_t kJournalLineMax = std::size_t{8} << 20U;  // a hello has at most 4 MiB

// The first line of every segment: what a controller must be started with to do the same again.
struct JournalHead {
  std::string run;  // one start of a controller; its segments are numbered from 1
  std::int64_t segment = 1;
  std::string juggler;  // the version that wrote it
  std::string policy;
  std::int64_t unix_s = 0;  // when the segment was begun
  ControllerConfig config;
};

// A device that had said hello before this segment began.
struct JournalKnown {
  DeviceFacts facts;
};

// Steps that are not in the journal.
struct JournalGap {
  std::int64_t steps = 0;  // 0: nobody knows how many
  std::string reason;
};

// One step of the state machine, with the digest of its actions (core/digest.h).
struct JournalStep {
  Time at;
  std::uint64_t digest = 0;
  ControllerEvent event;
};

// A line of a checkpoint: all of them together are the controller's state after the step before.
struct JournalState {
  Shared<StatePart> part;  // large, beside what all other lines hold
};

using JournalLine = std::variant<JournalHead, JournalKnown, JournalGap, JournalStep, JournalState>;

// Without the end of the line.
std::string encode_journal(const JournalHead& head);
std::string encode_journal(const JournalGap& gap);
std::string encode_known(const DeviceFacts& facts);
std::string encode_step(Time at, std::uint64_t digest, const ControllerEvent& event);

// errors  Unsupported: another version; Corrupt, TooLarge: which field, and why
Result<JournalLine> decode_journal(std::string_view line);

}  // namespace juggler::wire
