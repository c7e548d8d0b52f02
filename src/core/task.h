#pragma once
// A task and everything that is said about it: submission, dispatch, result, outcome.
// These are the typed messages; `src/wire` turns them into bytes and back.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/evidence.h"
#include "core/model.h"
#include "core/units.h"

namespace juggler {

enum class PayloadKind {
  Jpeg,
  Png,
  RawRgb,       // uint8, height x width x 3
  FloatTensor,  // float32, already preprocessed for one named variant
  Opaque,       // bytes that only the named variant understands
};

// A payload as the state machines see it: an opaque handle. The shells own the bytes.
struct PayloadRef {
  std::uint64_t handle = 0;
  Bytes size;
  PayloadKind kind = PayloadKind::Opaque;
  int width = 0;  // pixels, for pictures and RawRgb
  int height = 0;

  friend bool operator==(const PayloadRef&, const PayloadRef&) = default;
};

// Ids are scoped by submitter, so that one client cannot answer or shadow another's task.
struct TaskKey {
  std::string submitter;  // broker-checked user_id and reply_to
  std::string id;

  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

// Who a task counts for where room and time are shared: the user that the broker has checked. All
// who name none count as one: a reply queue is easily made, for each task another.
std::string_view sharer_of(const TaskKey& key);

inline constexpr int kPriorityMax = 9;
inline constexpr int kTopKMax = 1000;
inline constexpr std::size_t kTaskIdMax = 128;
inline constexpr std::size_t kModelNameMax = 128;
inline constexpr std::size_t kStampMax = 64;
inline constexpr std::size_t kAttemptEndMax = 300;  // bytes, of why an attempt ended
inline constexpr Bytes kPayloadMax = mebibytes(8);
inline constexpr std::size_t kTasksMax = 4096;  // that a controller serves at once

// What a task asks for. What is absent takes the controller's configured default.
struct Requirements {
  std::string model = "auto";
  std::string device = {};  // this one alone; empty: any
  std::optional<MilliPercent> min_accuracy;
  std::optional<Micros> deadline;  // from the controller's receipt
  std::optional<Microjoules> max_energy;
  int priority = 0;  // 0 to 9, 9 most urgent
  int top_k = 5;
  bool allow_synthetic = false;  // `auto` and models by name may use synthetic weights

  friend bool operator==(const Requirements&, const Requirements&) = default;
};

struct Submission {
  TaskKey key;
  std::string reply_to;  // empty: nobody waits for the outcome
  std::string correlation_id;
  Requirements requirements;
  PayloadRef payload;
  bool redelivered = false;

  friend bool operator==(const Submission&, const Submission&) = default;
};

// One dispatch of a task: unique without a store, because the epoch grows with each leader.
struct AttemptId {
  TaskKey task;
  std::int64_t epoch = 0;
  int number = 0;  // from 1

  friend auto operator<=>(const AttemptId&, const AttemptId&) = default;
};

// Controller to device: run this payload with this variant on this processor.
struct Dispatch {
  AttemptId attempt;
  std::string device;
  std::string processor;
  std::string variant;
  std::int64_t batch = 0;  // dispatches with one batch number are meant to run together
  int batch_size = 1;      // how many belong to it
  Micros budget;  // left until the deadline when it was sent; device clocks are not trusted
  int priority = 0;
  int top_k = 5;
  // Processors of the device on which it may run instead, in this order, where the engine of its
  // own has no memory for it or has crashed.
  std::vector<std::string> fall_back{};
  // What the device is to give back with all that it says of this attempt (runtime/stamps.h). Put
  // on by the controller's shell as it goes out.
  std::string stamp{};
  PayloadRef payload;

  friend bool operator==(const Dispatch&, const Dispatch&) = default;
};

struct Label {
  int index = 0;
  std::string name;
  double score = 0.0;  // probability

  friend bool operator==(const Label&, const Label&) = default;
};

enum class AttemptStatus {
  Ok,
  Error,       // the engine failed; another device may succeed
  BadPayload,  // the payload itself is at fault, as the device says: a second one is asked
  Expired,     // its budget ran out on the device; it was not run
  Refused,     // the device cannot take it: unknown variant, no memory, draining, stale epoch
};

// Device to controller: what became of one attempt.
struct AttemptResult {
  AttemptId attempt;
  std::string device;
  std::string processor;
  std::string variant;
  AttemptStatus status = AttemptStatus::Error;
  std::string reason;     // for all but Ok
  std::string fell_back;  // on which processors it failed before, and why; empty: on none
  std::vector<Label> labels;
  bool synthetic_labels = false;  // from synthetic weights: meaningless
  Micros queued;                  // on the device, beside computing: waiting and loading
  Micros compute;                 // decode, preprocess and run, of its batch
  // Of that, what other processors of the device added by computing beside it, by what it announced
  // of them (Processor::slowed_by).
  Micros slowed{};
  int batch_size = 1;
  std::optional<EnergyFigure> energy;  // this task's share, above idle
  bool redelivered = false;
  // Of its dispatch. The controller's shell takes away what it has not verified: where one stands,
  // a controller of this fleet has given the attempt to this device.
  std::string stamp{};

  friend bool operator==(const AttemptResult&, const AttemptResult&) = default;
};

enum class OutcomeKind { Completed, Rejected, Expired, Failed };

// One attempt, as the outcome reports it.
struct AttemptRecord {
  std::string device;
  std::string processor;
  std::string variant;
  std::string end;  // "ok", or why it did not stand

  friend bool operator==(const AttemptRecord&, const AttemptRecord&) = default;
};

// The one answer to a task.
struct Outcome {
  TaskKey key;
  OutcomeKind kind = OutcomeKind::Failed;
  std::string reason;  // empty for Completed
  std::vector<Label> labels;
  std::vector<AttemptRecord> attempts;

  // How it was answered; meaningful for Completed.
  std::string device;
  std::string processor;
  std::string variant;
  bool twin = false;
  std::string runtime;
  MilliPercent accuracy;
  Evidence accuracy_evidence = Evidence::Published;
  Weights weights = Weights::Pretrained;
  std::optional<EnergyFigure> energy;

  // Where the time went, in the controller's clock: total = waiting + network + queued + compute.
  Micros total;
  Micros waiting;  // in the controller, before the last dispatch
  Micros network;  // broker and wire, both ways
  Micros queued;   // on the device
  Micros compute;
  std::optional<Micros> deadline;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string_view to_string(PayloadKind kind);
std::string_view to_string(AttemptStatus status);
std::string_view to_string(OutcomeKind kind);
std::optional<PayloadKind> parse_payload_kind(std::string_view name);
std::optional<AttemptStatus> parse_attempt_status(std::string_view name);
std::optional<OutcomeKind> parse_outcome_kind(std::string_view name);

}  // namespace juggler
