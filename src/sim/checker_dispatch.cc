#include <fmt/format.h>

#include <algorithm>

#include "core/profile_point.h"
#include "sim/checker.h"

// This file: what must hold of a dispatch.

namespace juggler::sim {
namespace {

// The controller looks at silence twice a second, so a device may be given work for so long after
// it should have been suspect.
constexpr Micros kLivenessSlack = milliseconds(501);
// A controller with a longer grace than this has no deadline for its attempts, as the tests that
// take the rule away have it.
constexpr Micros kAttemptGraceMax = seconds(10);

const Lane* lane_of(const Controller& controller, const Dispatch& dispatch) {
  const DeviceState* device = controller.fleet().find(dispatch.device);
  for (std::size_t l = 0; device != nullptr && l < device->lanes.size(); ++l) {
    if (device->facts->processors[l].id == dispatch.processor) {
      return &device->lanes[l];
    }
  }
  return nullptr;
}

// A processor is given more than its window holds only where it is predicted to stand still before
// the last of it is there. The controller sends it ahead by two standard deviations and a
// millisecond; the link may be believed in anew between the dispatch and this check, so by four.
constexpr std::int64_t kAheadZPermille = 4000;
constexpr Micros kAheadMargin = milliseconds(1);

bool too_much_in_flight(const DeviceState& device, const Lane& lane, int window_batches, Time now) {
  const std::size_t in_flight = lane.in_flight.size();
  const auto window = static_cast<std::size_t>(window_batches);
  if (in_flight > kInFlightBatchesMax) {
    return true;
  }
  // Loading may come on top.
  if (in_flight <= window || (lane.in_flight.back().loads && in_flight == window + 1)) {
    return false;
  }
  Lane before;
  before.in_flight = lane.in_flight;
  before.in_flight.pop_back();
  before.head_since = lane.head_since;
  const Lane::Backlog backlog =
      before.backlog(now, device.way_back(), device.slowdown_permille(lane));
  const std::int64_t spread = device.network_spread().count;
  const Micros ahead = margin_of(backlog.variance_us2 + spread * spread, kAheadZPermille);
  return now + backlog.mean > lane.in_flight.back().there + ahead + kAheadMargin;
}

// How long the batch of a dispatch may take before the controller itself calls it overdue: no
// shorter than its prediction, which is not told otherwise.
std::optional<Micros> overdue_after(const Lane& lane, const Dispatch& dispatch) {
  const auto batch =
      std::find_if(lane.in_flight.begin(), lane.in_flight.end(),
                   [&](const BatchInFlight& entry) { return entry.batch == dispatch.batch; });
  return batch == lane.in_flight.end() ? std::nullopt : std::optional(batch->patience);
}

// After a false alarm somewhere a controller may be as patient with any device.
Micros suspect_after(Micros beat, const Controller& controller) {
  const int patience = controller.stats().false_alarms > 0 ? Pulse::kPatienceMax : 1;
  Pulse pulse;
  pulse.beat = beat;
  pulse.patience = patience;
  return pulse.scaled(controller.config().suspect_after);
}

}  // namespace

void InvariantChecker::check_dispatch(const Dispatch& dispatch, const Controller& controller) {
  const TaskKey& key = dispatch.attempt.task;
  const auto task = tasks_.find(key);
  const bool anonymous = key.id.rfind("anonymous", 0) == 0;
  if (task == tasks_.end() ? !anonymous : task->second.refused) {
    complain("a dispatch of " + key.id + ", which was never accepted");
  }
  if (task != tasks_.end() && task->second.outcome_confirmed) {
    complain("a dispatch of " + key.id + ", which is answered: it would run again");
  }
  const auto device = book_->devices.find(dispatch.device);
  if (device == book_->devices.end()) {
    complain("a dispatch to " + dispatch.device + ", which never said hello");
    return;
  }
  if (device->second.draining) {
    complain("a dispatch to " + dispatch.device + ", which is draining");
  }
  const Micros silent = now_ - device->second.last_heard;
  if (silent > suspect_after(device->second.beat, controller) + kLivenessSlack) {
    complain(fmt::format("a dispatch to {}, silent for {} us", dispatch.device, silent.count));
  }
  check_requirements(dispatch, controller);
  check_prediction(dispatch, controller);
  check_power(dispatch, controller);
}

// What a device takes at rest and for all that was sent to it, by the upper ends of its profiles'
// intervals and at its input; nothing where somebody's power is not known. A processor runs one
// batch after the other.
std::optional<Milliwatts> InvariantChecker::power_of(const DeviceBook& device) {
  const auto at_input = [&](std::int64_t count) {
    return count * device.facts.to_board_input.factor_permille / 1000;
  };
  Milliwatts power{at_input(device.facts.idle.value_or(Milliwatts{0}).count)};
  std::map<std::string, Milliwatts> busiest;  // by processor
  for (const auto& [id, attempt] : book_->powered) {
    for (const Processor& processor : device.facts.processors) {
      for (const Profile& profile : processor.profiles) {
        if (attempt.device != device.facts.id || attempt.processor != processor.id ||
            attempt.variant != profile.variant) {
          continue;
        }
        const ProfilePoint point = point_at(profile, 1);
        const auto energy = at_board_input(point.energy, device.facts.to_board_input);
        if (!energy.has_value() || !device.facts.idle.has_value()) {
          return std::nullopt;
        }
        Milliwatts& most = busiest[processor.id];
        most = std::max(most, Milliwatts{energy->high.count * 1000 / point.latency_mean.count});
      }
    }
  }
  for (const auto& [processor, most] : busiest) {
    power += most;
  }
  return power;
}

// Watt limits, of the fleet and of the device. What was sent counts until its result, until the
// broker gives it back, or until its deadline: no device begins it later.
void InvariantChecker::check_power(const Dispatch& dispatch, const Controller& controller) {
  const DeviceBook& here = book_->devices[dispatch.device];
  const std::optional<Milliwatts> of_fleet = controller.config().power_max;
  if (!of_fleet.has_value() && !here.facts.power_max.has_value()) {
    return;
  }
  std::erase_if(book_->powered, [&](const auto& one) { return one.second.until < now_; });
  book_->powered[dispatch.attempt] = {dispatch.device, dispatch.processor, dispatch.variant,
                                      now_ + dispatch.budget};
  const std::optional<Milliwatts> of_device = power_of(here);
  if (!of_device.has_value()) {
    complain("a dispatch to " + dispatch.device + ", whose power nobody knows, under a watt limit");
  } else if (here.facts.power_max.has_value() && *of_device > *here.facts.power_max) {
    complain(fmt::format("{} takes up to {} mW with a dispatch, over its limit of {} mW",
                         dispatch.device, of_device->count, here.facts.power_max->count));
  }
  Milliwatts all;
  std::string each;
  for (const auto& [id, device] : book_->devices) {
    const DeviceState* state = controller.fleet().find(id);
    if (state != nullptr && !device.left &&
        now_ - device.last_heard < controller.config().gone_after) {
      const Milliwatts power = power_of(device).value_or(Milliwatts{0});
      all += power;
      each += fmt::format("{}{} {}", each.empty() ? "" : ", ", id, power.count);
    }
  }
  if (of_fleet.has_value() && all > *of_fleet) {
    complain(fmt::format(
        "the fleet takes up to {} mW with a dispatch to {}, over its limit of {} mW ({})",
        all.count, dispatch.device, of_fleet->count, each));
  }
}

void InvariantChecker::check_requirements(const Dispatch& dispatch, const Controller& controller) {
  const DeviceFacts& facts = book_->devices[dispatch.device].facts;
  const Profile* profile = nullptr;
  const Lane* lane = lane_of(controller, dispatch);
  for (const Processor& processor : facts.processors) {
    const DeviceState* device = controller.fleet().find(dispatch.device);
    if (processor.id == dispatch.processor && lane != nullptr &&
        too_much_in_flight(*device, *lane, processor.window_batches, now_)) {
      complain("more in flight on " + dispatch.device + "/" + processor.id +
               " than its window, and than its way can hold");
    }
    for (const Profile& candidate : processor.profiles) {
      if (processor.id == dispatch.processor && candidate.variant == dispatch.variant) {
        profile = &candidate;
      }
    }
  }
  const Variant* variant = facts.find_variant(dispatch.variant);
  const TaskRecord* record = controller.tasks().find(dispatch.attempt.task);
  if (profile == nullptr || variant == nullptr) {
    complain(fmt::format("a dispatch to {}/{} without a profile for {}", dispatch.device,
                         dispatch.processor, dispatch.variant));
    return;
  }
  if (record == nullptr) {
    return;  // a mutated driver renamed it
  }
  const Requirements& wanted = record->submission.requirements;
  if (wanted.min_accuracy.has_value() && variant->accuracy < *wanted.min_accuracy) {
    complain("a dispatch of " + record->submission.key.id + " below its accuracy floor");
  }
  // Its share of the batch, at the board's input, by the upper end of the interval.
  const std::optional<EnergyFigure> energy =
      at_board_input(point_at(*profile, dispatch.batch_size).energy, facts.to_board_input);
  if (wanted.max_energy.has_value() &&
      (!energy.has_value() || energy->high / dispatch.batch_size > *wanted.max_energy)) {
    complain("a dispatch of " + record->submission.key.id + " over its energy limit");
  }
  if (dispatch.budget <= Micros{0} || now_ + dispatch.budget > record->deadline) {
    complain("a dispatch of " + record->submission.key.id + " with time it does not have");
  }
}

void InvariantChecker::check_prediction(const Dispatch& dispatch, const Controller& controller) {
  const std::optional<Explanation> why = controller.explain(dispatch.attempt.task.id);
  if (why.has_value() && !why->candidates.empty() && why->candidates.front().chosen) {
    const Micros predicted = why->candidates.front().finish;
    if (predicted > why->remaining) {
      complain(fmt::format("a dispatch of {} predicted to finish in {} us, with {} us left",
                           dispatch.attempt.task.id, predicted.count, why->remaining.count));
    }
  }
  // The rule of one deadline per attempt: after twice its prediction, which never passes the
  // task's deadline, and a grace it has its result, or counts as lost. It runs only while the
  // broker is there.
  const Lane* lane = lane_of(controller, dispatch);
  const std::optional<Micros> overdue =
      lane != nullptr ? overdue_after(*lane, dispatch) : std::nullopt;
  const Micros predicted = std::min(dispatch.budget, overdue.value_or(dispatch.budget));
  const Micros patience =
      predicted * 2 + std::min(controller.config().attempt_grace, kAttemptGraceMax);
  if (const auto again = book_->attempts.find(dispatch.attempt); again != book_->attempts.end()) {
    book_->forget(again);
  }
  book_->attempts[dispatch.attempt] = {patience, now_ + patience};
  book_->give_up.insert({now_ + patience, dispatch.attempt});
}

}  // namespace juggler::sim
