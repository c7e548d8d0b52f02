#include "core/controller_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "core/controller.h"

// This file: how the state is copied and taken up, and what has to fit together in it.

namespace juggler {
namespace {

Error unfit(const std::string& what) {
  return fail(ErrorCode::Corrupt, "the state of a controller: " + what);
}

template <class Items, class Key>
bool ascending(const Items& items, Key key) {
  return std::adjacent_find(items.begin(), items.end(), [&](const auto& a, const auto& b) {
           return !(key(a) < key(b));
         }) == items.end();
}

// The batches of a line and their members are the same, and no batch is larger than planned ones.
bool line_fits(const Lane& lane, std::size_t profiles) {
  const auto batch_fits = [&](const OpenBatch& batch) {
    const auto members = std::find_if(lane.members.begin(), lane.members.end(),
                                      [&](const auto& entry) { return entry.first == batch.id; });
    return batch.profile < profiles && members != lane.members.end() &&
           members->second.size() == static_cast<std::size_t>(batch.tasks) && batch.tasks >= 1 &&
           batch.hoped >= batch.tasks && batch.hoped <= (*lane.costs)[batch.profile].batch_max();
  };
  std::set<std::uint64_t> ids;
  for (const OpenBatch& batch : *lane.line) {
    ids.insert(batch.id);
  }
  return ids.size() == lane.line->size() && ids.size() == lane.members.size() &&
         std::all_of(lane.line->begin(), lane.line->end(), batch_fits);
}

bool complete_lane(Lane& lane, const DeviceFacts& facts, const Processor& processor) {
  const std::size_t profiles = processor.profiles.size();
  lane.costs = std::make_shared<const LaneCosts>(costs_of(facts, processor));
  const auto divides = [](const ProfileLearned& learned) { return learned.came_permille >= 1; };
  const auto known = [&](const BatchInFlight& batch) {
    return batch.profile < profiles && batch.open >= 0;
  };
  return lane.learned->profiles.size() == profiles &&
         std::all_of(lane.learned->profiles.begin(), lane.learned->profiles.end(), divides) &&
         std::all_of(lane.in_flight.begin(), lane.in_flight.end(), known) &&
         line_fits(lane, profiles);
}

Result<void> complete_devices(std::vector<DeviceState>& devices) {
  if (!ascending(devices, [](const DeviceState& device) { return device.facts->id; })) {
    return unfit("its devices are not in the order of their ids");
  }
  for (DeviceState& device : devices) {
    const std::vector<Processor>& processors = device.facts->processors;
    bool fits = device.lanes.size() == processors.size();
    for (std::size_t l = 0; fits && l < processors.size(); ++l) {
      fits = complete_lane(device.lanes[l], *device.facts, processors[l]);
    }
    if (!fits) {
      return unfit("the processors of device " + device.facts->id);
    }
  }
  return {};
}

// Which task stands in which batch of which processor.
using Places = std::map<TaskNumber, std::tuple<std::string, std::size_t, std::uint64_t>>;

// Nothing where a task stands twice.
std::optional<Places> places_of(const std::vector<DeviceState>& devices) {
  Places places;
  for (const DeviceState& device : devices) {
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      for (const auto& [batch, members] : device.lanes[l].members) {
        for (const Member& member : members) {
          if (!places.emplace(member.task, std::tuple(device.facts->id, l, batch)).second) {
            return std::nullopt;
          }
        }
      }
    }
  }
  return places;
}

bool task_fits(const TaskRecord& record, const Places& places) {
  const auto stands = places.find(record.number);
  const bool placed =
      record.place.has_value()
          ? stands != places.end() &&
                stands->second ==
                    std::tuple(record.place->device, record.place->lane, record.place->batch)
          : stands == places.end();
  const bool answering = record.phase == TaskPhase::Answering;
  return placed && !record.requesters.empty() && answering == record.outcome.has_value() &&
         !(answering && stands != places.end()) && (answering || !record.resend_due) &&
         (record.phase != TaskPhase::InFlight || !record.attempts.empty());
}

Result<void> check_tasks(const ControllerState& state) {
  const std::optional<Places> places = places_of(state.devices);
  const auto number_of = [](const LiveTask& task) { return task.record.number; };
  if (!ascending(state.tasks, number_of) ||
      (!state.tasks.empty() && number_of(state.tasks.back()) > state.whole.last_task)) {
    return unfit("its tasks are not in the order of their numbers");
  }
  std::set<TaskKey> keys;
  std::size_t placed = 0;
  for (const LiveTask& task : state.tasks) {
    const bool known = task.named && !keys.insert(task.record.submission.key).second;
    if (known || !places.has_value() || !task_fits(task.record, *places)) {
      return unfit(fmt::format("task {}", task.record.number));
    }
    placed += task.record.place.has_value() ? 1U : 0U;
  }
  if (!places.has_value() || placed != places->size()) {
    return unfit("a line has tasks that there are not");
  }
  return {};
}

const TaskRecord* find(const std::vector<LiveTask>& tasks, TaskNumber number) {
  const auto at = std::lower_bound(
      tasks.begin(), tasks.end(), number,
      [](const LiveTask& task, TaskNumber wanted) { return task.record.number < wanted; });
  return at != tasks.end() && at->record.number == number ? &at->record : nullptr;
}

// What is told of a task that is being answered finds it so.
Result<void> check_what_comes(const ControllerState& state) {
  const auto publish_fits = [&](const ControllerState::SentPublish& sent) {
    const TaskRecord* record = find(state.tasks, sent.publish.task);
    return record == nullptr || sent.publish.kind == OpenPublish::Kind::Dispatch ||
           record->outcome.has_value();
  };
  const auto timer_fits = [&](const ControllerState::SetTimer& set) {
    const TaskRecord* record = find(state.tasks, set.timer.task);
    return set.id.number <= state.whole.last_timer &&
           (record == nullptr || set.timer.kind != ControllerTimer::Kind::Redelivery ||
            record->outcome.has_value());
  };
  if (!ascending(state.publishes, [](const auto& sent) { return sent.id; }) ||
      (!state.publishes.empty() && state.publishes.back().id > state.whole.last_publish) ||
      !std::all_of(state.publishes.begin(), state.publishes.end(), publish_fits)) {
    return unfit("its publishes");
  }
  if (!ascending(state.timers, [](const auto& set) { return set.id; }) ||
      !std::all_of(state.timers.begin(), state.timers.end(), timer_fits)) {
    return unfit("its timers");
  }
  return {};
}

Result<void> check_the_rest(const ControllerState& state, const ControllerConfig& config) {
  if (!ascending(state.attempts, [](const auto& attempt) { return attempt.id; })) {
    return unfit("its attempts");
  }
  if (!ascending(state.orphans, [](const Orphan& one) { return one.result.attempt.task; }) ||
      std::any_of(state.orphans.begin(), state.orphans.end(),
                  [](const Orphan& one) { return one.deliveries.empty(); })) {
    return unfit("its results without a task");
  }
  std::set<TaskKey> keys;
  for (const Answered& answered : state.answered) {
    keys.insert(answered.outcome->key);
  }
  if (keys.size() != state.answered.size() || keys.size() > config.answered_max) {
    return unfit("its answered tasks");
  }
  return {};
}

// Labels are no part of a state, and large.
AttemptResult without_labels(const AttemptResult& result) {
  const auto& [attempt, device, processor, variant, status, reason, fell_back, labels, synthetic,
               queued, compute, slowed, batch_size, energy, redelivered, stamp] = result;
  return {attempt,   device, processor, variant, status,     reason, fell_back,   {},
          synthetic, queued, compute,   slowed,  batch_size, energy, redelivered, stamp};
}

}  // namespace

