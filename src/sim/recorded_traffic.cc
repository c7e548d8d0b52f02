#include "sim/recorded_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>
#include <variant>

namespace juggler::sim {
namespace {

// What makes two tasks of one kind. A raw picture is sent as an encoded one of its size: whatever
// takes the one takes the other.
using Kind =
    std::tuple<std::string, std::string, std::optional<MilliPercent>, std::optional<Micros>,
               std::optional<Microjoules>, int, int, bool, PayloadKind>;

struct Group {
  std::vector<std::int64_t> times_us;
  std::int64_t bytes = 0;
};
using Groups = std::map<Kind, Group>;

Kind kind_of(const Submission& task) {
  const Requirements& wanted = task.requirements;
  const PayloadKind payload =
      task.payload.kind == PayloadKind::RawRgb ? PayloadKind::Jpeg : task.payload.kind;
  return {wanted.model,    wanted.device,          wanted.min_accuracy,
          wanted.deadline, wanted.max_energy,      wanted.priority,
          wanted.top_k,    wanted.allow_synthetic, payload};
}

std::int64_t rounded_down(std::int64_t value, int digits) {
  std::int64_t unit = 1;
  while (value / unit >= static_cast<std::int64_t>(std::llround(std::pow(10, digits)))) {
    unit *= 10;
  }
  return value / unit * unit;
}

// The same tasks with deadlines and energy limits of so many digits.
Groups coarser(const Groups& groups, int digits) {
  Groups merged;
  for (const auto& [kind, group] : groups) {
    Kind coarse = kind;
    if (auto& deadline = std::get<2>(coarse)) {
      deadline->count = rounded_down(deadline->count, digits);
    }
    if (auto& energy = std::get<3>(coarse)) {
      energy->count = rounded_down(energy->count, digits);
    }
    Group& into = merged[coarse];
    into.times_us.insert(into.times_us.end(), group.times_us.begin(), group.times_us.end());
    into.bytes += group.bytes;
  }
  for (auto& [kind, group] : merged) {
    std::sort(group.times_us.begin(), group.times_us.end());
  }
  return merged;
}

// When one device was there, as the controller heard of it.
struct Presence {
  std::optional<DeviceFacts> facts;
  std::optional<Time> last;
  bool leaving = false;
};

class TrafficReader {
 public:
  explicit TrafficReader(const wire::JournalHead& head) : head_(head) {}

  void read(const wire::JournalLine& line) {
    if (const auto* known = std::get_if<wire::JournalKnown>(&line)) {
      std::optional<DeviceFacts>& facts = devices_[known->facts.id].facts;
      facts = facts.has_value() ? facts : known->facts;
    } else if (const auto* gap = std::get_if<wire::JournalGap>(&line)) {
      traffic_.steps_missing += static_cast<std::uint64_t>(gap->steps);
    } else if (const auto* step = std::get_if<wire::JournalStep>(&line)) {
      begin_ = begin_.value_or(step->at);
      now_ = step->at;
      std::visit([this](const auto& event) { on(event); }, step->event);
    }
  }

  Result<RecordedTraffic> traffic(const NetworkProfile& network);

 private:
  template <class Event>
  void on(const Event& /*event*/) {}
  void on(const LeadBegun& /*event*/) {
    for (auto& [id, device] : devices_) {  // nobody listened until now
      device.last = device.last.has_value() && !device.leaving ? now_ : device.last;
    }
  }
  void on(const HelloArrived& event) {
    devices_[event.facts.id].facts = event.facts;
    heard(event.facts.id);
  }
  void on(const HeartbeatArrived& event) {
    heard(event.heartbeat.device);
    devices_[event.heartbeat.device].leaving = event.heartbeat.leaving;
  }
  void on(const Submitted& event) {
    if (!event.refusal.empty()) {
      traffic_.refused += 1;
    } else if (!seen_.insert(event.submission.key).second) {
      traffic_.repeated += 1;
    } else {
      Group& group = groups_[kind_of(event.submission)];
      group.times_us.push_back((now_ - *begin_).count);
      group.bytes += event.submission.payload.size.count;
      traffic_.tasks += 1;
    }
  }

  void heard(const std::string& id) {
    Presence& device = devices_[id];
    const Time last = device.last.value_or(*begin_);
    if (now_ - last > head_.config.lost_after) {
      away(id, device, last, now_ - last);
    }
    device.last = now_;
    device.leaving = false;
  }

