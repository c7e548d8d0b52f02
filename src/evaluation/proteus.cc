#include "evaluation/proteus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bounds/linear.h"
#include "bounds/supply.h"
#include "bounds/ways.h"

namespace juggler::evaluation {
namespace {

constexpr Micros kPeriod = seconds(10);
constexpr Micros kFirst = seconds(1);        // nothing is known before; until then, who is fastest
constexpr Micros kLookedAhead = seconds(1);  // who is there is noted so long before a programme
constexpr double kHeadroom = 1.1;
// What serving a task is worth, in points of accuracy: more than any accuracy.
constexpr double kServed = 1000.0;

// What tells classes of tasks apart.
using ClassKey = std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>;

ClassKey key_of(const TaskView& task) {
  const Requirements& wanted = *task.requirements;
  const Micros deadline = wanted.deadline.value_or(Micros{0});
  return {std::string(task.model), wanted.min_accuracy.value_or(MilliPercent{0}).count,
          wanted.max_energy.value_or(Microjoules{0}).count, deadline.count};
}

// Where a share of a class's tasks goes.
struct Share {
  std::string device;
  std::string processor;
  std::string variant;
  std::int64_t weight = 0;  // tasks per second, in millionths
  std::int64_t credit = 0;  // smooth weighted round-robin: the most credit is next
};

struct TaskClass {
  Requirements requirements;
  std::int64_t arrived = 0;  // since the last programme
  std::vector<Share> shares;
};

// A device as it was when a decision last looked.
struct KnownDevice {
  std::shared_ptr<const DeviceFacts> facts;
  Micros network;
};

struct Column {
  bounds::Way way;
  double accuracy_points = 0.0;
};

// The fastest way per task of each variant whose batch takes half of the deadline at most.
std::vector<Column> columns_of(const bounds::ProcessorGroup& group, std::uint32_t g,
                               const bounds::Demand& demand, std::uint32_t d) {
  std::map<std::uint32_t, Column> best;  // by profile
  for (const bounds::Way& way : bounds::ways_of(group, g, demand, d)) {
    const bounds::Option& option = group.options[way.option];
    if (option.latency * 2 > *demand.requirements.deadline) {
      continue;
    }
    const double points = static_cast<double>(group.variant_of(option).accuracy.count) / 1000.0;
    const auto [at, added] = best.try_emplace(option.profile, Column{way, points});
    if (!added && way.seconds < at->second.way.seconds) {
      at->second.way = way;
    }
  }
  std::vector<Column> columns;
  for (const auto& [profile, column] : best) {
    columns.push_back(column);
  }
  return columns;
}

}  // namespace

struct Proteus::Book {
  std::map<ClassKey, TaskClass> classes;
  std::vector<KnownDevice> devices;
  std::uint64_t last_task = 0;
  std::optional<Time> due;  // of the next programme; not before the first task
  Time counted_from;
  int programmes = 0;

