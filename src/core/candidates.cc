#include "core/candidates.h"

#include <algorithm>

#include "core/check.h"

namespace juggler {
namespace {

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

// The share of a batch can only fall while it grows.
std::optional<Verdict> over_energy(const TaskView& task, const BatchCost& batch, int tasks) {
  if (within_energy(batch, tasks, task.requirements->max_energy)) {
    return std::nullopt;
  }
  return batch.energy_high.has_value() ? Verdict::EnergyOver : Verdict::EnergyUnknown;
}

// What a batch costs more with one task more: the share of whoever joins.
void share_of_joining(const BatchCost& before, const BatchCost& grown, Candidate& candidate) {
  candidate.occupies = grown.mean - before.mean;
  if (before.energy.has_value() && grown.energy.has_value()) {
    candidate.energy = std::max(*grown.energy - *before.energy, Microjoules{0});
  }
}

// The share of whoever opens a batch: an equal part of what it will have become.
void share_of_opening(const BatchCost& hoped_for, int tasks, Candidate& candidate) {
  candidate.occupies = hoped_for.mean / tasks;
  if (hoped_for.energy.has_value()) {
    candidate.energy = *hoped_for.energy / tasks;
  }
}

}  // namespace

// One processor with one task before it.
struct Judge::Scene {
  const LaneOutlook& lane;
  const Outlook& outlook;
  const TaskView& task;
  const Objective& objective;
  Time now;

