#include <algorithm>

#include "core/consumer.h"

// This file: what a consumer is asked by its controller, and what it says of itself.

namespace juggler {

void Consumer::on(const HelloAsked& /*event*/) {
  if (linked_) {
    say_hello();
  }
}

void Consumer::on(const ServingChanged& event) {
  if (facts_.serving != event.serving) {
    facts_.serving = event.serving;
    if (linked_) {
      beat();  // at once: nothing comes before
    }
  }
}

// A hello says what is loaded now: who reads it may know nothing of what was said before.
void Consumer::say_hello() {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    Processor& processor = facts_.processors[l];
    processor.loaded.clear();
    for (const Profile& profile : processor.profiles) {
      if (lanes_[l].loaded.contains(profile.variant)) {
        processor.loaded.push_back(profile.variant);
      }
    }
  }
  actions_->emplace_back(SendHello{});
  beat();
}

void Consumer::on(const VariantUnloaded& event) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    if (facts_.processors[l].id == event.processor && lanes_[l].loaded.erase(event.variant) > 0) {
      lanes_[l].unloaded.insert(event.variant);
      if (linked_) {
        beat();  // at once: the next task for it would find it gone
      }
    }
  }
}

void Consumer::on(const HostSampled& event) { host_ = event.sample; }

void Consumer::on(const DrainAsked& /*event*/) {
  draining_ = true;
  if (linked_) {
    beat();
  }
}

void Consumer::on(const BeatAsked& event) {
  every_ = std::clamp(event.every, config_.heartbeat_min, config_.heartbeat_max);
  next_beat_ = std::min(next_beat_, now_ + every_);
}

// A twin's memory is its board's, less what is loaded there, whatever its host has.
std::optional<Bytes> Consumer::memory_free() const {
  if (!facts_.twin || facts_.memory == Bytes{0}) {
    return host_.memory_free;
  }
  Bytes left = facts_.memory;
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    for (const Profile& profile : facts_.processors[l].profiles) {
      if (lanes_[l].loaded.contains(profile.variant)) {
        left = left - profile.memory;
      }
    }
  }
  return std::max(left, Bytes{0});
}

void Consumer::beat() {
  Heartbeat heartbeat;
  heartbeat.device = facts_.id;
  heartbeat.incarnation = facts_.incarnation;
  heartbeat.draining = draining_;
  heartbeat.leaving = left_;
  heartbeat.serving = facts_.serving;
  heartbeat.every = every_;
  heartbeat.host = host_;
  heartbeat.host.memory_free = memory_free();
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    const Lane& lane = lanes_[l];
    const std::string& processor = facts_.processors[l].id;
    if (lane.running.has_value()) {
      for (const Job& job : lane.running->jobs) {
        heartbeat.running.push_back({job.dispatch.attempt, job.dispatch.stamp});
      }
    }
    for (const std::string& variant : lane.unloaded) {
      heartbeat.unloaded.push_back({processor, variant});
    }
    for (const auto& [variant, stop] : lane.stops) {
      if (stop.until > now_) {
        heartbeat.stopped.push_back({processor, variant, stop.reason});
      }
    }
  }
  heartbeat.unloaded.resize(std::min(heartbeat.unloaded.size(), kLaneVariantsMax));
  heartbeat.stopped.resize(std::min(heartbeat.stopped.size(), kLaneVariantsMax));
  actions_->emplace_back(SendHeartbeat{std::move(heartbeat)});
  next_beat_ = now_ + every_;
}

void Consumer::leave_if_done() {
  if (!draining_ || left_) {
    return;
  }
  for (const Lane& lane : lanes_) {
    if (lane.running.has_value() || !lane.waiting.empty()) {
      return;
    }
  }
  for (const auto& [attempt, sent] : results_) {
    if (!sent.confirmed) {
      return;
    }
  }
  left_ = true;
  if (linked_) {
    beat();
  }
  actions_->emplace_back(Left{});
}

}  // namespace juggler
