#include <algorithm>

#include "core/controller.h"

// This file: what tasks ask of processors, and which variants are loaded there before they are
// needed.

namespace juggler {
namespace {

bool asks_less(const Candidate& candidate, const Candidate* than) {
  return than == nullptr || candidate.asks_uj < than->asks_uj;
}

}  // namespace

// A new task asks for its cheapest way (core/prices.h), of those in the last decision. Where the
// variant is not loaded there yet, the task loads it: a copy of it runs there, whatever else
// becomes of it. So it is with the cheapest idle processor where nobody else can serve the task in
// time.
void Controller::ask_for(TaskRecord& record, const Decision& decision) {
  const Objective& objective = planner_.objective();
  if (!objective.prices && !objective.loading) {
    return;
  }
  const Candidate* best = nullptr;
  const Candidate* spare = nullptr;
  for (const Candidate& candidate : planner_.candidates()) {
    if (!may_be_asked(candidate)) {
      continue;
    }
    const Microjoules worth = worth_of(record.submission.requirements.priority, objective.rates);
    if (candidate.asks_uj < worth.count && asks_less(candidate, best)) {
      best = &candidate;
    }
    const Lane& lane = fleet_.devices()[candidate.device].lanes[candidate.lane];
    if (lane.in_flight.empty() && lane.line->empty() && may_be_loaded_by(record, candidate) &&
        asks_less(candidate, spare)) {
      spare = &candidate;
    }
  }
  if (best != nullptr && objective.prices) {
    fleet_.change(best->device).lanes[best->lane].price.ask(best->asks, now_);
  }
  const auto* place = std::get_if<Place>(&decision);
  if (best != nullptr && may_be_loaded_by(record, *best)) {
    // Whoever is to be served there by another variant would stand behind the load.
    const bool goes_there = place != nullptr && place->candidate.device == best->device &&
                            place->candidate.lane == best->lane;
    const bool powered = place == nullptr || planner_.power_for_both(*best, place->candidate);
    if (!goes_there && powered && may_load(*best)) {
      load_ahead(record, *best);
    }
  } else if (spare != nullptr && place == nullptr) {
    load_ahead(record, *spare);
  }
}

// Whether the variant is not there, and a copy of the task, which runs alone, may load it.
bool Controller::may_be_loaded_by(const TaskRecord& record, const Candidate& candidate) const {
  const Lane& lane = fleet_.devices()[candidate.device].lanes[candidate.lane];
  const BatchCost alone = lane.expected(candidate.profile, 1, kSlowdownMin);
  return alone.load > Micros{0} &&
         within_energy(alone, 1, record.submission.requirements.max_energy);
}

// A processor that has work is kept from it only while no other loads, or a burst would find all
// of them loading. Loading may come on top of its window: a busy one's is never seen with room.
bool Controller::may_load(const Candidate& candidate) const {
  const DeviceState& device = fleet_.devices()[candidate.device];
  const Lane& lane = device.lanes[candidate.lane];
  const Processor& processor = device.facts->processors[candidate.lane];
  if (lane.in_flight.empty()) {
    return true;
  }
  const auto loads = [](const Lane& other) {
    return std::any_of(other.in_flight.begin(), other.in_flight.end(),
                       [](const BatchInFlight& batch) { return batch.loads; });
  };
  return lane.in_flight.size() <= static_cast<std::size_t>(processor.window_batches) &&
         lane.in_flight.size() < kInFlightBatchesMax &&
         std::none_of(fleet_.devices().begin(), fleet_.devices().end(),
                      [&](const DeviceState& other) {
                        return std::any_of(other.lanes.begin(), other.lanes.end(), loads);
                      });
}

// Where a task may run on the same device, if its processor's engine fails it: the same variant,
// within the task's energy; a DLA's tasks on the GPU, a GPU's on the CPU. Under a watt limit
// nowhere: no room was kept there.
std::vector<std::string> Controller::ways_out(const TaskRecord& record, const DeviceState& device,
                                              std::size_t lane, const std::string& variant) const {
  std::vector<std::string> ways;
  const std::vector<Processor>& processors = device.facts->processors;
  if (limits_power(device)) {
    return ways;
  }
  for (const ProcessorKind kind : {ProcessorKind::Gpu, ProcessorKind::Cpu}) {
    for (std::size_t l = 0; l < processors.size(); ++l) {
      if (l == lane || processors[l].kind != kind || processors[lane].kind < kind) {
        continue;
      }
      const std::vector<Profile>& profiles = processors[l].profiles;
      const auto at = std::find_if(profiles.begin(), profiles.end(),
                                   [&](const Profile& one) { return one.variant == variant; });
      if (at != profiles.end() &&
          within_energy(
              (*device.lanes[l].costs)[static_cast<std::size_t>(at - profiles.begin())].of(1), 1,
              record.submission.requirements.max_energy)) {
        ways.push_back(processors[l].id);
      }
    }
  }
  return ways;
}

void Controller::load_ahead(TaskRecord& record, const Candidate& candidate) {
  DeviceState& device = fleet_.change(candidate.device);
  const Time predicted =
      begin_batch(device, candidate.lane, static_cast<std::int64_t>(++last_batch_),
                  candidate.profile, 1, record.submission.payload.size.count);
  stats_.loaded_ahead += 1;
  tasks_.leave(record);
  send_attempt(record, device, candidate.lane, device.lanes[candidate.lane].in_flight.back(),
               predicted);
}

}  // namespace juggler