  const ProfileCosts& costs(std::size_t profile) const { return (*lane.costs)[profile]; }
  BatchCost expected(std::size_t profile, int tasks) const {
    return corrected(costs(profile).of(tasks), *lane.learned, profile);
  }
  // Until when a batch must have been computed for this task: the deadline less the way back.
  Time due() const { return task.deadline - (lane.network - lane.network / 2); }
  // What the goal weighs beside energy.
  std::int64_t worth(std::int64_t latency_mw, Micros wait, MilliPercent accuracy) const {
    return latency_mw * wait.count / 1000 +
           objective.rates.accuracy_uj_per_point * (100'000 - accuracy.count) / 1000;
  }
  bool patient() const { return objective.batching == Batching::Planned && task.deadline_stated; }
};

// Finds the batch that the task would be part of, and when that would be done. Returns whether it
// and all others there are predicted to be in time.
bool Judge::fit(const Scene& scene, std::size_t profile, Candidate& candidate) const {
  const Line& line = *scene.lane.line;
  const Micros back = scene.lane.network - scene.lane.network / 2;
  for (std::size_t i = 0; i < line.size() && scene.objective.batching != Batching::Never; ++i) {
    const OpenBatch& batch = line[i];
    const bool away = scene.outlook.over_lower_priorities && batch.priority < scene.task.priority;
    if (batch.profile != profile || away || batch.tasks >= scene.costs(profile).batch_max() ||
        over_energy(scene.task, scene.costs(profile).of(batch.tasks + 1), batch.tasks + 1)) {
      continue;
    }
    const BatchCost grown = scene.expected(profile, batch.tasks + 1);
    const BatchCost in_the_end = scene.expected(profile, std::max(batch.hoped, batch.tasks + 1));
    const Timeline::Fit found =
        timeline_.join(i, scene.task.priority, candidate.due, in_the_end, scene.task.bytes);
    if (found.in_time) {
      candidate.batch = batch.id;
      candidate.tasks = batch.tasks + 1;
      candidate.hoped = std::max(batch.hoped, candidate.tasks);
      candidate.latency = grown.mean + margin_of(grown.spread.count * grown.spread.count, 1645);
      candidate.finish = found.end_late() + back;
      share_of_joining(scene.expected(profile, batch.tasks), grown, candidate);
      return true;
    }
  }
  return open_batch(scene, profile, candidate);
}

bool Judge::open_batch(const Scene& scene, std::size_t profile, Candidate& candidate) const {
  const Micros back = scene.lane.network - scene.lane.network / 2;
  int tasks = company(scene, profile, candidate);
  while (true) {
    const BatchCost batch = scene.expected(profile, tasks);
    const Timeline::Fit found =
        timeline_.insert(scene.task.priority, candidate.due, batch, scene.task.bytes * tasks);
    if (!found.in_time && tasks > 1) {
      tasks /= 2;  // there is room for a smaller one, perhaps
      continue;
    }
    const BatchCost alone = scene.expected(profile, 1);
    candidate.latency = alone.mean + margin_of(alone.spread.count * alone.spread.count, 1645);
    candidate.finish = found.end_late() + back;
    candidate.hoped = tasks;
    share_of_opening(batch, tasks, candidate);
    return found.in_time;
  }
}

// How many tasks a batch is expected to have that this task opens: others can join while it stands
// in line, and while it can be held back.
int Judge::company(const Scene& scene, std::size_t profile, const Candidate& candidate) const {
  if (scene.objective.batching != Batching::Planned) {
    return 1;
  }
  const Timeline::Fit alone = timeline_.insert(scene.task.priority, candidate.due,
                                               scene.expected(profile, 1), scene.task.bytes);
  Micros open_for = alone.end - scene.expected(profile, 1).takes() - scene.now;
  if (scene.patient() && alone.in_time) {
    open_for += candidate.due - alone.end_late();
  }
  const std::int64_t joiners = std::max<std::int64_t>(open_for.count, 0) /
                               scene.outlook.arrival_gap_us *
                               scene.lane.learned->profiles[profile].fill_permille() / 1000;
  return static_cast<int>(std::min<std::int64_t>(1 + joiners, scene.costs(profile).batch_max()));
}

// What the task would ask of this processor if nobody were in its way.
void Judge::ask(const Scene& scene, std::size_t profile, Candidate& candidate) const {
  const Micros transfer = scene.lane.link.transfer(scene.task.bytes);
  const Micros time = scene.task.deadline - scene.now - scene.lane.network - transfer;
  const ProfileCosts& costs = scene.costs(profile);
  // Half of its time for others to come, half for the batch.
  const std::int64_t come = time.count / 2 / scene.outlook.arrival_gap_us;
  int tasks = static_cast<int>(std::clamp<std::int64_t>(1 + come, 1, costs.batch_max()));
  while (tasks > 1 && std::max(costs.of(tasks).mean, transfer * tasks) * 2 > time) {
    tasks /= 2;
  }
  const BatchCost batch = scene.expected(profile, tasks);
  candidate.asks = std::max(batch.mean / tasks, transfer);  // whichever keeps others away longer
  candidate.asks_uj = scene.lane.price_mw * candidate.asks.count / 1000 +
                      scene.worth(scene.objective.rates.latency_mw, batch.mean, candidate.accuracy);
  if (scene.objective.energy && batch.energy.has_value()) {
    candidate.asks_uj += batch.energy->count / tasks;
  }
}

// Whether a busy processor's time is worth more to others than the task is. Where nobody waits,
// nobody else wants the time now, whatever its price.
bool Judge::too_dear(const Scene& scene, const Candidate& candidate) const {
  const Microjoules energy = candidate.energy.value_or(Microjoules{0});
  return scene.lane.queued > 0 && scene.lane.scarce && candidate.price_uj > 0 &&
         candidate.price_uj + energy.count > worth_of(scene.task.priority).count;
}

Candidate Judge::judge_one(const Scene& scene, std::size_t profile) const {
  const LaneOutlook& lane = scene.lane;
  const TaskView& task = scene.task;
  const Variant& variant = lane.facts->variants[scene.costs(profile).variant];
  Candidate candidate;
  candidate.device = lane.device;
  candidate.lane = lane.lane;
  candidate.profile = static_cast<std::uint32_t>(profile);
  candidate.seen = static_cast<std::uint32_t>(&lane - scene.outlook.lanes.data());
  candidate.accuracy = variant.accuracy;
  candidate.queued = lane.queued;
  candidate.due = scene.due();
  const bool in_time = fit(scene, profile, candidate);

  const ExchangeRates& rates = scene.objective.rates;
  const Micros wait = candidate.finish - scene.now;
  // Who stated no deadline waits for somebody's answer, not until the controller's own limit.
  const std::int64_t latency_mw =
      task.deadline_stated ? rates.latency_mw : std::max(rates.latency_mw, rates.holding_mw);
  if (scene.objective.energy && candidate.energy.has_value()) {
    candidate.cost_uj = candidate.energy->count;
  }
  candidate.cost_uj += scene.worth(latency_mw, wait, candidate.accuracy);
  candidate.price_uj = scene.objective.prices ? lane.price_mw * candidate.occupies.count / 1000 : 0;

  if (scene.objective.prices || scene.objective.loading) {
    ask(scene, profile, candidate);
  }
  const Profile& facts = lane.facts->processors[lane.lane].profiles[profile];
  const BatchCost alone = scene.expected(profile, 1);
  const Micros alone_late =
      alone.mean + margin_of(alone.spread.count * alone.spread.count, kPlanZPermille);
  if (const auto never = unfit(task, variant)) {
    candidate.verdict = *never;
  } else if (const auto energy =
                 over_energy(task, scene.costs(profile).of(candidate.tasks), candidate.tasks)) {
    candidate.verdict = *energy;
  } else if (scene.now + alone_late + lane.network + lane.link.transfer(task.bytes) >
             task.deadline) {
    candidate.verdict = Verdict::TooSlow;
  } else if (lane.device_verdict.has_value()) {
    candidate.verdict = *lane.device_verdict;
  } else if (!lane.learned->profiles[profile].loaded && lane.memory_free.has_value() &&
             facts.memory > *lane.memory_free) {
    candidate.verdict = Verdict::MemoryShort;
  } else if (!in_time) {
    candidate.verdict = Verdict::QueueTooLong;
  } else if (too_dear(scene, candidate)) {
    candidate.verdict = Verdict::TooDear;
  } else {
    candidate.verdict = lane.window_full ? Verdict::WindowFull : Verdict::Meets;
  }
  return candidate;
}

void Judge::judge(const Outlook& outlook, const TaskView& task, const Objective& objective,
                  Time now, bool with_other_models, std::vector<Candidate>& candidates) {
  candidates.clear();
  const int priority_min = outlook.over_lower_priorities ? task.priority : 0;
  for (const LaneOutlook& lane : outlook.lanes) {
    timeline_.build(*lane.line, *lane.costs, *lane.learned, Timeline::Size::AsHoped,
                    {lane.free_at, lane.variance_us2, lane.link, lane.link_free_at}, priority_min);
    const Scene scene{lane, outlook, task, objective, now};
    for (std::size_t p = 0; p < lane.costs->size(); ++p) {
      const Candidate candidate = judge_one(scene, p);
      if (with_other_models || candidate.verdict != Verdict::OtherModel) {
        candidates.push_back(candidate);
      }
    }
  }
}

void look(const Fleet& fleet, const TaskView& task, Time now, Outlook& outlook) {
  outlook.lanes.clear();
  outlook.arrival_gap_us = fleet.arrivals.gap_us(now.us);
  for (std::size_t d = 0; d < fleet.devices.size(); ++d) {
    const DeviceState& device = fleet.devices[d];
    const std::optional<Verdict> device_verdict = device_unfit(task, device);
    const Micros network = device.network();
    const std::int64_t network_spread = device.network_spread().count;
    for (std::size_t l = 0; l < device.lanes.size(); ++l) {
      const Lane& lane = device.lanes[l];
      const auto window = static_cast<std::size_t>(device.facts->processors[l].window_batches);
      const Lane::Backlog backlog = device.backlog(lane, now);
      LaneOutlook seen;
      seen.device = static_cast<std::uint32_t>(d);
      seen.lane = static_cast<std::uint32_t>(l);
      seen.facts = device.facts;
      seen.costs = lane.costs;
      seen.learned = lane.learned;
      seen.line = lane.line;
      seen.device_verdict = device_verdict;
      seen.memory_free = device.memory_free;
      if (const Bytes all = device.facts->memory; all > Bytes{0}) {
        seen.memory_free = std::min(device.memory_free.value_or(all), all);
      }
      seen.network = network;
      seen.link = device.link;
      seen.link_free_at = now + device.way_of(0, now);
      seen.free_at = now + std::max(backlog.mean, network / 2);
      seen.variance_us2 = backlog.variance_us2 + network_spread * network_spread;
      seen.price_mw = lane.price.mw(now);
      seen.scarce = lane.price.scarce(now);
      seen.queued = lane.queued();
      seen.window_full = lane.in_flight.size() >= window;
      outlook.lanes.push_back(std::move(seen));
    }
  }
}

}  // namespace juggler