  void away(const std::string& id, const Presence& device, Time from, Micros lasts) {
    Fault fault;
    fault.kind = device.leaving ? FaultKind::Drain : FaultKind::PowerLoss;
    fault.device = id;
    fault.at = from - *begin_;
    fault.lasts = lasts;
    absences_.push_back(std::move(fault));
  }

  void add_fleet(const NetworkProfile& network, Scenario& scenario);
  void add_demand(Scenario& scenario) const;

  wire::JournalHead head_;
  RecordedTraffic traffic_;
  std::optional<Time> begin_;
  Time now_;
  std::map<std::string, Presence> devices_;
  std::vector<Fault> absences_;
  std::set<TaskKey> seen_;
  Groups groups_;
};

void TrafficReader::add_fleet(const NetworkProfile& network, Scenario& scenario) {
  for (const auto& [id, device] : devices_) {
    if (!device.facts.has_value() || !device.last.has_value()) {
      continue;
    }
    if (now_ - *device.last > head_.config.lost_after) {
      away(id, device, *device.last, Micros{0});  // to the end
    }
    ScenarioDevice made;
    made.announced = *device.facts;
    made.truth = made.announced;
    made.preloads = false;
    made.network = network;
    scenario.devices.push_back(std::move(made));
  }
  for (Fault& absence : absences_) {
    const bool there =
        std::any_of(scenario.devices.begin(), scenario.devices.end(),
                    [&](const auto& device) { return device.announced.id == absence.device; });
    if (there && absence.at < scenario.duration) {
      scenario.faults.push_back(std::move(absence));
    }
  }
}

void TrafficReader::add_demand(Scenario& scenario) const {
  for (const auto& [kind, group] : groups_) {
    const auto count = static_cast<std::int64_t>(group.times_us.size());
    DemandClass demand;
    demand.name = fmt::format("kind-{}", scenario.classes.size() + 1);
    Requirements& wanted = demand.requirements;
    std::tie(wanted.model, wanted.device, wanted.min_accuracy, wanted.deadline, wanted.max_energy,
             wanted.priority, wanted.top_k, wanted.allow_synthetic, demand.payload_kind) = kind;
    demand.payload = Bytes{std::max<std::int64_t>(1, group.bytes / count)};
    demand.share = static_cast<double>(count) / static_cast<double>(traffic_.tasks);
    TraceArrivals arrivals;
    arrivals.recorded = std::make_shared<const std::vector<std::int64_t>>(group.times_us);
    demand.arrivals.shape = std::move(arrivals);
    demand.arrivals.until = scenario.duration;
    scenario.classes.push_back(std::move(demand));
  }
}

Result<RecordedTraffic> TrafficReader::traffic(const NetworkProfile& network) {
  const auto nothing = [this](const char* what) {
    return fail(ErrorCode::NotFound,
                fmt::format("run {} holds no {}: there is nothing to simulate", head_.run, what));
  };
  if (traffic_.tasks == 0) {
    return nothing("task");
  }
  for (const int digits : {2, 1}) {
    if (groups_.size() > kRecordedClassesMax) {
      groups_ = coarser(groups_, digits);
      traffic_.digits = digits;
    }
  }
  if (groups_.size() > kRecordedClassesMax) {
    return fail(ErrorCode::TooLarge,
                fmt::format("run {} holds tasks with {} different sets of requirements; at most {} "
                            "are simulated apart",
                            head_.run, groups_.size(), kRecordedClassesMax));
  }
  Scenario& scenario = traffic_.scenario;
  scenario.name = head_.run;
  scenario.policy = head_.policy;
  scenario.controller = head_.config;
  scenario.seed = 1;
  scenario.duration = now_ - *begin_ + Micros{1};
  if (scenario.duration > kScenarioDurationMax) {
    return fail(ErrorCode::TooLarge, fmt::format("run {} is longer than a week", head_.run));
  }
  add_fleet(network, scenario);
  if (scenario.devices.empty()) {
    return nothing("device");
  }
  if (scenario.faults.size() > kScenarioFaultsMax) {
    return fail(ErrorCode::TooLarge,
                fmt::format("run {}: its devices were away {} times; at most {} are simulated",
                            head_.run, scenario.faults.size(), kScenarioFaultsMax));
  }
  add_demand(scenario);
  return std::move(traffic_);
}

}  // namespace

Result<RecordedTraffic> read_traffic(JournalReader& journal, const NetworkProfile& network) {
  TrafficReader reader(journal.head());
  for (;;) {
    const Result<std::optional<wire::JournalLine>> line = journal.next();
    if (!line) {
      return line.error();
    }
    if (!line->has_value()) {
      return reader.traffic(network);
    }
    reader.read(**line);
  }
}

}  // namespace juggler::sim