  void saw(const Situation& situation);
  void solve(Time now);
};

// Counts the task, and who is there where a programme is due.
void Proteus::Book::saw(const Situation& situation) {
  if (!due.has_value()) {
    due = situation.now + kFirst;
    counted_from = situation.now;
  }
  TaskClass& its = classes[key_of(situation.task)];
  if (situation.task.number > last_task) {
    last_task = situation.task.number;
    its.arrived += 1;
    its.requirements = *situation.task.requirements;
    its.requirements.deadline =
        its.requirements.deadline.value_or(situation.task.deadline - situation.now);
  }
  if (situation.now + kLookedAhead < *due) {
    return;
  }
  devices.clear();
  for (const LaneOutlook& lane : situation.outlook.lanes) {
    const bool there = !lane.device_verdict.has_value();
    if (there && (devices.empty() || devices.back().facts != lane.facts)) {
      devices.push_back({lane.facts, lane.network});
    }
  }
}

void Proteus::Book::solve(Time now) {
  const double counted_s = static_cast<double>((now - counted_from).count) / 1e6;
  std::vector<bounds::SupplyDevice> supply;
  for (const KnownDevice& device : devices) {
    supply.push_back({.facts = device.facts.get(), .network = device.network});
  }
  const std::vector<bounds::ProcessorGroup> groups = bounds::group_processors(supply);
  bounds::LinearProgram programme;
  for (const bounds::ProcessorGroup& group : groups) {
    programme.add_row(-bounds::kInfinity, static_cast<double>(group.count));
  }
  std::vector<TaskClass*> demanding;
  std::vector<Column> columns;
  for (auto& [key, one] : classes) {
    const double rate_hz = static_cast<double>(one.arrived) / counted_s * kHeadroom;
    one.arrived = 0;
    if (rate_hz <= 0.0) {
      continue;
    }
    const auto d = static_cast<std::uint32_t>(demanding.size());
    const int row = programme.add_row(-bounds::kInfinity, rate_hz);
    const bounds::Demand demand{
        .requirements = one.requirements, .rate_hz = rate_hz, .payload = {}};
    for (std::uint32_t g = 0; g < groups.size(); ++g) {
      for (const Column& column : columns_of(groups[g], g, demand, d)) {
        programme.add_column({.cost = -(kServed + column.accuracy_points),
                              .entries = {{static_cast<int>(g), column.way.seconds}, {row, 1.0}}});
        columns.push_back(column);
      }
    }
    demanding.push_back(&one);
  }
  counted_from = now;
  if (columns.empty() || !programme.minimise()) {
    return;  // what was decided before still holds
  }
  programmes += 1;
  for (TaskClass* one : demanding) {
    one->shares.clear();
  }
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const bounds::ProcessorGroup& group = groups[columns[c].way.group];
    const std::int64_t weight =
        std::llround(programme.values()[c] * 1e6 / static_cast<double>(group.count));
    if (weight <= 0) {
      continue;
    }
    const bounds::Option& option = group.options[columns[c].way.option];
    for (const std::uint32_t device : group.devices) {
      demanding[columns[c].way.demand]->shares.push_back({.device = supply[device].facts->id,
                                                          .processor = group.processor->id,
                                                          .variant = group.variant_of(option).id,
                                                          .weight = weight});
    }
  }
}

class Proteus::Rule final : public Policy {
 public:
  explicit Rule(std::shared_ptr<Book> book) : book_(std::move(book)) {}

  std::string_view name() const override { return kProteus; }
  std::string_view about() const override {
    return "shares of a programme that scales accuracy to the demand, every 10 s (ASPLOS 2024)";
  }
  Objective objective() const override {
    Objective objective;
    objective.batching = Batching::Planned;
    objective.energy = false;
    return objective;
  }

  Decision plan(const Situation& situation, Rng& /*rng*/) override {
    book_->saw(situation);
    std::vector<Share>& shares = book_->classes[key_of(situation.task)].shares;
    const Candidate* chosen = nullptr;
    Share* taken = nullptr;
    std::int64_t total = 0;
    for (Share& share : shares) {
      share.credit += share.weight;
      total += share.weight;
      if (taken != nullptr && share.credit <= taken->credit) {
        continue;
      }
      if (const Candidate* candidate = find(situation, share)) {
        chosen = candidate;
        taken = &share;
      }
    }
    if (taken != nullptr) {
      taken->credit -= total;
      return decide(situation, chosen);
    }
    // Nobody has a share, or who has one would be late: whoever is first.
    return decide(situation,
                  best_of(situation.candidates, [](const Candidate& a, const Candidate& b) {
                    return a.finish < b.finish;
                  }));
  }

 private:
  static const Candidate* find(const Situation& situation, const Share& share) {
    for (const Candidate& candidate : situation.candidates) {
      if (choosable(candidate) && situation.facts_of(candidate).id == share.device &&
          situation.processor_of(candidate).id == share.processor &&
          situation.variant_of(candidate).id == share.variant) {
        return &candidate;
      }
    }
    return nullptr;
  }

  std::shared_ptr<Book> book_;
};

Proteus::Proteus() : book_(std::make_shared<Book>()) {}
Proteus::~Proteus() = default;

std::unique_ptr<Policy> Proteus::make_policy() { return std::make_unique<Rule>(book_); }

void Proteus::before(Time now, ControllerEvent& /*event*/) {
  if (book_->due.has_value() && now >= *book_->due) {
    book_->solve(now);
    book_->due = now + kPeriod;
  }
}

void Proteus::after(Time /*now*/, const ControllerEvent& /*event*/,
                    std::vector<ControllerAction>& /*actions*/) {}

int Proteus::programmes() const { return book_->programmes; }

Result<void> check_simulated_policy(std::string_view name) {
  if (name == kProteus) {
    return {};
  }
  if (const auto policy = juggler::make_policy(name); !policy) {
    Error error = policy.error();
    if (error.code == ErrorCode::NotFound) {
      error.message += fmt::format(", {}", kProteus);
    }
    return error;
  }
  return {};
}

}  // namespace juggler::evaluation
