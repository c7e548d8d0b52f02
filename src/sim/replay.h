#pragma once
// Runs a journal's events through a controller again and holds its actions against those that were
// recorded: the same binary gives the same, step by step. Where the journal's beginning was
// deleted, and after a gap, it begins at the next checkpoint.

#include <cstdint>
#include <optional>
#include <string>

#include "core/controller.h"
#include "core/result.h"
#include "runtime/journal_reader.h"

namespace juggler::sim {

// The first step whose actions are others than those recorded.
struct ReplayDifference {
  std::string place;  // FILE:LINE
  Time at;
  std::string event;
  std::string actions;  // of the replay, one a line; of the recorded ones only the digest is known
  std::uint64_t recorded = 0;
  std::uint64_t replayed = 0;
};

struct ReplayReport {
  std::uint64_t steps = 0;  // that did the same
  std::uint64_t actions = 0;
  bool from_checkpoint = false;  // it began at one, because the journal's beginning was deleted
  std::uint64_t skipped = 0;     // steps before a checkpoint whose beginning is missing
  std::uint64_t gaps = 0;        // of these, behind which it went on from a checkpoint
  Time first;
  Time last;
  ControllerStats stats;  // of the controller after them, since the run began
  std::optional<ReplayDifference> difference;
  std::string ended_early;  // why steps that were recorded could not be replayed; else empty

  bool whole() const { return !difference.has_value() && ended_early.empty() && gaps == 0; }
};

// To the end, the first difference or the last gap that no checkpoint follows.
//
// requires  a reader that has read nothing yet
// errors    Unsupported: a journal whose beginning was deleted, without a checkpoint; Corrupt: a
//           checkpoint that does not fit together; a line that cannot be read; a policy that there
//           is not
Result<ReplayReport> replay(JournalReader& journal);

}  // namespace juggler::sim
