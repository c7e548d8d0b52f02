#include <fmt/format.h>

#include <algorithm>

#include "core/consumer.h"
#include "core/profile_point.h"

// This file: an engine that has no memory for a variant, or has crashed. What was to run there goes
// on on the processors that its dispatch names, a DLA's on the GPU, a GPU's on the CPU; the
// controller is told at once, and the variant is tried there again after a pause.

namespace juggler {

// Null where the variant is not stopped there, or has had its pause.
const Consumer::Stop* Consumer::stop_of(std::size_t lane, const std::string& variant) const {
  const auto at = lanes_[lane].stops.find(variant);
  return at != lanes_[lane].stops.end() && at->second.until > now_ ? &at->second : nullptr;
}

void Consumer::stop(std::size_t lane_index, const std::string& variant, const std::string& reason) {
  Lane& lane = lanes_[lane_index];
  Stop& stop = lane.stops[variant];
  stop.reason = reason;
  stop.pause =
      stop.pause == Micros{0} ? config_.stop_first : std::min(stop.pause * 2, config_.stop_max);
  stop.until = now_ + stop.pause;
  if (lane.loaded.erase(variant) > 0) {
    lane.unloaded.insert(variant);
  }
  for (Job& job : lane.waiting.take_variant(variant)) {
    fall_back_or_refuse(job, reason);
  }
  if (linked_) {
    beat();
  }
}

// The first processor that its dispatch names, which serves the variant and would be in time.
// Those before it are left out from now on.
std::optional<std::size_t> Consumer::way_out(Job& job) {
  std::vector<std::string>& names = job.dispatch.fall_back;
  while (!names.empty()) {
    const std::string name = names.front();
    names.erase(names.begin());
    for (std::size_t l = 0; l < lanes_.size(); ++l) {
      const Processor& processor = facts_.processors[l];
      const auto profile = std::find_if(
          processor.profiles.begin(), processor.profiles.end(),
          [&](const Profile& candidate) { return candidate.variant == job.dispatch.variant; });
      if (processor.id != name || profile == processor.profiles.end()) {
        continue;
      }
      const bool loaded = lanes_[l].loaded.contains(job.dispatch.variant);
      const Micros takes = point_at(*profile, 1).latency_p95 + (loaded ? Micros{0} : profile->load);
      if (stop_of(l, job.dispatch.variant) == nullptr && now_ + takes <= job.expires &&
          lanes_[l].waiting.size() < config_.queue_max) {
        return l;
      }
    }
  }
  return std::nullopt;
}

// Whether the task goes on on another processor; else it is as it was, with no other way.
bool Consumer::fall_back(Job& job, const std::string& reason) {
  const std::optional<std::size_t> lane = way_out(job);
  if (!lane.has_value()) {
    return false;
  }
  job.fell_back +=
      fmt::format("{}{}: {}", job.fell_back.empty() ? "" : "; ", job.dispatch.processor, reason);
  job.dispatch.processor = facts_.processors[*lane].id;
  job.dispatch.batch_size = 1;  // its batch is no more
  stats_.fell_back += 1;
  lanes_[*lane].waiting.add(std::move(job));
  start_next(*lane);
  return true;
}

void Consumer::fall_back_or_refuse(Job& job, const std::string& reason) {
  if (!fall_back(job, reason)) {
    stats_.refused += 1;
    finish(job, result_for(job, AttemptStatus::Refused,
                           fmt::format("{} is stopped on {}: {}", job.dispatch.variant,
                                       job.dispatch.processor, reason)));
  }
}

}  // namespace juggler
