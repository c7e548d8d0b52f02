#include "core/candidates.h"

#include <algorithm>
#include <array>

#include "core/check.h"

namespace juggler {
namespace {

struct VerdictText {
  Verdict verdict;
  bool temporary;
  std::string_view name;
  std::string_view text;
};

constexpr std::array<VerdictText, 16> kVerdicts{{
    {Verdict::Meets, true, "meets", "meets every requirement now"},
    {Verdict::WindowFull, true, "window-full",
     "its window is full; it would be in time after that"},
    {Verdict::QueueTooLong, true, "queue-too-long", "what is before it takes too long"},
    {Verdict::OtherModel, false, "other-model", "does not answer this model"},
    {Verdict::SyntheticOnly, false, "synthetic-weights",
     "synthetic weights, and the task did not ask for them"},
    {Verdict::PayloadUnfit, false, "payload-unfit", "cannot take this kind of payload"},
    {Verdict::BelowAccuracy, false, "below-accuracy", "accuracy is below the task's floor"},
    {Verdict::EnergyOver, false, "energy-over", "may take more energy than the task allows"},
    {Verdict::EnergyUnknown, false, "energy-unknown",
     "its energy is unknown and the task limits energy"},
    {Verdict::TooSlow, false, "too-slow", "the deadline leaves too little time, even when idle"},
    {Verdict::MemoryShort, true, "memory-short", "does not fit into the memory that is free"},
    {Verdict::AlreadyTried, false, "already-tried", "an attempt has failed on this device"},
    {Verdict::DeviceSuspect, true, "device-suspect", "the device is silent"},
    {Verdict::DeviceLost, true, "device-lost", "the device is lost"},
    {Verdict::DeviceGone, false, "device-gone", "the device was lost and did not come back"},
    {Verdict::DeviceDraining, false, "device-draining", "the device is leaving"},
}};

const VerdictText& text_of(Verdict verdict) {
  for (const VerdictText& entry : kVerdicts) {
    if (entry.verdict == verdict) {
      return entry;
    }
  }
  JUGGLER_CHECK(false, "every verdict has its text");
  return kVerdicts[0];
}

// Verdicts that depend on the task and the variant alone.
std::optional<Verdict> unfit(const TaskView& task, const Variant& variant) {
  if (!answers(variant, task.model)) {
    return Verdict::OtherModel;
  }
  if (variant.weights == Weights::Synthetic && !task.allow_synthetic &&
      !names_directly(variant, task.model)) {
    return Verdict::SyntheticOnly;
  }
  // A preprocessed tensor and opaque bytes mean something to one named variant only.
  const bool needs_name =
      task.payload == PayloadKind::FloatTensor || task.payload == PayloadKind::Opaque;
  if (needs_name && !names_directly(variant, task.model) && variant.model != "noop") {
    return Verdict::PayloadUnfit;
  }
  const std::optional<MilliPercent> floor = task.requirements->min_accuracy;
  if (floor.has_value() && variant.accuracy < *floor) {
    return Verdict::BelowAccuracy;
  }
  return std::nullopt;
}

std::optional<Verdict> over_energy(const TaskView& task, const ProfilePoint& point) {
  const std::optional<Microjoules> limit = task.requirements->max_energy;
  if (!limit.has_value()) {
    return std::nullopt;
  }
  if (!point.energy.has_value()) {
    return Verdict::EnergyUnknown;
  }
  // The upper end of the interval counts: a limit is a promise.
  return point.energy->high > *limit ? std::optional(Verdict::EnergyOver) : std::nullopt;
}

std::optional<Verdict> device_unfit(const TaskView& task, const DeviceState& device) {
  switch (device.liveness) {
    case Liveness::Live:
      break;
    case Liveness::Suspect:
      return Verdict::DeviceSuspect;
    case Liveness::Lost:
      return Verdict::DeviceLost;
    case Liveness::Gone:
      return Verdict::DeviceGone;
    case Liveness::Draining:
      return Verdict::DeviceDraining;
  }
  if (task.devices_failed != nullptr &&
      std::find(task.devices_failed->begin(), task.devices_failed->end(), device.facts->id) !=
          task.devices_failed->end()) {
    return Verdict::AlreadyTried;
  }
  return std::nullopt;
}

Micros before_in_line(const Lane& lane, const TaskView& task) {
  Micros sum;
  for (const Reservation& other : lane.reservations) {
    if (other.task != task.number && precedes(other.priority, other.deadline, other.task,
                                              task.priority, task.deadline, task.number)) {
      sum += other.expected;
    }
  }
  return sum;
}

Candidate judge_one(const LaneOutlook& lane, std::size_t profile_index, const TaskView& task,
                    Time now) {
  const Profile& profile = lane.facts->processors[lane.lane].profiles[profile_index];
  const Variant* variant = lane.facts->find_variant(profile.variant);
  JUGGLER_CHECK(variant != nullptr, "validate() admitted a profile without its variant");
  const ProfilePoint& point = profile.points.front();

  Candidate candidate;
  candidate.device = lane.device;
  candidate.lane = lane.lane;
  candidate.profile = static_cast<std::uint32_t>(profile_index);
  candidate.accuracy = variant->accuracy;
  candidate.latency = point.latency_p95 * (*lane.corrections)[profile_index] / 1000;
  candidate.finish = lane.free_at + lane.in_line + candidate.latency + lane.network;
  candidate.queued = lane.queued;
  if (point.energy.has_value()) {
    candidate.energy = point.energy->value * lane.facts->to_board_input.factor_permille / 1000;
  }

  if (const auto never = unfit(task, *variant)) {
    candidate.verdict = *never;
  } else if (const auto energy = over_energy(task, point)) {
    candidate.verdict = *energy;
  } else if (now + candidate.latency + lane.network > task.deadline) {
    candidate.verdict = Verdict::TooSlow;
  } else if (lane.device_verdict.has_value()) {
    candidate.verdict = *lane.device_verdict;
  } else if (lane.memory_free.has_value() && profile.memory > *lane.memory_free) {
    candidate.verdict = Verdict::MemoryShort;
  } else if (candidate.finish > task.deadline) {
    candidate.verdict = Verdict::QueueTooLong;
  } else {
    candidate.verdict = lane.window_full ? Verdict::WindowFull : Verdict::Meets;
  }
  return candidate;
}

}  // namespace

std::string_view to_string(Verdict verdict) { return text_of(verdict).name; }
std::string_view describe(Verdict verdict) { return text_of(verdict).text; }
bool is_temporary(Verdict verdict) { return text_of(verdict).temporary; }

void look(const Fleet& fleet, const TaskView& task, Time now, std::vector<LaneOutlook>& outlook) {
  outlook.clear();
  for (std::size_t d = 0; d < fleet.devices.size(); ++d) {
    const DeviceState& device = fleet.devices[d];
    const std::optional<Verdict> device_verdict = device_unfit(task, device);
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      const Lane& lane = device.lanes[l];
      const auto window = static_cast<std::size_t>(device.facts->processors[l].window_batches);
      LaneOutlook seen;
      seen.device = static_cast<std::uint32_t>(d);
      seen.lane = static_cast<std::uint32_t>(l);
      seen.facts = device.facts;
      seen.corrections = lane.corrections;
      seen.device_verdict = device_verdict;
      seen.memory_free = device.memory_free;
      seen.network = device.network();
      seen.free_at = lane.free_at(now);
      seen.in_line = before_in_line(lane, task);
      seen.queued = lane.in_flight.size() + lane.reservations.size();
      seen.window_full = lane.in_flight.size() >= window;
      outlook.push_back(std::move(seen));
    }
  }
}

void judge(std::span<const LaneOutlook> outlook, const TaskView& task, Time now,
           bool with_other_models, std::vector<Candidate>& candidates) {
  candidates.clear();
  for (const LaneOutlook& lane : outlook) {
    const std::size_t profiles = lane.facts->processors[lane.lane].profiles.size();
    for (std::size_t p = 0; p < profiles; ++p) {
      const Candidate candidate = judge_one(lane, p, task, now);
      if (with_other_models || candidate.verdict != Verdict::OtherModel) {
        candidates.push_back(candidate);
      }
    }
  }
}

const Profile& profile_of(const Fleet& fleet, const Candidate& candidate) {
  return fleet.devices[candidate.device]
      .facts->processors[candidate.lane]
      .profiles[candidate.profile];
}

}  // namespace juggler
