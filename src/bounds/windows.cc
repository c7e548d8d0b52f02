#include "bounds/windows.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "bounds/linear.h"

namespace juggler::bounds {
namespace {

// Sets whose prices a window settles, and at most so many that it looks ahead to.
constexpr std::size_t kCoreSets = 50;
constexpr std::size_t kAheadSets = 50;
// A batch worth this much more than it costs is shown to the solver.
constexpr double kTolerance = 1e-3;
constexpr int kRoundsMax = 60;
constexpr double kFirstTolerance = -0.3;
// How much a price may grow before its limit does.
constexpr double kFirstLimit = 3.0;
constexpr std::int64_t kFarSlots = 60;
// A deadline is short up to this many times the shortest one.
constexpr std::int64_t kShort = 3;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Sets [begin, core) are settled by this window, [core, end) only looked at. All others keep their
// prices, and may share batches with the window's.
struct Window {
  std::size_t past = 0;  // sets before this one are over
  std::size_t begin = 0;
  std::size_t core = 0;
  std::size_t end = 0;
  std::size_t reach = 0;     // sets before this one may share a batch with the window's
  std::int64_t free_us = 0;  // cells of time that begin in [free, free_end) are priced
  std::int64_t free_end_us = 0;
  std::int64_t near_us = 0;     // the last deadline of its tasks with short ones
  std::int64_t horizon_us = 0;  // the last deadline of the window

  bool has(std::size_t set) const { return set >= begin && set < end; }
};

class WindowSolver {
 public:
  WindowSolver(const Timeline& timeline, const Window& window, double price_max, Prices& prices)
      : timeline_(timeline), window_(window), price_max_(price_max), prices_(prices) {}

  Result<void> solve(double until, WindowReport& report);

 private:
  void add_rows();
  std::size_t add_batches(double tolerance);
  void add_batch(const PricedBatch& batch);
  void add_time(const PricedBatch& batch, Column& column) const;
  bool raise_limits();
  void read_prices();
  std::int64_t first_cell(const Lane& lane) const {
    return (window_.free_us + lane.cell_us - 1) / lane.cell_us;
  }
  std::int64_t cells_end(const Lane& lane) const {
    return std::min(timeline_.cells(lane), (window_.free_end_us + lane.cell_us - 1) / lane.cell_us);
  }

