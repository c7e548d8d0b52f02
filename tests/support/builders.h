#pragma once
// Readable test data: each builder starts from something valid, and a test names only what matters
// to it.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/candidates.h"
#include "core/controller_messages.h"
#include "core/device.h"
#include "core/fleet.h"
#include "core/task.h"

namespace juggler::test {

// A pretrained variant `<network>-<precision>` of the model "imagenet".
Variant variant(const std::string& id, double accuracy_percent = 75.0);
Variant synthetic(const std::string& id, double accuracy_percent = 75.0);

// An energy of `mj`, known to the given relative width: 0.1 is from 90 % to 110 %.
EnergyFigure energy_mj(double mj, double width = 0.0);

// A device with the processor "cpu0" (window 2, batch 1) unless told otherwise.
class DeviceBuilder {
 public:
  explicit DeviceBuilder(std::string id);

  DeviceBuilder& processor(std::string id, ProcessorKind kind = ProcessorKind::Cpu);
  DeviceBuilder& window(int batches);
  DeviceBuilder& batch_max(int tasks);
  // A variant on the last processor, batch size 1: mean and p95 are equal.
  DeviceBuilder& serves(const Variant& variant, Micros latency,
                        std::optional<EnergyFigure> energy = std::nullopt, Bytes memory = {});
  // A further batch size of the last profile.
  DeviceBuilder& point(int batch, Micros latency,
                       std::optional<EnergyFigure> energy = std::nullopt);
  DeviceBuilder& incarnation(std::int64_t number);
  DeviceBuilder& to_board_input(std::int64_t permille);
  DeviceBuilder& twin();
  DeviceBuilder& idle(Milliwatts power);
  DeviceBuilder& power_max(Milliwatts power);
  DeviceBuilder& battery_min(std::int64_t permille);

  DeviceFacts build() const;
  operator DeviceFacts() const { return build(); }  // NOLINT(google-explicit-constructor)

 private:
  DeviceFacts facts_;
};
inline DeviceBuilder device(std::string id) { return DeviceBuilder(std::move(id)); }

class SubmissionBuilder {
 public:
  explicit SubmissionBuilder(std::string id);

  SubmissionBuilder& model(std::string name);
  SubmissionBuilder& min_accuracy(double percent);
  SubmissionBuilder& deadline(Micros from_receipt);
  SubmissionBuilder& max_energy_mj(double mj);
  SubmissionBuilder& priority(int priority);
  SubmissionBuilder& top_k(int labels);
  SubmissionBuilder& allow_synthetic();
  SubmissionBuilder& submitter(std::string name);
  SubmissionBuilder& reply_to(std::string queue);
  SubmissionBuilder& correlation(std::string id);
  SubmissionBuilder& payload(PayloadKind kind, Bytes size = {1000});
  SubmissionBuilder& redelivered();

  Submission build() const { return submission_; }
  operator Submission() const { return submission_; }  // NOLINT(google-explicit-constructor)

 private:
  Submission submission_;
};
// A task "id" with reply queue "replies", model auto, a JPEG of 1,000 bytes, no other requirement.
inline SubmissionBuilder submission(std::string id) { return SubmissionBuilder(std::move(id)); }

// "device/variant" of a candidate.
std::string name_of(const Fleet& fleet, const Candidate& candidate);

// A fleet of live, idle devices, sorted by id.
Fleet fleet_of(std::vector<DeviceFacts> devices);

// The result that a device would send for this dispatch.
AttemptResult result_of(const Dispatch& dispatch, AttemptStatus status = AttemptStatus::Ok,
                        std::string reason = "");

// An outcome as an earlier leader gave it.
Outcome outcome_of(const std::string& id, OutcomeKind kind, std::string reason = "");

}  // namespace juggler::test
