#include <algorithm>

#include "core/controller.h"

// This file: what may take power although nobody counts on it, and a fleet that has come to need
// more than its watt limit. Which candidates a limit leaves out is in power.h.

namespace juggler {

bool Controller::limits_power(const DeviceState& device) const {
  return config_.power_max.has_value() || device.facts->power_max.has_value();
}

void Controller::hold_power(const std::string& device_id, std::size_t lane_index, PowerHold hold) {
  DeviceState* device = fleet_.find_to_change(device_id);
  PowerHold& held = device->lanes[lane_index].power_hold;
  held = {std::max(held.power, hold.power), std::max(held.until, hold.until)};
  timers_.set(held.until, {.kind = ControllerTimer::Kind::PowerHeld,
                           .device = device_id,
                           .processor = device->facts->processors[lane_index].id});
}

// An attempt is given up, but may still be computed where it is: until its task's deadline a device
// may begin it, and it has been given its time.
void Controller::hold_power(const AttemptId& id) {
  const auto open = open_attempts_.find(id);
  const DeviceState* device =
      open != open_attempts_.end() ? fleet_.find(open->second.device) : nullptr;
  if (device == nullptr || !limits_power(*device)) {
    return;
  }
  const Time until =
      std::max(open->second.deadline, now_ + open->second.patience) + config_.attempt_grace;
  for (std::size_t l = 0; l < device->lanes.size(); ++l) {
    for (const BatchInFlight& batch : device->lanes[l].in_flight) {
      if (batch.batch == open->second.batch) {
        const std::optional<Milliwatts> power = (*device->lanes[l].costs)[batch.profile].power;
        hold_power(device->facts->id, l, {power.value_or(Milliwatts{0}), until});
        return;
      }
    }
  }
}

// What an earlier leader had begun runs on some processor, nobody says on which.
void Controller::hold_power_of_strangers(const Heartbeat& heartbeat) {
  const DeviceState* device = fleet_.find(heartbeat.device);
  const bool strangers =
      std::any_of(heartbeat.running.begin(), heartbeat.running.end(),
                  [this](const StartedAttempt& started) { return started.id.epoch != epoch_; });
  if (!strangers || !limits_power(*device)) {
    return;
  }
  for (std::size_t l = 0; l < device->lanes.size(); ++l) {
    Milliwatts most;
    for (const ProfileCosts& costs : *device->lanes[l].costs) {
      most = std::max(most, costs.power.value_or(Milliwatts{0}));
    }
    hold_power(heartbeat.device, l, {most, now_ + heartbeat.every * 3});
  }
  keep_power_limit();
}

void Controller::power_held(const ControllerTimer& timer) {
  DeviceState* device = fleet_.find_to_change(timer.device);
  for (std::size_t l = 0; device != nullptr && l < device->lanes.size(); ++l) {
    PowerHold& held = device->lanes[l].power_hold;
    if (device->facts->processors[l].id == timer.processor && held.until <= now_) {
      held = {};
    }
  }
  replan(tasks_.waiting_size());
}

// Nobody is placed over the limit, but a board that comes takes power at rest. Then who stands in
// line is planned anew, within what is left; what is in flight cannot be taken back.
void Controller::keep_power_limit() {
  if (!config_.power_max.has_value() || planner_.power(fleet_).now <= *config_.power_max) {
    return;
  }
  std::vector<TaskNumber> numbers;
  for (std::size_t d = 0; d < fleet_.devices().size(); ++d) {
    const std::vector<TaskNumber> here = unplace_all(fleet_.devices()[d]);
    numbers.insert(numbers.end(), here.begin(), here.end());
  }
  plan_all(numbers);
}

}  // namespace juggler
