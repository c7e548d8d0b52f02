#pragma once
// The device that a consumer is: its facts for the hello, and an engine for each processor. Here a
// twin of a board and one that computes nothing; this machine is in inference/machine_device.h.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/result.h"
#include "inference/machine.h"
#include "runtime/engine.h"

namespace juggler {

struct TwinBoard;

struct LocalDevice {
  DeviceFacts facts;
  std::map<std::string, std::unique_ptr<InferenceEngine>> engines;  // by processor id
  std::vector<std::string> notes;  // what is missing and why, for the person who started it
  // What its heartbeats say is free; empty: what the host has.
  std::optional<Bytes> memory_free{};
  std::shared_ptr<TwinBoard> board{};  // of a twin whose board slows down or warms up; may be null
};

struct DeviceIdentity {
  std::string id;
  std::int64_t incarnation = 0;
};

// Checks what is about to be announced as strictly as the controller will.
Result<LocalDevice> checked_device(LocalDevice device);

// What this machine says of itself, without processors.
DeviceFacts machine_facts(const DeviceIdentity& identity, const Machine& machine);

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