Result<void> complete(ControllerState& state, const ControllerConfig& config) {
  if (Result<void> fits = complete_devices(state.devices); !fits) {
    return fits;
  }
  if (Result<void> fits = check_tasks(state); !fits) {
    return fits;
  }
  if (Result<void> fits = check_what_comes(state); !fits) {
    return fits;
  }
  return check_the_rest(state, config);
}

ControllerState Controller::state() const {
  // Every member by name: a new one does not compile until it stands here, and whoever adds it has
  // seen the question whether steps depend on it.
  const auto& [config, planner, policy_rng, fleet, tasks, answered, decisions, timers, stats,
               publishes, hedge_budget, attempts, orphans, orphan_shares, early_decided,
               liveness_timer, silence_timer, silence_due, to_plan, planning_all, leading, blocked,
               epoch, led_since, tasks_read, last_publish, last_batch, own_ids, hopeless_sought,
               timeline, now, actions] = *this;
  ControllerState state;
  state.whole = {.now = now,
                 .leading = leading,
                 .blocked = blocked,
                 .epoch = epoch,
                 .led_since = led_since,
                 .tasks_read = tasks_read,
                 .last_publish = last_publish,
                 .last_batch = last_batch,
                 .own_ids = own_ids,
                 .hopeless_sought = hopeless_sought,
                 .liveness_timer = liveness_timer,
                 .silence_timer = silence_timer,
                 .silence_due = silence_due,
                 .last_timer = timers.last(),
                 .last_task = tasks.last(),
                 .arrivals = fleet.arrivals,
                 .hedge_budget = hedge_budget,
                 .policy_rng = policy_rng,
                 .policy_memory = planner.memory(),
                 .stats = stats};
  state.devices = fleet.devices();
  state.tasks = tasks.live();
  state.answered = answered.all();
  state.timers.reserve(timers.all().size());
  for (const auto& [id, timer] : timers.all()) {
    state.timers.push_back({id, timer});
  }
  state.publishes.reserve(publishes.size());
  for (const auto& [id, publish] : publishes) {
    state.publishes.push_back({id, publish});
  }
  state.attempts.reserve(attempts.size());
  for (const auto& [id, attempt] : attempts) {
    state.attempts.push_back({id, attempt});
  }
  for (const auto& [key, orphan] : orphans) {
    state.orphans.push_back({without_labels(orphan.result), orphan.deliveries, orphan.counted,
                             orphan.until, orphan.size});
  }
  state.early_decided = early_decided;
  return state;
}

