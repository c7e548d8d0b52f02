#pragma once
// Runs a journal's events through a controller again and holds its actions against those that were
// recorded: the same binary gives the same, step by step.

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
  Time first;
  Time last;
  ControllerStats stats;  // of the controller after them
  std::optional<ReplayDifference> difference;
  std::string ended_early;  // why steps that were recorded could not be replayed; else empty

  bool whole() const { return !difference.has_value() && ended_early.empty(); }
};

// To the end, the first difference or the first gap: what follows on it depends on what is missing.
//
// requires  a reader that has read nothing yet
// errors    Unsupported: a journal whose beginning was deleted; a line that cannot be read; a
//           policy that there is not
Result<ReplayReport> replay(JournalReader& journal);

}  // namespace juggler::sim
