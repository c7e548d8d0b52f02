#include "core/candidates.h"

#include <algorithm>

#include "core/check.h"
#include "core/power.h"

namespace juggler {
namespace {

// A task pays the price at which it asked, so that where two ways have become equally dear nothing
// drives tasks away from a line that is long by chance. On a processor that does no harm: its time
// is known, and patient work in line is a reserve. A narrow link varies, and what stands before it
// is late all at once. So its line makes it dearer: twice the price at this length. From 1 to 2 s
// the campus of docs/evaluation.md differed less than its seeds; without it 2.5 % were late there.
constexpr Micros kLinkLineDoubles = milliseconds(1500);

std::optional<Verdict> device_unfit(const TaskView& task, const LaneState& lane) {
  const std::string& named = task.requirements->device;
  if (!named.empty() && named != lane.facts->id) {
    return Verdict::OtherDevice;
  }
  switch (lane.liveness) {
    case Liveness::Live:
      break;
    case Liveness::Joining:
      return Verdict::DeviceJoining;
    case Liveness::Suspect:
      return Verdict::DeviceSuspect;
    case Liveness::Lost:
      return Verdict::DeviceLost;
    case Liveness::Gone:
      return Verdict::DeviceGone;
    case Liveness::Draining:
      return Verdict::DeviceDraining;
    case Liveness::Aside:
      return Verdict::DeviceAside;
  }
  if (task.devices_failed != nullptr &&
      std::find(task.devices_failed->begin(), task.devices_failed->end(), lane.facts->id) !=
          task.devices_failed->end()) {
    return Verdict::AlreadyTried;
  }
  if (lane.battery_low) {
    return Verdict::BatteryLow;
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

// One variant on one processor with one task before it.
struct Judge::Scene {
  const Question& question;
  const LaneOutlook& lane;
  std::size_t profile;

  const TaskView& task() const { return question.task; }
  const Objective& objective() const { return question.objective; }
  const ProfileCosts& costs() const { return (*lane.costs)[profile]; }
  BatchCost expected(int tasks) const {
    return corrected(costs().of(tasks), *lane.learned, profile, lane.slowdown_permille);
  }
  Micros back() const { return lane.network - lane.network / 2; }
  // Until when a batch must have been computed for this task: the deadline less the way back.
  Time due() const { return task().deadline - back(); }
  // What the goal weighs beside energy.
  std::int64_t worth(std::int64_t latency_mw, Micros wait, MilliPercent accuracy) const {
    return latency_mw * wait.count / 1000 +
           objective().rates.accuracy_uj_per_point * (100'000 - accuracy.count) / 1000;
  }
  bool patient() const {
    return objective().batching == Batching::Planned && task().deadline_stated;
  }
};

// What a batch of this task alone would take there.
struct Judge::Alone {
  BatchCost cost;
  Micros late(std::int64_t z_permille) const {
    return cost.mean + margin_of_one(cost.spread, z_permille);
  }
};

// Finds the batch that the task would be part of, and when that would be done. Returns whether it
// and all others there are predicted to be in time.
bool Judge::fit(const Scene& scene, const Alone& alone, Candidate& candidate) const {
  const Line& line = *scene.lane.line;
  const TaskView& task = scene.task();
  const ProfileCosts& costs = scene.costs();
  for (std::size_t i = 0; i < line.size() && scene.objective().batching != Batching::Never; ++i) {
    const OpenBatch& batch = line[i];
    const bool away =
        scene.question.outlook.over_lower_priorities && batch.priority < task.priority;
    if (batch.profile != scene.profile || away || batch.tasks >= costs.batch_max() ||
        over_energy(task, costs.of(batch.tasks + 1), batch.tasks + 1)) {
      continue;
    }
    const BatchCost grown = scene.expected(batch.tasks + 1);
    const BatchCost in_the_end = scene.expected(std::max(batch.hoped, batch.tasks + 1));
    const Timeline::Fit found =
        timeline_.join(i, task.priority, candidate.due, in_the_end, task.bytes);
    if (found.in_time) {
      candidate.batch = batch.id;
      candidate.position = static_cast<std::uint32_t>(found.position);
      candidate.tasks = batch.tasks + 1;
      candidate.hoped = std::max(batch.hoped, candidate.tasks);
      candidate.latency = grown.mean + margin_of_one(grown.spread, 1645);
      candidate.finish = found.end_late + scene.back();
      share_of_joining(scene.expected(batch.tasks), grown, candidate);
      return true;
    }
  }
  return open_batch(scene, alone, candidate);
}

bool Judge::open_batch(const Scene& scene, const Alone& alone, Candidate& candidate) const {
  const TaskView& task = scene.task();
  const Timeline::Fit by_itself =
      timeline_.insert(task.priority, candidate.due, alone.cost, task.bytes);
  int tasks = company(scene, alone, candidate, by_itself);
  while (true) {
    const BatchCost batch = tasks == 1 ? alone.cost : scene.expected(tasks);
    const Timeline::Fit found =
        tasks == 1 ? by_itself
                   : timeline_.insert(task.priority, candidate.due, batch, task.bytes * tasks);
    if (!found.in_time && tasks > 1) {
      tasks /= 2;  // there is room for a smaller one, perhaps
      continue;
    }
    candidate.latency = alone.late(1645);
    candidate.finish = found.end_late + scene.back();
    candidate.hoped = tasks;
    candidate.position = static_cast<std::uint32_t>(found.position);
    share_of_opening(batch, tasks, candidate);
    return found.in_time;
  }
}

// How many tasks a batch is expected to have that this task opens: others can join while it stands
// in line, and while it can be held back. `found`: if it stayed alone.
int Judge::company(const Scene& scene, const Alone& alone, const Candidate& candidate,
                   const Timeline::Fit& found) const {
  if (scene.objective().batching != Batching::Planned) {
    return 1;
  }
  Micros open_for = found.end - alone.cost.takes() - scene.question.now;
  if (scene.patient() && found.in_time) {
    open_for += candidate.due - found.end_late;
  }
  const std::int64_t joiners = std::max<std::int64_t>(open_for.count, 0) /
                               scene.question.outlook.arrival_gap_us *
                               scene.lane.learned->profiles[scene.profile].fill_permille() / 1000;
  return static_cast<int>(std::min<std::int64_t>(1 + joiners, scene.costs().batch_max()));
}

// What the task would ask of this processor if nobody were in its way.
void Judge::ask(const Scene& scene, Candidate& candidate) const {
  const TaskView& task = scene.task();
  const Micros transfer = scene.lane.pace.transfer(task.bytes);
  const Micros time = task.deadline - scene.question.now - scene.lane.network - transfer;
  const ProfileCosts& costs = scene.costs();
  // Half of its time for others to come, half for the batch.
  const std::int64_t come = time.count / 2 / scene.question.outlook.arrival_gap_us;
  int tasks = static_cast<int>(std::clamp<std::int64_t>(1 + come, 1, costs.batch_max()));
  while (tasks > 1 && std::max(costs.of(tasks).mean, transfer * tasks) * 2 > time) {
    tasks /= 2;
  }
  const BatchCost batch = scene.expected(tasks);
  const ExchangeRates& rates = scene.objective().rates;
  candidate.asks = std::max(batch.mean / tasks,
                            transfer);  // whichever keeps others away longer
  candidate.asks_uj = scene.lane.price_mw * candidate.asks.count / 1000 +
                      scene.worth(rates.latency_mw, batch.mean, candidate.accuracy);
  if (scene.objective().energy && batch.energy.has_value()) {
    candidate.asks_uj += batch.energy->count / tasks;
  }
}

// Whether a busy processor's time is worth more to others than the task is. Where nobody waits,
// nobody else wants the time now, whatever its price.
bool Judge::too_dear(const Scene& scene, const Candidate& candidate) const {
  const Microjoules energy = candidate.energy.value_or(Microjoules{0});
  return scene.lane.queued > 0 && scene.lane.scarce && candidate.price_uj > 0 &&
         candidate.price_uj + energy.count >
             worth_of(scene.task().priority, scene.objective().rates).count;
}

void Judge::add_figures(const Scene& scene, const Alone& alone, Candidate& candidate,
                        bool& in_time) const {
  candidate.due = scene.due();
  in_time = fit(scene, alone, candidate);
  const Objective& objective = scene.objective();
  const ExchangeRates& rates = objective.rates;
  // Who stated no deadline waits for somebody's answer, not until the controller's own limit.
  const std::int64_t latency_mw = scene.task().deadline_stated
                                      ? rates.latency_mw
                                      : std::max(rates.latency_mw, rates.holding_mw);
  if (objective.energy && candidate.energy.has_value()) {
    candidate.cost_uj = candidate.energy->count;
  }
  const Micros wait = candidate.finish - scene.question.now;
  candidate.cost_uj += scene.worth(latency_mw, wait, candidate.accuracy);
  // Whichever keeps others away longer.
  const Micros transfer = scene.lane.pace.transfer(scene.task().bytes);
  const bool waits_for_link = transfer >= candidate.occupies && transfer > Micros{0};
  candidate.occupies = std::max(candidate.occupies, transfer);
  candidate.price_uj = objective.prices ? scene.lane.price_mw * candidate.occupies.count / 1000 : 0;
  if (waits_for_link) {
    const Micros line = std::min(timeline_.length(), kLinkLineDoubles);
    candidate.price_uj +=
        candidate.price_uj * (line.count / 1000) / (kLinkLineDoubles.count / 1000);
  }
  if (objective.prices || objective.loading) {
    ask(scene, candidate);
  }
}

// Of a task and a variant that fit each other.
Verdict Judge::verdict_of(const Scene& scene, const Alone& alone, const Candidate& candidate,
                          bool in_time) const {
  const LaneOutlook& lane = scene.lane;
  const TaskView& task = scene.task();
  if (const auto energy = over_energy(task, scene.costs().of(candidate.tasks), candidate.tasks)) {
    return *energy;
  }
  if (scene.question.now + alone.late(kPlanZPermille) + lane.network +
          lane.pace.transfer(task.bytes) >
      task.deadline) {
    return Verdict::TooSlow;
  }
  const std::optional<Verdict> power = power_verdict(scene.question.outlook, lane, candidate.power);
  if (power.has_value() && !is_temporary(*power)) {
    return *power;
  }
  if (lane.device_verdict.has_value()) {
    return *lane.device_verdict;
  }
  if (lane.learned->profiles[scene.profile].stopped) {
    return Verdict::LaneStopped;
  }
  const Profile& facts = lane.facts->processors[lane.lane].profiles[scene.profile];
  if (!lane.learned->profiles[scene.profile].loaded && lane.memory_free.has_value() &&
      facts.memory > *lane.memory_free) {
    return Verdict::MemoryShort;
  }
  if (power.has_value()) {
    return *power;
  }
  if (!in_time) {
    return Verdict::QueueTooLong;
  }
  if (too_dear(scene, candidate)) {
    return Verdict::TooDear;
  }
  return lane.window_full ? Verdict::WindowFull : Verdict::Meets;
}

Candidate Judge::judge_one(const Question& question, const LaneOutlook& lane, std::size_t profile,
                           Detail detail) const {
  const Scene scene{question, lane, profile};
  const Variant& variant = lane.variant_of(profile);
  Candidate candidate;
  candidate.device = lane.device;
  candidate.lane = lane.lane;
  candidate.profile = static_cast<std::uint32_t>(profile);
  candidate.seen = static_cast<std::uint32_t>(&lane - question.outlook.lanes.data());
  candidate.accuracy = variant.accuracy;
  candidate.queued = lane.queued;
  candidate.power = scene.costs().power;
  candidate.adds_power = added_power(lane, candidate.power);
  const std::optional<Verdict> never = unfit(question.task, variant);
  if (never.has_value()) {
    candidate.verdict = *never;
    if (detail == Detail::Enough) {
      return candidate;
    }
  }
  const Alone alone{scene.expected(1)};
  bool in_time = false;
  add_figures(scene, alone, candidate, in_time);
  if (!never.has_value()) {
    candidate.verdict = verdict_of(scene, alone, candidate, in_time);
  }
  return candidate;
}

void Judge::open(const Question& question, const LaneOutlook& lane) {
  const int priority_min = question.outlook.over_lower_priorities ? question.task.priority : 0;
  timeline_.build(
      *lane.line, *lane.costs, *lane.learned, Timeline::Size::AsHoped,
      {lane.free_at, lane.variance_us2, lane.pace, lane.link_free_at, lane.slowdown_permille},
      priority_min);
}

void Judge::judge(const Question& question, Detail detail, std::vector<Candidate>& candidates) {
  candidates.clear();
  for (const LaneOutlook& lane : question.outlook.lanes) {
    open(question, lane);
    for (std::size_t p = 0; p < lane.costs->size(); ++p) {
      const Candidate candidate = judge_one(question, lane, p, detail);
      if (detail == Detail::Everything || candidate.verdict != Verdict::OtherModel) {
        candidates.push_back(candidate);
      }
    }
  }
}

std::optional<Verdict> unfit(const TaskView& task, const Variant& variant) {
  if (!answers(variant, task.model)) {
    return Verdict::OtherModel;
  }
  if (variant.weights == Weights::Synthetic && !task.allow_synthetic &&
      !names_directly(variant, task.model)) {
    return Verdict::SyntheticOnly;
  }
  if (needs_name(task.payload) && !names_directly(variant, task.model) && variant.model != "noop") {
    return Verdict::PayloadUnfit;
  }
  const std::optional<MilliPercent> floor = task.requirements->min_accuracy;
  if (floor.has_value() && variant.accuracy < *floor) {
    return Verdict::BelowAccuracy;
  }
  return std::nullopt;
}

LaneOutlook outlook_of(const LaneState& lane, const TaskView& task, Time now) {
  const Micros network = lane.network();
  const std::int64_t network_spread = lane.link.spread.count;
  const Lane::Backlog backlog = lane.flight.backlog(now, network / 2 + Micros{network_spread});
  LaneOutlook seen;
  seen.device = lane.device;
  seen.lane = lane.lane;
  seen.facts = lane.facts.get();
  seen.costs = lane.costs.get();
  seen.learned = lane.learned.get();
  seen.line = lane.line.get();
  seen.device_verdict = device_unfit(task, lane);
  seen.memory_free = lane.memory_free;
  seen.power = lane.power;
  seen.device_power = lane.device_power;
  seen.device_power_rest = lane.device_power_rest;
  seen.network = network;
  seen.pace = lane.link.pace;
  seen.link_free_at = now + network / 2 + lane.link.busy(now);
  seen.free_at = now + std::max(backlog.mean, network / 2);
  seen.variance_us2 = backlog.variance_us2 + network_spread * network_spread;
  seen.slowdown_permille = lane.slowdown_permille;
  seen.price_mw = lane.price.mw(now);
  seen.scarce = lane.price.scarce(now);
  seen.queued = lane.queued;
  const Micros way = seen.link_free_at - now + seen.pace.transfer(task.bytes);
  seen.window_full = lane.window_full && backlog.mean > way;
  return seen;
}

void look(std::span<const LaneState> lanes, const TaskView& task, Time now, Outlook& outlook) {
  outlook.lanes.clear();
  for (const LaneState& lane : lanes) {
    outlook.lanes.push_back(outlook_of(lane, task, now));
  }
}

}  // namespace juggler