  const Timeline& timeline_;
  const Window& window_;
  double price_max_;
  Prices& prices_;
  LinearProgram lp_;
  std::vector<double> limits_;  // the price that each task of the window may reach in this round
  std::vector<int> lane_rows_;  // the row of each lane's first free cell
};

void WindowSolver::add_rows() {
  for (std::size_t s = window_.begin; s < window_.end; ++s) {
    const int row = lp_.add_row(static_cast<double>(timeline_.sets[s].count), kInfinity);
    Column left_out;
    // Near what it was: else the first rounds jump between extremes.
    left_out.cost = std::min(price_max_, prices_.task[s] * kFirstLimit + 1.0);
    left_out.entries = {{row, 1.0}};
    lp_.add_column(left_out);
    limits_.push_back(left_out.cost);
  }
  for (std::size_t l = 0; l < timeline_.lanes.size(); ++l) {
    const Lane& lane = timeline_.lanes[l];
    lane_rows_.push_back(lp_.rows());
    const double room = static_cast<double>(lane.count * lane.cell_us) / 1e3;
    for (std::int64_t c = first_cell(lane); c < cells_end(lane); ++c) {
      lp_.add_row(-kInfinity, room);
    }
  }
}

// Whether some price was held down by its limit, which then grows.
bool WindowSolver::raise_limits() {
  bool raised = false;
  const std::span<const double> values = lp_.values();
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    if (limits_[i] < price_max_ && values[i] > 1e-6) {
      limits_[i] = std::min(price_max_, limits_[i] * kFirstLimit);
      raised = true;
    }
  }
  for (std::size_t i = 0; raised && i < limits_.size(); ++i) {
    lp_.set_cost(static_cast<int>(i), limits_[i]);
  }
  return raised;
}

// Times are in milliseconds in the programme, so that its coefficients are of one size.
void WindowSolver::add_time(const PricedBatch& batch, Column& column) const {
  const Lane& lane = timeline_.lanes[batch.lane];
  const std::int64_t first = first_cell(lane);
  const std::int64_t end_us = batch.start_us + lane.kinds[batch.kind].latency_us;
  const std::vector<double>& cells = prices_.lane[batch.lane];
  for (std::int64_t c = batch.start_us / lane.cell_us;
       c < timeline_.cells(lane) && c * lane.cell_us < end_us; ++c) {
    const std::int64_t overlap =
        std::min(end_us, (c + 1) * lane.cell_us) - std::max(batch.start_us, c * lane.cell_us);
    if (overlap <= 0) {
      continue;
    }
    if (c >= first && c < cells_end(lane)) {
      const int row = lane_rows_[batch.lane] + static_cast<int>(c - first);
      column.entries.push_back({row, static_cast<double>(overlap) / 1e3});
    } else {
      column.cost += cells[static_cast<std::size_t>(c)] * static_cast<double>(overlap);
    }
  }
}

void WindowSolver::add_batch(const PricedBatch& batch) {
  Column column;
  column.cost = timeline_.lanes[batch.lane].kinds[batch.kind].energy_uj;
  for (const Pick& pick : batch.picks) {
    const auto count = static_cast<double>(pick.count);
    if (window_.has(pick.set)) {
      column.entries.push_back({static_cast<int>(pick.set - window_.begin), count});
    } else {
      column.cost -= prices_.task[pick.set] * count;
    }
  }
  const std::size_t tasks = column.entries.size();
  add_time(batch, column);
  if (column.entries.empty()) {
    return;  // nothing of it is this window's
  }
  if (column.entries.size() == tasks) {
    // Without a row of time nothing limits it, and the other prices hold within the tolerance only:
    // a gift would make the programme unbounded.
    column.cost = std::max(column.cost, 0.0);
  }
  lp_.add_column(column);
}

// Shows the solver, per lane and slot, the batch that is most above its cost.
std::size_t WindowSolver::add_batches(double tolerance) {
  struct Found {
    PricedBatch batch;
    std::vector<Pick> picks;
  };
  std::map<std::pair<std::uint32_t, std::int64_t>, Found> found;
  std::int64_t longest_us = 0;
  for (const Lane& lane : timeline_.lanes) {
    for (const BatchKind& kind : lane.kinds) {
      longest_us = std::max(longest_us, kind.latency_us);
    }
  }
  // Batches that begin before the window's time but reach into it count too. Far beyond it, where
  // only tasks with long deadlines of this window are left, a sample of the slots will do.
  Scope scope{std::max<std::int64_t>(0, (window_.free_us - longest_us) / timeline_.slot_us),
              window_.horizon_us / timeline_.slot_us + 1, window_.past, window_.reach};
  scope.thin_from = std::max(window_.free_end_us, window_.near_us) / timeline_.slot_us + 1;
  scope.stride = std::max<std::int64_t>(1, (scope.slots_to - scope.thin_from) / kFarSlots);
  price_batches(timeline_, prices_, scope, [&](const PricedBatch& batch, const Waiting&) {
    if (batch.value <= batch.cost * (1.0 + tolerance)) {
      return;
    }
    Found& best = found[{batch.lane, batch.slot}];
    if (best.picks.empty() || batch.value - batch.cost > best.batch.value - best.batch.cost) {
      best.batch = batch;
      best.picks.assign(batch.picks.begin(), batch.picks.end());
    }
  });
  const int before = lp_.columns();
  for (auto& [key, entry] : found) {
    entry.batch.picks = entry.picks;
    add_batch(entry.batch);
  }
  return static_cast<std::size_t>(lp_.columns() - before);
}

void WindowSolver::read_prices() {
  const std::span<const double> rows = lp_.prices();
  for (std::size_t s = window_.begin; s < window_.end; ++s) {
    prices_.task[s] = std::clamp(rows[s - window_.begin], 0.0, price_max_);
  }
  for (std::size_t l = 0; l < timeline_.lanes.size(); ++l) {
    const Lane& lane = timeline_.lanes[l];
    const std::int64_t first = first_cell(lane);
    for (std::int64_t c = first; c < cells_end(lane); ++c) {
      const double price = rows[static_cast<std::size_t>(lane_rows_[l] + (c - first))];
      prices_.lane[l][static_cast<std::size_t>(c)] = std::max(0.0, -price / 1e3);
    }
  }
}

Result<void> WindowSolver::solve(double until, WindowReport& report) {
  add_rows();
  for (int round = 0; round < kRoundsMax; ++round) {
    // The first round starts from prices that hold: whatever is near them is worth showing.
    const std::size_t added = add_batches(round == 0 ? kFirstTolerance : kTolerance);
    report.columns += static_cast<std::int64_t>(added);
    if (added == 0 && round > 0 && !raise_limits()) {
      break;
    }
    const double left = until - now_seconds();
    if (left <= 0.0) {
      report.in_time = false;
      break;
    }
    if (Result<void> ok = lp_.minimise({.seconds = left}); !ok) {
      if (ok.error().code == ErrorCode::TooLarge) {
        report.in_time = false;
        break;
      }
      return ok;
    }
    read_prices();
  }
  report.iterations += lp_.iterations();
  return {};
}

std::int64_t release_us(const Timeline& timeline, std::size_t set) {
  return timeline.sets[set].first_slot * timeline.slot_us;
}

}  // namespace

Result<WindowReport> improve_prices(const Timeline& timeline, const WindowTerms& terms,
                                    Prices& prices) {
  const std::size_t count = timeline.sets.size();
  const double until = now_seconds() + terms.seconds_max;
  std::int64_t shortest_us = INT64_MAX;
  for (const TaskSet& set : timeline.sets) {
    shortest_us = std::min(shortest_us, set.deadline_us - set.first_slot * timeline.slot_us);
  }
  WindowReport report;
  Window window;
  while (window.begin < count && report.in_time) {
    window.core = std::min(count, window.begin + kCoreSets);
    window.end = std::min(count, window.core + kAheadSets);
    const bool last = window.end == count;
    window.core = last ? count : window.core;
    while (window.past < window.begin &&
           timeline.sets[window.past].deadline_us < window.free_us - timeline.slot_us) {
      ++window.past;
    }
    window.horizon_us = window.near_us = 0;
    for (std::size_t s = window.begin; s < window.end; ++s) {
      const std::int64_t deadline_us = timeline.sets[s].deadline_us;
      window.horizon_us = std::max(window.horizon_us, deadline_us);
      if (deadline_us - release_us(timeline, s) <= kShort * shortest_us) {
        window.near_us = std::max(window.near_us, deadline_us);
      }
    }
    window.reach = window.end;
    while (window.reach < count && release_us(timeline, window.reach) <= window.horizon_us) {
      ++window.reach;
    }
    window.free_end_us =
        last ? timeline.slots * timeline.slot_us : release_us(timeline, window.end) + shortest_us;
    WindowSolver solver(timeline, window, terms.price_max, prices);
    if (const Result<void> ok = solver.solve(until, report); !ok) {
      return ok.error();
    }
    window.begin = window.core;
    window.free_us = last ? window.free_end_us : release_us(timeline, window.core);
  }
  return report;
}

}  // namespace juggler::bounds
