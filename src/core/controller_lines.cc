#include <algorithm>

#include "core/check.h"
#include "core/controller.h"

// This file: the line of open batches before each processor: when a batch goes out, and which
// tasks have to look elsewhere.

namespace juggler {
namespace {

// A batch is held back until it could still begin this late: its last possible start, less three
// standard deviations of each batch that has to be in time, since a whole batch is at stake.
constexpr std::int64_t kHoldZPermille = 3000;
// Timers, the broker's own time; and a twentieth of the time there was, for what nobody foresees.
constexpr Micros kHoldMargin = milliseconds(1);
constexpr std::int64_t kHoldMarginPart = 20;

// Of the time until then it is held back for a part only, and for less the more stand in line: the
// rest is for those who are yet to come, who would find no room if everything could only just be
// in time. The time is divided by this much, and so much more for each of the others. With all of
// it two boards at 60 % of their capacity (scenarios pair/floors) sent a third of their tasks to
// processors that take five times the energy.
constexpr std::int64_t kHoldAlonePermille = 1350;
constexpr std::int64_t kHoldEachPermille = 2000;

// A processor should not wait for its next batch: one that comes this many standard deviations
// before it is needed costs only its freedom.
constexpr std::int64_t kNeededZPermille = 2000;

// Company is expected if at least this part of a task should join in the time left.
constexpr std::int64_t kJoinersMinPermille = 100;

const Lane* lane_of(const Fleet& fleet, const std::string& device, std::size_t lane) {
  const DeviceState* state = fleet.find(device);
  return state != nullptr && lane < state->lanes.size() ? &state->lanes[lane] : nullptr;
}

// Who cannot go with a batch any more. It may have become smaller since its tasks joined it, and
// the share of each larger: whose limit it breaks now. They never fit a batch of this size again,
// so that planning them anew ends. And whose deadline passed while the controller stood still.
std::vector<TaskNumber> left_behind(const Lane& lane, std::uint64_t batch, const TaskTable& tasks,
                                    Time now) {
  const auto entry = std::find_if(lane.line->begin(), lane.line->end(),
                                  [&](const OpenBatch& open) { return open.id == batch; });
  const BatchCost& cost = (*lane.costs)[entry->profile].of(entry->tasks);
  std::vector<TaskNumber> behind;
  for (const Member& member : lane.members_of(batch)) {
    const TaskRecord& record = *tasks.find(member.task);
    if (record.deadline <= now ||
        !within_energy(cost, entry->tasks, record.submission.requirements.max_energy)) {
      behind.push_back(member.task);
    }
  }
  return behind;
}

}  // namespace

// How long a silence among arrivals is worth waiting through for one more task, which could join
// until `until`. Silence counts as the gap between arrivals: who has not come for long is not
// expected.
Micros Controller::silence_worth(const Lane& lane, const OpenBatch& batch, Time until) const {
  const ProfileCosts& costs = (*lane.costs)[batch.profile];
  const std::int64_t fill = lane.learned->profiles[batch.profile].fill_permille();
  const BatchCost& alone = costs.of(1);
  const BatchCost& before = costs.of(batch.tasks);
  const BatchCost& grown = costs.of(batch.tasks + 1);
  // What each joiner saves, in energy as far as it is known and in time that has a price, per time
  // until the next is expected, against what the tasks' waiting is worth, and the processor's time
  // where it would be idle meanwhile: uJ/us = W.
  const bool known =
      alone.energy.has_value() && before.energy.has_value() && grown.energy.has_value();
  const Microjoules energy =
      known ? *before.energy + *alone.energy - *grown.energy : Microjoules{0};
  const Micros time = before.mean + alone.mean - grown.mean;
  const std::int64_t price_mw = lane.price.mw(now_);
  const std::int64_t saved_uj = energy.count + price_mw * time.count / 1000;
  const std::int64_t idle_mw = lane.in_flight.empty() ? price_mw : 0;
  const std::int64_t waiting_mw =
      std::max<std::int64_t>(planner_.objective().rates.holding_mw * batch.tasks + idle_mw, 1);
  const Micros likely{(until - fleet_.arrivals.last()).count * fill / (kJoinersMinPermille + fill)};
  return std::min(Micros{saved_uj * fill / waiting_mw}, likely);
}

// Until when a batch is held back for company, at most until `until`; not later than now where
// that is not worth it.
Time Controller::hold_until(const Lane& lane, const OpenBatch& batch, Time until) const {
  const bool full = batch.tasks >= (*lane.costs)[batch.profile].batch_max();
  if (!batch.patient || full || until <= now_) {
    return now_;
  }
  const Micros worth = silence_worth(lane, batch, until);
  if (Micros{fleet_.arrivals.gap_us(now_.us)} >= worth) {
    return now_;
  }
  return std::min(until, fleet_.arrivals.last() + worth);
}

// When the batch at this position of the line goes out, if nothing else happens.
Time Controller::release_of(const DeviceState& device, const Lane& lane,
                            std::size_t position) const {
  const OpenBatch& batch = (*lane.line)[position];
  const Micros there = device.way_of(batch.bytes, now_);
  const std::int64_t spread = device.network_spread().count;
  const Time latest = timeline_.latest_start(position, kHoldZPermille) - there -
                      margin_of(spread * spread, kHoldZPermille) - kHoldMargin -
                      (batch.due - batch.opened) / kHoldMarginPart;
  const auto others = static_cast<std::int64_t>(lane.line->size()) - 1;
  const Micros held = std::max(latest - batch.opened, Micros{0}) * 1000 /
                      (kHoldAlonePermille + kHoldEachPermille * others);
  return hold_until(lane, batch, batch.opened + held);
}

// Lets a line go on: sends out what is to go now, and sets a timer for what is held back.
void Controller::serve(const std::string& device_id, std::size_t lane_index) {
  if (!leading_ || blocked_) {
    return;
  }
  while (true) {
    const DeviceState* device = fleet_.find(device_id);
    const Lane* lane = lane_of(fleet_, device_id, lane_index);
    if (lane == nullptr || lane->line->empty() || device->liveness != Liveness::Live) {
      return;
    }
    if (!has_room(*device, *lane)) {
      return;
    }
    build_timeline(*device, *lane);
    const std::optional<std::uint64_t> next = next_batch(*device, *lane);
    if (!next.has_value()) {
      return;
    }
    const std::vector<TaskNumber> behind = left_behind(*lane, *next, tasks_, now_);
    if (behind.empty()) {
      dispatch(device_id, lane_index, *next);
      continue;
    }
    for (const TaskNumber number : behind) {
      unplace(*tasks_.find(number));
    }
    plan_all(behind);
  }
}

void Controller::build_timeline(const DeviceState& device, const Lane& lane) {
  const Lane::Backlog backlog = device.backlog(lane, now_);
  const std::int64_t spread = device.network_spread().count;
  timeline_.build(*lane.line, *lane.costs, *lane.learned, Timeline::Size::AsItIs,
                  {.free_at = now_ + std::max(backlog.mean, device.network() / 2),
                   .variance_us2 = backlog.variance_us2 + spread * spread,
                   .pace = device.link.believed().pace,
                   .link_free_at = now_ + device.way_of(0, now_),
                   .slowdown_permille = device.slowdown_permille(lane)},
                  0);
}

// Whether a processor may have any batch of its line now. Sets the timer for that.
bool Controller::has_room(const DeviceState& device, const Lane& lane) {
  const auto index = static_cast<std::size_t>(&lane - device.lanes.data());
  if (const Time next = device.link.believed().next_at; next > now_) {
    wake_at(next, device, index);
    return false;
  }
  std::int64_t bytes = 0;
  for (const OpenBatch& batch : *lane.line) {
    bytes = std::max(bytes, batch.bytes);
  }
  const Time room = room_from(device, lane, bytes);
  if (room > now_ && !lane.in_flight.empty() &&
      room <
          lane.head_since + lane.flight(device.slowdown_permille(lane)).head + device.way_back()) {
    wake_at(room, device, index);
  }
  return room <= now_;  // if not, the next result comes here again
}

// From when a processor may be sent a batch of so many bytes: while its window has room, and where
// it would stand still before the next result came and what is sent then were there, since a long
// way holds several batches beside those on the device.
Time Controller::room_from(const DeviceState& device, const Lane& lane, std::int64_t bytes) const {
  const auto index = static_cast<std::size_t>(&lane - device.lanes.data());
  const std::size_t in_flight = lane.in_flight.size();
  if (in_flight < static_cast<std::size_t>(device.facts->processors[index].window_batches)) {
    return now_;
  }
  return in_flight < kInFlightBatchesMax ? needed_from(device, lane, bytes) : Time::never();
}

// From when the processor needs a batch of so many bytes to be sent, so that it does not stand
// still.
Time Controller::needed_from(const DeviceState& device, const Lane& lane,
                             std::int64_t bytes) const {
  if (lane.in_flight.empty()) {
    return now_;
  }
  const Lane::Backlog backlog = device.backlog(lane, now_);
  const std::int64_t spread = device.network_spread().count;
  return now_ + backlog.mean - device.way_of(bytes, now_) -
         margin_of(backlog.variance_us2 + spread * spread, kNeededZPermille) - kHoldMargin;
}

// The first batch in line that is to go now. One that may overtake an earlier one, which is held
// back, does so only if that one still is in time after it. Sets the timer where none goes now.
std::optional<std::uint64_t> Controller::next_batch(const DeviceState& device, const Lane& lane) {
  const Line& line = *lane.line;
  Time wake = Time::never();
  // A batch that could still grow, or be overtaken by one that is more urgent, waits until then.
  const Time early_enough = planner_.objective().batching == Batching::Never
                                ? room_from(device, lane, line.front().bytes)
                                : needed_from(device, lane, line.front().bytes);
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool full = line[i].tasks >= (*lane.costs)[line[i].profile].batch_max();
    Time release = std::max(release_of(device, lane, i), room_from(device, lane, line[i].bytes));
    if (i == 0 && !full) {
      release = std::max(release, early_enough);
    }
    if (release <= now_ && (i == 0 || timeline_.may_overtake(i))) {
      return line[i].id;
    }
    if (release <= now_) {
      // What is held back goes before it, so that the processor does not stand still.
      if (early_enough <= now_) {
        return line.front().id;
      }
      wake = std::min(wake, early_enough);
      break;
    }
    wake = std::min(wake, release);
  }
  wake_at(wake, device, static_cast<std::size_t>(&lane - device.lanes.data()));
  return std::nullopt;
}

