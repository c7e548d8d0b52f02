#include "core/lane.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/rounding.h"

namespace juggler {
namespace {

// A measured scatter counts from this many results on.
constexpr std::int64_t kSamplesMin = 8;

// Like kMeanMax, it keeps sums of squares of all the tasks that a controller serves (4,096) within
// 64 bits, whatever a device announces.
constexpr Micros kSpreadMax = seconds(30);

// The entry of a batch in its line, anew from its members. requires  there are some
void work_out_entry(OpenBatch& entry, const std::vector<Member>& of_batch) {
  entry.tasks = static_cast<int>(of_batch.size());
  entry.hoped = std::max(entry.hoped, entry.tasks);
  entry.priority = of_batch.front().priority;
  entry.due = of_batch.front().due;
  entry.patient = true;
  entry.bytes = 0;
  for (const Member& member : of_batch) {
    entry.priority = std::max(entry.priority, member.priority);
    entry.due = std::min(entry.due, member.due);
    entry.patient = entry.patient && member.patient;
    entry.bytes += member.bytes;
  }
}

}  // namespace

BatchCost corrected(const BatchCost& cost, const LaneLearned& learned, std::size_t profile,
                    std::int64_t slowdown_permille) {
  const std::int64_t permille = learned.correction(profile);
  BatchCost real = cost;
  real.mean = std::min(cost.mean * permille / 1000 * slowdown_permille / 1000, kMeanMax);
  real.spread = cost.spread * permille / 1000 * slowdown_permille / 1000;
  const ProfileLearned& of_profile = learned.profiles[profile];
  if (of_profile.samples >= kSamplesMin) {
    real.spread = std::max(real.spread, real.mean * of_profile.spread_permille / 1000);
  }
  real.spread = std::min(real.spread, kSpreadMax);
  real.load = of_profile.loaded ? Micros{0} : std::min(cost.load, kMeanMax);
  return real;
}

// The square root of IEEE 754 is exact on every machine, unlike the rest of a math library.
Micros margin_of(std::int64_t variance_us2, std::int64_t z_permille) {
  const double root = std::sqrt(static_cast<double>(variance_us2));
  return {rounded(root * static_cast<double>(z_permille) / 1000.0)};
}

// Of a square the root is exact, and so is this: the same figure without a root.
Micros margin_of_one(Micros spread, std::int64_t z_permille) {
  return {(spread.count * z_permille + 500) / 1000};
}

BatchCost Lane::expected(std::size_t profile, int tasks, std::int64_t slowdown_permille) const {
  return corrected((*costs)[profile].of(tasks), *learned, profile, slowdown_permille);
}

Lane::Flight Lane::flight(std::int64_t slowdown_permille) const {
  Flight sum;
  for (std::size_t i = 0; i < in_flight.size(); ++i) {
    const BatchInFlight& batch = in_flight[i];
    // Loading mostly waits for a disk.
    const std::int64_t permille = batch.loads ? kSlowdownMin : slowdown_permille;
    const Micros mean = batch.mean * permille / 1000;
    const Micros spread = std::min(batch.spread * permille / 1000, kSpreadMax);
    (i == 0 ? sum.head : sum.rest) += mean;
    if (i > 0) {
      sum.not_before = std::max(sum.not_before, batch.there) + mean;
    }
    sum.variance_us2 += spread.count * spread.count;
  }
  sum.any = !in_flight.empty();
  sum.head_since = head_since;
  return sum;
}

Lane::Backlog Lane::Flight::backlog(Time now, Micros back) const {
  if (!any) {
    return {};
  }
  // While its result can be on the way, the first may be done, and the next be running. After that
  // it is late, and will probably take as long again as it is late: a device that has vanished is
  // soon believed to be slow, long before it is silent.
  const Time head_end = head_since + head;
  const Micros late = std::max(now - back - head_end, Micros{0});
  const Time end = std::max(head_end + late * 2 + rest, not_before);
  return {std::max(end - now, Micros{0}), variance_us2};
}

Milliwatts Lane::power() const {
  Milliwatts most = power_hold.power;
  const auto add = [&](std::uint32_t profile) {
    most = std::max(most, (*costs)[profile].power.value_or(Milliwatts{0}));
  };
  for (const BatchInFlight& batch : in_flight) {
    add(batch.profile);
  }
  for (const OpenBatch& batch : *line) {
    add(batch.profile);
  }
  return most;
}

std::uint64_t Lane::queued() const {
  std::uint64_t tasks = 0;
  for (const BatchInFlight& batch : in_flight) {
    tasks += static_cast<std::uint64_t>(batch.open);
  }
  for (const OpenBatch& batch : *line) {
    tasks += static_cast<std::uint64_t>(batch.tasks);
  }
  return tasks;
}

std::size_t Lane::position_of(std::uint64_t batch) const {
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const auto& entry) { return entry.first == batch; });
  JUGGLER_CHECK(at != members.end(), "an open batch has members");
  return static_cast<std::size_t>(at - members.begin());
}

