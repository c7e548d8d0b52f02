#pragma once
// Quick calibration: what each variant costs on this machine, measured within a bounded time the
// first time a device starts. What a task costs is measured: decode, preprocess and run.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "files/catalogue.h"
#include "inference/calibration_file.h"
#include "inference/machine.h"
#include "runtime/engine.h"

namespace juggler {

struct CalibrationProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::string doing;  // "resnet50-fp32, batch 1"
};

// What is measured: one processor under one engine.
struct CalibrationLane {
  std::string processor = kCpuLane;
  ProcessorKind kind = ProcessorKind::Cpu;
  std::string runtime;  // what ran before must have been the same: "1.32.0", "PyTorch 1.13.1, cuda"
  int threads = 0;      // 0: chosen by measurement
  int batch_max = 4;    // larger ones are not measured
  bool builds_first = false;  // the first load builds what later ones find: not what a load costs
  std::function<Result<std::unique_ptr<InferenceEngine>>(int threads)> make_engine;
  std::function<Bytes()> memory;  // in use now
};

struct CalibrationOptions {
  std::filesystem::path home;
  std::string device;
  CalibrationLane lane;
  std::vector<std::string> variants;                         // the ids to measure
  Micros budget = seconds(15);                               // for all of it
  std::function<void(const CalibrationProgress&)> progress;  // may be empty
  std::function<bool()> stop;  // asked between runs; true ends it. May be empty
  MeasuredMode mode{};         // the power mode and clocks that are set now
};

struct CalibrationSummary {
  Calibration calibration;        // of the variants asked for, known or fresh
  std::vector<std::string> left;  // not measured within the budget, or failed: with the reason
};

// Loads what was measured before, measures what was not, saves the result. What was measured on
// another machine, with another runtime, thread count or model file, or in another power mode is
// measured again.
// Pretrained variants come first, then cheap ones, then larger batches while time remains.
//
// errors  where no variant can be measured at all, none was asked for, or it was stopped; nothing
// of
//         this time is kept then
Result<CalibrationSummary> calibrate(const Catalogue& catalogue, const Machine& machine,
                                     const CalibrationOptions& options);

}  // namespace juggler