void Controller::wake_at(Time time, const DeviceState& device, std::size_t lane) {
  if (time < device.lanes[lane].wake) {
    fleet_.set_wake(device, lane, time);
    timers_.set(time, {.kind = ControllerTimer::Kind::Lane,
                       .device = device.facts->id,
                       .processor = device.facts->processors[lane].id});
  }
}

// A lane's timer: its line goes on.
void Controller::lane_due(const ControllerTimer& timer) {
  const DeviceState* device = fleet_.find(timer.device);
  if (device == nullptr) {
    return;
  }
  const std::vector<Processor>& processors = device->facts->processors;
  for (std::size_t l = 0; l < processors.size(); ++l) {
    if (processors[l].id == timer.processor) {
      if (device->lanes[l].wake > now_) {
        return;  // an earlier timer, or a later one, has replaced this one
      }
      fleet_.set_wake(*device, l, Time::never());
      send_away_late(timer.device, l);
      serve(timer.device, l);
      return;
    }
  }
}

// Something about a processor has changed: whoever is no longer predicted to be in time there
// looks elsewhere, then the line goes on.
void Controller::refresh(const std::string& device_id, const std::string& processor_id) {
  const DeviceState* device = fleet_.find(device_id);
  if (device == nullptr) {
    return;
  }
  const std::vector<Processor>& processors = device->facts->processors;
  for (std::size_t l = 0; l < processors.size(); ++l) {
    if (processors[l].id == processor_id) {
      send_away_late(device_id, l);
      serve(device_id, l);
      break;
    }
  }
  replan(config_.replans_max);
}

void Controller::refresh_all(const std::string& device_id) {
  const DeviceState* device = fleet_.find(device_id);
  const std::size_t lanes = device != nullptr ? device->lanes.size() : 0;
  for (std::size_t l = 0; l < lanes; ++l) {
    send_away_late(device_id, l);
    serve(device_id, l);
  }
}

// The tasks of a line that would miss their deadline by the mean prediction are planned anew.
void Controller::send_away_late(const std::string& device_id, std::size_t lane_index) {
  const DeviceState* device = fleet_.find(device_id);
  const Lane* lane = lane_of(fleet_, device_id, lane_index);
  if (lane == nullptr || lane->line->empty() || !leading_ || blocked_) {
    return;
  }
  build_timeline(*device, *lane);
  std::vector<TaskNumber> late;
  for (std::size_t i = timeline_.first_late(); i < lane->line->size(); ++i) {
    const Time end = timeline_.end_of(i);
    for (const Member& member : lane->members_of((*lane->line)[i].id)) {
      if (end > member.due) {
        late.push_back(member.task);
      }
    }
  }
  for (const TaskNumber number : late) {
    unplace(*tasks_.find(number));
  }
  plan_all(late);
}

}  // namespace juggler
