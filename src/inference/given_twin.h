#pragma once
// A twin whose figures are handed to it in a file, announced and true ones, in place of a board's
// profile and this machine's catalogue: the device of a scenario, as the simulator has it.

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/board_curves.h"
#include "core/result.h"
#include "inference/local_device.h"

namespace juggler {

struct GivenTwin {
  DeviceFacts announced;  // its hello
  DeviceFacts truth;      // what its batches take and cost; the same processors and variants
  double noise = 1.0;     // spread of single runs: 1 as p95 says, 0 none
  BoardCurves curves{};   // warm-up and heat
};

// JSON: {"announced", "truth", "noise"}, the facts as in a hello (docs/protocol.md); "curves" as in
// a board's profile, where there are any.
std::string given_twin_text(const GivenTwin& twin);

// errors  what is wrong with the file, and where
Result<GivenTwin> read_given_twin(const std::filesystem::path& file);

// The device that announces these facts under this identity. Its heartbeats tell the board's whole
// memory as free: the host's is shared by all twins, and says nothing about a board.
//
// errors  InvalidArgument: facts that no controller would take, or truth of another board
Result<LocalDevice> open_given_twin(GivenTwin twin, const DeviceIdentity& identity,
                                    std::uint64_t seed);

}  // namespace juggler
