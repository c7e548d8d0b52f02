#pragma once
// Execution providers of ONNX Runtime as options: which of them a lane registers for a variant, in
// which order, and with what. Pure, so that what no machine here can run is tested up to this
// point.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "files/catalogue.h"
#include "files/lanes_file.h"

namespace juggler {

using OptionList = std::vector<std::pair<std::string, std::string>>;

struct ProviderChoice {
  std::string name;  // as the C API calls it: "XNNPACK", "CUDA", "TensorRT"
  OptionList options;

  friend bool operator==(const ProviderChoice&, const ProviderChoice&) = default;
};

struct ProviderContext {
  unsigned runtime_minor = 0;  // 16 of ONNX Runtime 1.16
  int threads = 1;
  std::filesystem::path engine_cache;  // below it each lane has a folder of its own
};

// In the order of registration: an operator goes to the first that can run it, and the CPU comes
// last by itself.
//
// TensorRT computes a variant in its own precision: fp16 where that is asked for, int8 where the
// file is quantised, and neither for fp32, whose accuracy would not be what the catalogue says.
std::vector<ProviderChoice> provider_choices(const LaneSpec& lane, const CatalogueVariant& variant,
                                             const ProviderContext& context);

// Where TensorRT keeps what it has built for this variant on this lane. Each core of the DLA has a
// folder of its own: an engine that was built for one core is not for the other, and nothing in the
// file's name tells them apart.
//
// source  microsoft/onnxruntime issue 26680: a cached engine runs on core 0 whatever trt_dla_core
//         says (seen on 1.24.2). A folder per core cannot mend that: see docs/engines.md.
std::filesystem::path engine_cache_folder(const LaneSpec& lane, const CatalogueVariant& variant,
                                          const ProviderContext& context);

// Whether this lane can serve the variant at all: a DLA computes in fp16 (the quantised files'
// QuantizeLinear does not run there), CUDA has no use for quantised files.
bool lane_serves(const LaneSpec& lane, const Variant& variant);

// The largest batch that the lane is given: a DLA's shapes are fixed, so one picture.
int lane_batch_max(const LaneSpec& lane);

// What GetAvailableProviders calls the engine of a lane; empty for an external one.
std::string provider_name(LaneEngine engine);

// The lanes of a machine that nobody has described: its CPU, and its first GPU by TensorRT or else
// by CUDA, as far as the library lists them. Of lanes with one processor the first that can be
// opened is meant: a library may list a provider whose own files are missing. A DLA is never taken
// unasked.
std::vector<LaneSpec> default_lanes(const std::vector<std::string>& providers);

}  // namespace juggler
