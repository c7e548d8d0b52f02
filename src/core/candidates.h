#pragma once
// For one task: every device, processor and variant that might answer it, with what is predicted
// and whether it would meet the task's requirements. All policies choose from this list, so that no
// policy can break a requirement, and `explain` shows the same list that the decision saw.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/fleet.h"
#include "core/task.h"

namespace juggler {

// Why a candidate can or cannot take the task, in the order of the checks: the first that fails.
enum class Verdict {
  Meets,           // could take it now and is predicted to meet every requirement
  WindowFull,      // would meet every requirement, once its window has room
  QueueTooLong,    // not now: what is before it takes too long for the deadline
  OtherModel,      // never: the variant does not answer this model
  SyntheticOnly,   // never: its weights are synthetic and the task did not ask for such
  PayloadUnfit,    // never: the variant cannot take this kind of payload
  BelowAccuracy,   // never: below the task's floor
  EnergyOver,      // never: the upper end of its energy interval is over the task's limit
  EnergyUnknown,   // never: the task has a limit and nobody knows this energy
  TooSlow,         // never: even an idle processor would miss the deadline
  MemoryShort,     // not now: it does not fit into what is free
  AlreadyTried,    // never: an attempt of this task has failed on this device
  DeviceSuspect,   // not now
  DeviceLost,      // not now
  DeviceGone,      // never, as far as we know
  DeviceDraining,  // never, as far as we know
};

std::string_view to_string(Verdict verdict);  // stable, for programs: "below-accuracy"
std::string_view describe(Verdict verdict);   // for people
bool is_temporary(Verdict verdict);           // may become Meets by waiting

struct Candidate {
  // Positions in the fleet: device, processor (lane) and its profile.
  std::uint32_t device = 0;
  std::uint32_t lane = 0;
  std::uint32_t profile = 0;
  Verdict verdict = Verdict::OtherModel;

  MilliPercent accuracy;
  Micros latency;                     // compute at p95, corrected by what the device really does
  Time finish;                        // predicted, with queue and network
  std::optional<Microjoules> energy;  // for decisions: at the board's input
  std::uint64_t queued = 0;  // tasks in flight and in line there, for policies that balance load
};

// What of a task a decision reads.
struct TaskView {
  std::uint64_t number = 0;  // the controller's own; grows with arrival
  const Requirements* requirements = nullptr;
  std::string_view model;  // with `auto` resolved
  bool allow_synthetic = false;
  PayloadKind payload = PayloadKind::Opaque;
  int priority = 0;
  Time deadline;
  const std::vector<std::string>* devices_failed = nullptr;  // where an attempt failed; may be null
};

// What of one processor a decision reads, for one task. Holds the immutable parts by reference
// count, so that the last decisions can be kept and explained later from what they really saw.
struct LaneOutlook {
  std::uint32_t device = 0;
  std::uint32_t lane = 0;
  std::shared_ptr<const DeviceFacts> facts;
  std::shared_ptr<const Corrections> corrections;
  std::optional<Verdict> device_verdict;  // where the device itself cannot take the task
  std::optional<Bytes> memory_free;
  Micros network;
  Time free_at;              // with what is in flight
  Micros in_line;            // of the waiting tasks that go before this one
  std::uint64_t queued = 0;  // tasks in flight and in line
  bool window_full = false;
};

// What a decision about `task` reads of the fleet, one entry per processor, by device and
// processor id. Clears `outlook` first.
void look(const Fleet& fleet, const TaskView& task, Time now, std::vector<LaneOutlook>& outlook);

// Judges every variant on every processor, in the order device, processor, variant. Clears
// `candidates` first.
//
// Latency at p95 and not at the mean: a deadline is missed by the tail. The queue before the task
// is what is in flight plus the waiting tasks that go before it in the one order of queues.
// `with_other_models` keeps variants of other models too, for `explain`.
void judge(std::span<const LaneOutlook> outlook, const TaskView& task, Time now,
           bool with_other_models, std::vector<Candidate>& candidates);

// look() and judge() for a policy; keeps its memory from one decision to the next.
class CandidateList {
 public:
  std::span<const Candidate> of(const Fleet& fleet, const TaskView& task, Time now) {
    look(fleet, task, now, outlook_);
    judge(outlook_, task, now, false, candidates_);
    return candidates_;
  }

 private:
  std::vector<LaneOutlook> outlook_;
  std::vector<Candidate> candidates_;
};

// The profile that a candidate names.
const Profile& profile_of(const Fleet& fleet, const Candidate& candidate);

}  // namespace juggler