const std::vector<Member>& Lane::members_of(std::uint64_t batch) const {
  return members[position_of(batch)].second;
}

void Lane::work_out(std::uint64_t batch) {
  auto changed = std::make_shared<Line>(*line);
  const auto at = std::find_if(changed->begin(), changed->end(),
                               [&](const OpenBatch& entry) { return entry.id == batch; });
  JUGGLER_CHECK(at != changed->end(), "only open batches change");
  const std::size_t position = position_of(batch);
  const std::vector<Member>& of_batch = members[position].second;
  if (of_batch.empty()) {
    changed->erase(at);
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(position));
  } else {
    work_out_entry(*at, of_batch);
  }
  line = std::move(changed);
}

void Lane::join(std::uint64_t batch, const OpenBatch& fresh, const Member& member,
                std::size_t position) {
  JUGGLER_CHECK(position <= line->size(), "a line has no gaps");
  auto changed = std::make_shared<Line>();
  changed->reserve(line->size() + (batch == 0 ? 1 : 0));
  changed->assign(line->begin(), line->end());
  const auto to = changed->begin() + static_cast<std::ptrdiff_t>(position);
  if (batch == 0) {
    changed->insert(to, fresh);
    members.emplace_back(fresh.id, std::vector<Member>{member});
    work_out_entry((*changed)[position], members.back().second);
  } else {
    const auto at = std::find_if(changed->begin(), changed->end(),
                                 [&](const OpenBatch& entry) { return entry.id == batch; });
    JUGGLER_CHECK(to <= at && at != changed->end(), "a batch that grows does not move back");
    std::rotate(to, at, at + 1);
    std::vector<Member>& of_batch = members[position_of(batch)].second;
    of_batch.push_back(member);
    work_out_entry((*changed)[position], of_batch);
  }
  line = std::move(changed);
}

void Lane::move_back(std::size_t from, std::size_t to) {
  auto changed = std::make_shared<Line>(*line);
  const auto begin = changed->begin();
  std::rotate(begin + static_cast<std::ptrdiff_t>(from),
              begin + static_cast<std::ptrdiff_t>(from) + 1,
              begin + static_cast<std::ptrdiff_t>(to) + 1);
  line = std::move(changed);
}

void Lane::leave(std::uint64_t batch, std::uint64_t task) {
  std::vector<Member>& of_batch = members[position_of(batch)].second;
  of_batch.erase(std::find_if(of_batch.begin(), of_batch.end(),
                              [&](const Member& member) { return member.task == task; }));
  work_out(batch);
}

std::vector<Member> Lane::take(std::uint64_t batch) {
  std::vector<Member> taken;
  std::swap(taken, members[position_of(batch)].second);
  work_out(batch);
  return taken;
}

}  // namespace juggler
