#include <algorithm>

#include "core/controller.h"

// This file: who is there. A device that has died is told by its broker, which has lost its
// consumer; one that is frozen or cut off by its silence.

namespace juggler {
namespace {

// It may have fallen silent while it stood aside.
Liveness after_aside(const DeviceState& device, const ControllerConfig& config, Time now) {
  const bool silent = now - device.last_heard >= device.pulse.scaled(config.suspect_after);
  return silent ? Liveness::Suspect : Liveness::Live;
}

// A battery that is being charged, or has come a fiftieth above its level, is not low any more.
constexpr std::int64_t kBatteryBackPermille = 20;

bool battery_low(const DeviceState& device, const HostSample& host) {
  const std::int64_t least = device.facts->battery_permille_min;
  const std::int64_t level = least + (device.battery_low ? kBatteryBackPermille : 0);
  return least > 0 && host.battery_permille.has_value() && *host.battery_permille < level &&
         !host.battery_charges.value_or(false);
}

bool names(const std::vector<LaneVariant>& list, const Processor& processor,
           const std::string& variant) {
  return std::any_of(list.begin(), list.end(), [&](const LaneVariant& one) {
    return one.processor == processor.id && one.variant == variant;
  });
}

}  // namespace

void Controller::set_liveness(const DeviceState& device, Liveness liveness) {
  if (device.liveness == liveness) {
    return;
  }
  const bool was_lost = device.liveness == Liveness::Lost;
  const bool was_gone = device.liveness == Liveness::Gone;
  const bool served = device.liveness != Liveness::Joining;
  fleet_.find_to_change(device.facts->id)->liveness = liveness;
  if (was_gone) {
    keep_power_limit();  // its rest counts again
  }
  if (liveness == Liveness::Lost || (liveness == Liveness::Gone && !was_lost)) {
    device_lost(device, served);
  } else if (liveness == Liveness::Live) {
    replan(tasks_.waiting_size());
    reconsider_lines();
  } else {
    plan_all(unplace_all(device));
  }
}

// How often a device is to beat, so that all of them together keep within the budget.
Micros Controller::beat_wanted() const {
  const auto devices = static_cast<std::int64_t>(fleet_.devices().size());
  const Micros within{devices * 1'000'000 / config_.beats_per_second_max};
  const Micros step = milliseconds(100);
  return std::max(config_.beat_min, step * ((within.count + step.count - 1) / step.count));
}

// What a device says that it can run: what it has unloaded, unless a batch on its way loads it
// again; what it has stopped; whether its battery is low.
void Controller::take_word(const Heartbeat& heartbeat) {
  const DeviceState* device = fleet_.find(heartbeat.device);
  const bool low = battery_low(*device, heartbeat.host);
  bool changed = device->battery_low != low;
  if (changed) {
    fleet_.find_to_change(heartbeat.device)->battery_low = low;
  }
  std::vector<TaskNumber> elsewhere;
  for (std::size_t l = 0; l < device->lanes.size(); ++l) {
    const Processor& processor = device->facts->processors[l];
    const Lane& lane = device->lanes[l];
    LaneLearned learned = *lane.learned;
    for (std::size_t p = 0; p < processor.profiles.size(); ++p) {
      ProfileLearned& profile = learned.profiles[p];
      const std::string& variant = processor.profiles[p].variant;
      const bool comes = std::any_of(lane.in_flight.begin(), lane.in_flight.end(),
                                     [p](const BatchInFlight& b) { return b.profile == p; });
      profile.stopped = names(heartbeat.stopped, processor, variant);
      if (!comes && planner_.objective().loading && names(heartbeat.unloaded, processor, variant)) {
        profile.loaded = false;
      }
    }
    if (learned == *lane.learned) {
      continue;
    }
    changed = true;
    for (const OpenBatch& batch : *lane.line) {
      if (learned.profiles[batch.profile].stopped) {
        for (const Member& member : lane.members_of(batch.id)) {
          elsewhere.push_back(member.task);
        }
      }
    }
    fleet_.find_to_change(heartbeat.device)->lanes[l].learned =
        std::make_shared<const LaneLearned>(std::move(learned));
  }
  for (const TaskNumber number : elsewhere) {
    unplace(*tasks_.find(number));
  }
  plan_all(elsewhere);
  if (changed) {
    refresh_all(heartbeat.device);
    replan(config_.replans_max);
  }
}

// Before a deadline is missed by it.
void Controller::expect_slower(const std::string& id) {
  if (!config_.learns) {
    return;
  }
  DeviceState& device = *fleet_.find_to_change(id);
  for (Lane& lane : device.lanes) {
    auto learned = std::make_shared<LaneLearned>(*lane.learned);
    learned->expect_slower();
    lane.learned = std::move(learned);
  }
  refresh_all(id);
}

// What a heartbeat says of the heartbeats: how often they come, and whether it was thought lost
// wrongly. Before it counts as heard.
void Controller::feel_pulse(const DeviceState& device, const Heartbeat& heartbeat) {
  Pulse& pulse = fleet_.pulse(device);
  const Micros silent = now_ - device.last_heard;
  // One that was frozen for long comes back as well, and was rightly lost.
  if (pulse.fell_silent && silent < pulse.scaled(config_.lost_after) * 2) {
    stats_.false_alarms += 1;
    pulse.false_alarm(now_);
  }
  pulse.fell_silent = false;
  pulse.calm(now_, config_.calm_after);
  pulse.beat = heartbeat.every;
  const Micros wanted = beat_wanted();
  // Faster only by much, or a device more or less would have all of them told anew.
  const bool other = wanted > heartbeat.every || wanted * 3 / 2 <= heartbeat.every;
  const bool due = pulse.told == Time{} || now_ - pulse.told >= config_.beat_told_again;
  if (leading_ && other && due && !heartbeat.leaving) {
    pulse.told = now_;
    act(SetHeartbeat{device.facts->id, wanted});
  }
}

void Controller::on(const PresenceTold& event) {
  const DeviceState* device = fleet_.find(event.device);
  if (device == nullptr || event.present || device->liveness == Liveness::Joining || !leading_ ||
      blocked_ || device->last_heard >= device->pulse.asked) {
    return;
  }
  if (device->liveness != Liveness::Lost && device->liveness != Liveness::Gone) {
    stats_.found_absent += 1;
    set_liveness(*device, Liveness::Lost);
  }
}

Liveness Controller::liveness_when_heard(const DeviceState& device, bool draining,
                                         bool serving) const {
  if (draining || !serving) {
    return draining ? Liveness::Draining : Liveness::Joining;
  }
  return device.breaker.aside() ? Liveness::Aside : Liveness::Live;
}

// A task has failed on a device. The first that fails with it is blamed; where a second fails too,
// it is the task. `record` null: the device was lost, whatever it had.
void Controller::blame(const std::string& id, TaskRecord* record) {
  if (record != nullptr && !record->devices_failed.empty()) {
    if (const DeviceState* first = fleet_.find(record->blamed)) {
      fleet_.breaker(*first).absolve();
    }
    record->blamed.clear();
    return;
  }
  const DeviceState* device = fleet_.find(id);
  if (device == nullptr) {
    return;
  }
  if (record != nullptr) {
    record->blamed = id;
  }
  const std::vector<DeviceState>& all = fleet_.devices();
  const bool others = std::any_of(all.begin(), all.end(), [&](const DeviceState& other) {
    return other.liveness == Liveness::Live && other.facts->id != id;
  });
  const bool was_aside = device->breaker.state() == Breaker::State::Aside;
  fleet_.breaker(*device).failed(now_, others, config_.breaker);
  if (device->breaker.state() == Breaker::State::Aside && !was_aside) {
    stats_.put_aside += 1;
    if (device->liveness == Liveness::Live) {
      set_liveness(*device, Liveness::Aside);  // else it comes aside when it is heard again
    }
  }
}

void Controller::praise(const std::string& id) {
  const DeviceState* device = fleet_.find(id);
  if (device == nullptr) {
    return;
  }
  fleet_.breaker(*device).succeeded();
  if (device->liveness == Liveness::Aside && !device->breaker.aside()) {
    set_liveness(*device, after_aside(*device, config_, now_));
  }
}

// What else stands in its lines looks elsewhere until the probe is back.
void Controller::probe_went_out(const DeviceState& device) {
  if (device.breaker.state() == Breaker::State::Probing) {
    fleet_.breaker(device).probed(now_, config_.breaker);
    timers_.set(now_, {.kind = ControllerTimer::Kind::Probed, .device = device.facts->id});
  }
}

// What its silence has come to; until when that holds if it goes on.
Time Controller::judge_silence(const DeviceState& device) {
  if (device.liveness == Liveness::Lost || device.liveness == Liveness::Gone) {
    return Time::never();
  }
  Pulse& pulse = fleet_.pulse(device);
  const Time lost = device.last_heard + pulse.scaled(config_.lost_after);
  const Time suspect = device.last_heard + pulse.scaled(config_.suspect_after);
  Time ask = std::max(device.last_heard + pulse.scaled(config_.ask_after) / pulse.patience,
                      pulse.asked + pulse.beat);
  if (lost <= now_) {
    pulse.fell_silent = true;
    set_liveness(device, Liveness::Lost);
    return Time::never();
  }
  if (suspect <= now_ && device.liveness == Liveness::Live) {
    set_liveness(device, Liveness::Suspect);
  }
  if (device.liveness == Liveness::Joining) {
    return std::min(lost,
                    suspect > now_ ? suspect : lost);  // nobody consumes its queue, as it says
  }
  if (ask <= now_) {
    pulse.asked = now_;
    act(AskPresence{device.facts->id});
    ask = now_ + pulse.beat;
  }
  return std::min({lost, ask, suspect > now_ ? suspect : lost});
}

void Controller::check_silence() {
  timers_.cancel(silence_timer_);
  if (!leading_) {
    return;  // the next lead sets the timer again
  }
  // Who was not looked at in time may have beaten all the same: what came lies there to be read.
  const Micros late = now_ - silence_due_;
  if (late > config_.own_stall) {
    for (const DeviceState& device : fleet_.devices()) {
      fleet_.heard(device, std::min(now_, device.last_heard + late));
    }
  }
  Time next = now_ + config_.liveness_period;
  for (std::size_t d = 0; !blocked_ && d < fleet_.devices().size(); ++d) {
    next = std::min(next, judge_silence(fleet_.devices()[d]));
  }
  silence_due_ = std::max(next, now_ + config_.silence_period_min);
  silence_timer_ = timers_.set(silence_due_, {.kind = ControllerTimer::Kind::Silence});
}

void Controller::check_liveness() {
  if (!leading_) {
    return;  // the next lead sets the timer again
  }
  liveness_timer_ =
      timers_.set(now_ + config_.liveness_period, {.kind = ControllerTimer::Kind::Liveness});
  if (blocked_) {
    return;  // heartbeats are held up too: nobody is lost while the broker takes no messages
  }
  std::vector<std::string> forgotten;
  for (std::size_t d = 0; d < fleet_.devices().size(); ++d) {
    if (fleet_.devices()[d].fades(now_, config_.learned_fades_after)) {
      fleet_.change(d).fade(now_, config_.learned_fades_after);
    }
    const DeviceState& device = fleet_.devices()[d];
    const Micros silent = now_ - device.last_heard;
    if (silent >= config_.forgotten_after) {
      set_liveness(device, Liveness::Gone);  // whatever was skipped: its tasks go elsewhere first
      forgotten.push_back(device.facts->id);
    } else if (silent >= config_.gone_after) {
      set_liveness(device, Liveness::Gone);
    } else if (device.liveness == Liveness::Aside && device.breaker.may_be_probed(now_)) {
      fleet_.breaker(device).probe();
      set_liveness(device, after_aside(device, config_, now_));
    }
  }
  for (const std::string& id : forgotten) {
    fleet_.erase(id);
  }
  replan(tasks_.waiting_size());
}

void Controller::device_lost(const DeviceState& device, bool blamed) {
  const std::string id = device.facts->id;
  const bool left = device.liveness == Liveness::Lost && device.pulse.leaving;
  if (blamed && !left) {
    blame(id, nullptr);
  }
  const std::vector<TaskNumber> in_line = unplace_all(device);
  std::vector<TaskNumber> on_it;
  for (const auto& [number, record] : tasks_.all()) {
    if (std::any_of(record.attempts.begin(), record.attempts.end(),
                    [&](const Attempt& attempt) { return attempt.open && attempt.device == id; })) {
      on_it.push_back(number);
    }
  }
  for (const TaskNumber number : on_it) {
    TaskRecord& record = *tasks_.find(number);
    for (Attempt& attempt : record.attempts) {
      if (attempt.open && attempt.device == id) {
        hold_power(attempt.id);
        end_attempt(record, attempt, "the device was lost", true);
      }
    }
    try_again(record);
  }
  plan_all(in_line);
}

}  // namespace juggler
