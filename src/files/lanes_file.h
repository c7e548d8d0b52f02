#pragma once
// The lanes of a device: which of its processors run which engine, and how (docs/engines.md). Read
// from a TOML file; where there is none, from what the machine has.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "core/units.h"

namespace juggler {

// What runs the networks of a lane. All but the last are execution providers of ONNX Runtime.
enum class LaneEngine { Cpu, Xnnpack, Cuda, TensorRt, External };

// A worker process; see inference/external_worker.h.
struct ExternalLane {
  std::vector<std::string> command;  // empty: somebody else starts it
  Micros start_max = seconds(120);
  Micros load_max = seconds(120);
  Micros run_max = seconds(30);

  friend bool operator==(const ExternalLane&, const ExternalLane&) = default;
};

struct LaneSpec {
  std::string processor;  // its id: "cpu0", "gpu0", "dla0"
  ProcessorKind kind = ProcessorKind::Cpu;
  LaneEngine engine = LaneEngine::Cpu;
  std::vector<std::string> variants;  // models, networks or variants; empty: all that it can run
  int batch_max = 0;                  // 0: what the engine offers
  int threads = 0;                    // cpu, xnnpack: 0 is by measurement
  int gpu = 0;                        // cuda, tensorrt: the number of the GPU
  std::optional<int> dla_core;        // tensorrt: on this core of the DLA
  bool engine_cache = true;           // tensorrt: keep what was built
  Bytes memory_max;                   // cuda: of its arena; tensorrt: of its workspace; 0: no limit
  ExternalLane external;

  friend bool operator==(const LaneSpec&, const LaneSpec&) = default;
};

inline constexpr std::size_t kLanesMax = 8;

// errors  file, line and reason
Result<std::vector<LaneSpec>> load_lanes(const std::filesystem::path& file);
Result<std::vector<LaneSpec>> parse_lanes(std::string_view text, const std::string& origin);

std::string_view to_string(LaneEngine engine);

}  // namespace juggler
