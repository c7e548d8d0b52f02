#pragma once
// The device that a consumer is: its facts for the hello, and an engine for each processor. Three
// kinds: this machine with ONNX Runtime, a twin of a board, and one that computes nothing.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "files/catalogue.h"
#include "inference/calibrate.h"
#include "runtime/engine.h"

namespace juggler {

struct LocalDevice {
  DeviceFacts facts;
  std::map<std::string, std::unique_ptr<InferenceEngine>> engines;  // by processor id
  std::vector<std::string> notes;  // what is missing and why, for the person who started it
  // What its heartbeats say is free; empty: what the host has.
  std::optional<Bytes> memory_free{};
};

struct DeviceIdentity {
  std::string id;
  std::int64_t incarnation = 0;
};

struct OnnxDeviceOptions {
  std::filesystem::path home;
  std::filesystem::path host_root = "/";  // where the host's / is, in a container
  DeviceIdentity identity;
  int threads = 0;                    // 0: chosen by measurement
  bool allow_spinning = false;        // only for a machine that runs nothing else
  std::vector<std::string> variants;  // models, networks or variants to serve; empty: all
  Micros calibration_budget = seconds(15);
  std::function<void(const CalibrationProgress&)> progress;
  std::function<bool()> stop;  // of the calibration: see calibrate.h
};

// Whether each of `wanted` names a model, network or variant of the catalogue.
//
// errors  InvalidArgument, with the one that names nothing
Result<void> check_variants(const Catalogue& catalogue, const std::vector<std::string>& wanted);

// This machine, calibrated. Its energies come from power times time, where a figure for its board
// is known (`[power] busy_mw` of the board's profile, or its rows); else they are absent.
Result<LocalDevice> open_onnx_device(const OnnxDeviceOptions& options);

struct TwinDeviceOptions {
  std::filesystem::path home;
  DeviceIdentity identity;
  std::string board;             // a board's profile by name
  std::filesystem::path labels;  // see twin_labels.h; empty: answers without labels
  std::uint64_t seed = 1;
};

// A twin of a board. A profile whose variant the catalogue cannot describe is left out.
Result<LocalDevice> open_twin_device(const TwinDeviceOptions& options);

struct NoopDeviceOptions {
  DeviceIdentity identity;
  int window_batches = 16;
  int batch_max = 1;
};

Result<LocalDevice> open_noop_device(const NoopDeviceOptions& options);

}  // namespace juggler
