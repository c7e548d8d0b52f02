#pragma once
// For one task: every device, processor and variant that might answer it, with what is predicted
// and whether it would meet the task's requirements. All policies choose from this list, so that no
// policy can break a requirement, and `explain` shows the same list that the decision saw.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/lane_table.h"
#include "core/objective.h"
#include "core/task.h"
#include "core/timeline.h"
#include "core/verdict.h"

namespace juggler {

struct Candidate {
  // Positions in the fleet: device, processor (lane) and its profile.
  std::uint32_t device = 0;
  std::uint32_t lane = 0;
  std::uint32_t profile = 0;
  std::uint32_t seen = 0;  // position in the outlook
  Verdict verdict = Verdict::OtherModel;

  MilliPercent accuracy;
  Micros latency;  // of its batch at p95, corrected by what the device really does
  Time finish;     // late estimate, with queue and network
  // For decisions: its share of the batch's energy, at the board's input.
  std::optional<Microjoules> energy;
  Micros occupies;            // its share of the processor's time
  std::int64_t cost_uj = 0;   // energy and all else that the objective weighs, but not the price
  std::int64_t price_uj = 0;  // what the time it occupies is worth to others
  std::uint64_t queued = 0;   // tasks in flight and in line there, for policies that balance load
  std::optional<Milliwatts> power;  // above idle while it runs, at the board's input, at most
  Milliwatts adds_power;            // of that, what nothing there takes yet

  // The batch that it would be part of.
  std::uint64_t batch = 0;     // an open one; 0: a new one
  std::uint32_t position = 0;  // where in line the batch would stand
  int tasks = 1;               // in it, with this one
  int hoped = 1;               // tasks expected in it when it goes out
  Time due;                    // when its computing must have ended

  // What it would ask for if nobody were in its way: its share of the time of a batch as full as
  // the deadline allows, and what that would cost with its price (core/prices.h).
  Micros asks;
  std::int64_t asks_uj = 0;

  std::int64_t total_uj() const { return cost_uj + price_uj; }
};

// Whether a policy may choose this candidate, now or after what is before it.
inline bool choosable(const Candidate& candidate) {
  return candidate.verdict == Verdict::Meets || candidate.verdict == Verdict::WindowFull;
}

// What of a task a decision reads.
struct TaskView {
  std::uint64_t number = 0;  // the controller's own; grows with arrival
  const Requirements* requirements = nullptr;
  std::string_view model;  // with `auto` resolved
  bool allow_synthetic = false;
  PayloadKind payload = PayloadKind::Opaque;
  std::int64_t bytes = 0;  // of the payload
  int priority = 0;
  Time deadline;
  bool deadline_stated = true;  // by the task; false: the controller's default
  bool asks = true;             // its cheapest way is wanted too (core/prices.h)
  const std::vector<std::string>* devices_failed = nullptr;  // where an attempt failed; may be null
};

// What of one processor a decision reads, for one task at one moment. It points into the states
// that it was made of.
struct LaneOutlook {
  std::uint32_t device = 0;
  std::uint32_t lane = 0;
  const DeviceFacts* facts = nullptr;
  const LaneCosts* costs = nullptr;
  const LaneLearned* learned = nullptr;
  const Line* line = nullptr;
  std::optional<Verdict> device_verdict;  // where the device itself cannot take the task
  std::optional<Bytes> memory_free;
  Milliwatts power;         // what it may take by now
  Milliwatts device_power;  // the whole board, with what it takes at rest
  Milliwatts device_power_rest;
  Micros network;                 // both ways
  Pace pace;                      // of its link
  Time link_free_at;              // when what is on the way now is there
  Time free_at;                   // by the mean, with what is in flight; a dispatch cannot be
                                  // there earlier
  std::int64_t variance_us2 = 0;  // of that, and of the network
  std::int64_t slowdown_permille = kSlowdownMin;  // by the device's other processors
  std::int64_t price_mw = 0;
  bool scarce = false;       // its time (core/prices.h)
  std::uint64_t queued = 0;  // tasks in flight and in line
  bool window_full = false;

  const Variant& variant_of(std::size_t profile) const {
    return facts->variants[(*costs)[profile].variant];
  }
};

struct Outlook {
  std::vector<LaneOutlook> lanes;
  std::int64_t arrival_gap_us = ArrivalRate::kNever;
  // Open batches of a lower priority do not count: they would be sent away.
  bool over_lower_priorities = false;
  std::optional<Milliwatts> power_max;  // of all boards together, at their inputs
  FleetPower power;                     // what they may take by now
};

LaneOutlook outlook_of(const LaneState& lane, const TaskView& task, Time now);
// All of them, in their order. Replaces what `outlook` holds.
void look(std::span<const LaneState> lanes, const TaskView& task, Time now, Outlook& outlook);

// A preprocessed tensor and opaque bytes mean something to one named variant only.
inline bool needs_name(PayloadKind payload) {
  return payload == PayloadKind::FloatTensor || payload == PayloadKind::Opaque;
}
// Verdicts that depend on the task and the variant alone.
std::optional<Verdict> unfit(const TaskView& task, const Variant& variant);

// One decision's question.
struct Question {
  const Outlook& outlook;
  const TaskView& task;
  const Objective& objective;
  Time now;
};

// Judges variants on processors.
//
// Keeps its memory from one decision to the next.
class Judge {
 public:
  // What is worked out: all that anybody may want to read, other models too, or what is needed to
  // choose. A variant that can never serve the task has no figures then.
  enum class Detail { Everything, Enough };

  // Every variant on every processor, in the order device, processor, variant. Replaces what
  // `candidates` holds.
  void judge(const Question& question, Detail detail, std::vector<Candidate>& candidates);

  // One processor of the outlook, variant by variant: first open(), then any of them.
  void open(const Question& question, const LaneOutlook& lane);
  Candidate judge_one(const Question& question, const LaneOutlook& lane, std::size_t profile,
                      Detail detail) const;

 private:
  struct Scene;
  struct Alone;
  void add_figures(const Scene& scene, const Alone& alone, Candidate& candidate,
                   bool& in_time) const;
  void ask(const Scene& scene, Candidate& candidate) const;
  bool fit(const Scene& scene, const Alone& alone, Candidate& candidate) const;
  bool open_batch(const Scene& scene, const Alone& alone, Candidate& candidate) const;
  Verdict verdict_of(const Scene& scene, const Alone& alone, const Candidate& candidate,
                     bool in_time) const;
  bool too_dear(const Scene& scene, const Candidate& candidate) const;
  int company(const Scene& scene, const Alone& alone, const Candidate& candidate,
              const Timeline::Fit& found) const;

  Timeline timeline_;
};

}  // namespace juggler
