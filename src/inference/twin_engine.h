#pragma once
// The engine of a twin: it takes time and energy from a board's profile instead of running a
// network. It checks payloads as a board would, and its labels, if any, were computed elsewhere.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/board_curves.h"
#include "core/device.h"
#include "core/loaded_variants.h"
#include "core/shared_board.h"
#include "files/catalogue.h"
#include "inference/twin_labels.h"
#include "runtime/engine.h"
#include "runtime/mutex.h"

namespace juggler {

// The memory of the board that a twin stands for, which all its processors share.
struct TwinMemory {
  explicit TwinMemory(Bytes limit) : loaded(limit) {}

  Mutex mutex;
  LoadedVariants loaded GUARDED_BY(mutex);
};

// What the processors of the board that a twin stands for share: they slow each other down, and
// they warm up. Times of its own, from the monotonic clock.
struct TwinBoard {
  TwinBoard(const std::vector<Processor>& processors, BoardCurves curves)
      : runs(processors), state(std::move(curves), processors) {}

  Mutex mutex;
  SharedBoard runs GUARDED_BY(mutex);
  BoardState state GUARDED_BY(mutex);
};
// How warm it is, for its heartbeats.
struct TwinWarmth {
  std::optional<std::int64_t> millicelsius;  // nothing where its profile has no heating
  bool throttled = false;
};
TwinWarmth warmth_of(TwinBoard& board);

// Null where none slows another down, and there are no curves.
std::shared_ptr<TwinBoard> twin_board(const std::vector<Processor>& processors,
                                      const BoardCurves& curves);

struct TwinEngineOptions {
  Processor processor;  // with the profiles that it takes its times from, and what is loaded
  std::vector<Variant> variants;             // what the profiles' variants are
  Catalogue catalogue;                       // the inputs that float tensors are checked against
  std::shared_ptr<const TwinLabels> labels;  // may be null: answers without labels
  std::uint64_t seed = 1;
  // Returns at this time; empty: an absolute clock_nanosleep. Tests replace it.
  std::function<void(std::chrono::steady_clock::time_point)> sleep_until{};
  double noise = 1.0;                    // spread of single runs: 1 as p95 says, 0 none
  std::shared_ptr<TwinMemory> memory{};  // null: it has as much as it wants
  std::shared_ptr<TwinBoard> board{};    // null: nothing slows it down
  std::size_t position = 0;              // of its processor on the board
};

// A batch takes the profile's time with seeded noise (core/profile_point.h). Loading takes the
// profile's load time, but for what the processor has loaded at first, as a board that has long
// been up. While processors of its board work that slow it down, the batch takes longer. The report
// says the board's time: what the host adds to it is not the board's.
std::unique_ptr<InferenceEngine> make_twin_engine(TwinEngineOptions options);

}  // namespace juggler