Result<void> Controller::take_up(ControllerState state) {
  if (Result<void> fits = complete(state, config_); !fits) {
    return fits;
  }
  const ControllerState::Whole& whole = state.whole;
  if (!planner_.take_up(whole.policy_memory)) {
    return unfit(fmt::format("what its policy remembers is not of policy {}", policy()));
  }
  now_ = whole.now;
  leading_ = whole.leading;
  blocked_ = whole.blocked;
  epoch_ = whole.epoch;
  led_since_ = whole.led_since;
  tasks_read_ = whole.tasks_read;
  last_publish_ = whole.last_publish;
  last_batch_ = whole.last_batch;
  own_ids_ = whole.own_ids;
  hopeless_sought_ = whole.hopeless_sought;
  liveness_timer_ = whole.liveness_timer;
  silence_timer_ = whole.silence_timer;
  silence_due_ = whole.silence_due;
  hedge_budget_ = whole.hedge_budget;
  policy_rng_ = whole.policy_rng;
  stats_ = whole.stats;
  fleet_.arrivals = whole.arrivals;
  fleet_.take_up(std::move(state.devices));
  tasks_.take_up(std::move(state.tasks), whole.last_task);
  for (Answered& answered : state.answered) {
    answered_.remember(std::move(answered));
  }
  std::map<ControllerTimers::Id, ControllerTimer> timers;
  for (ControllerState::SetTimer& set : state.timers) {
    timers.emplace_hint(timers.end(), set.id, std::move(set.timer));
  }
  timers_.take_up(std::move(timers), whole.last_timer);
  for (ControllerState::SentPublish& sent : state.publishes) {
    publishes_.emplace_hint(publishes_.end(), sent.id, std::move(sent.publish));
  }
  for (ControllerState::RunningAttempt& running : state.attempts) {
    open_attempts_.emplace_hint(open_attempts_.end(), running.id, std::move(running.attempt));
  }
  for (Orphan& orphan : state.orphans) {
    OrphanShare& share = orphan_shares_[orphan.counted.first];
    share.results += 1;
    share.bytes += orphan.counted.second;
    TaskKey key = orphan.result.attempt.task;
    orphans_.emplace_hint(orphans_.end(), std::move(key), std::move(orphan));
  }
  early_decided_ = std::move(state.early_decided);
  return {};
}

}  // namespace juggler
