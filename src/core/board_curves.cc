#include "core/board_curves.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/portable_math.h"

namespace juggler {
namespace {

double as_double(std::int64_t count) { return static_cast<double>(count); }
// What is left of something after so long, where 37 % is left after `constant`.
double left_after(double time_us, Micros constant) {
  return portable_exp(-time_us / as_double(std::max<std::int64_t>(constant.count, 1)));
}

}  // namespace

BoardState::BoardState(BoardCurves curves, const std::vector<Processor>& processors)
    : curves_(std::move(curves)), lanes_(processors.size()) {
  for (std::size_t p = 0; p < processors.size(); ++p) {
    const auto at = curves_.warm_up.find(processors[p].id);
    if (at != curves_.warm_up.end()) {
      lanes_[p].warm_up = at->second;
    }
  }
  if (curves_.heat.has_value()) {
    celsius_ = as_double(curves_.heat->rest_millicelsius) / 1000;
  }
}

void BoardState::advance(Time now) {
  const double passed = as_double(std::max<std::int64_t>((now - since_.value_or(now)).count, 0));
  since_ = now;
  double watts = 0.0;
  for (Lane& lane : lanes_) {
    watts += lane.works ? lane.watts : 0.0;
    if (!lane.warm_up.has_value()) {
      continue;
    }
    lane.cold = lane.works ? lane.cold * left_after(passed, lane.warm_up->work)
                           : 1.0 - (1.0 - lane.cold) * left_after(passed, lane.warm_up->rest);
  }
  if (const std::optional<Heating>& heat = curves_.heat) {
    const double goal = as_double(heat->rest_millicelsius) / 1000 +
                        watts * as_double(heat->millicelsius_per_watt) / 1000;
    celsius_ = goal + (celsius_ - goal) * left_after(passed, heat->time);
  }
}

double BoardState::heat_slowdown() const {
  const std::optional<Heating>& heat = curves_.heat;
  if (!heat.has_value()) {
    return 1.0;
  }
  const double above = std::max(celsius_ - as_double(heat->throttle_millicelsius) / 1000, 0.0);
  return std::min(1.0 + above * as_double(heat->slowdown_permille_per_celsius) / 1000,
                  as_double(heat->slowdown_permille_max) / 1000);
}

void BoardState::loaded(std::size_t processor, Time now) {
  advance(now);
  lanes_[processor].cold = 1.0;
}

std::int64_t BoardState::begin(std::size_t processor, Micros alone, Milliwatts power, Time now) {
  advance(now);
  Lane& lane = lanes_[processor];
  double slowdown = heat_slowdown();
  if (lane.warm_up.has_value()) {
    // The mean of what is left over the batch's own time.
    const double time = as_double(std::max<std::int64_t>(alone.count, 1));
    const double share = as_double(std::max<std::int64_t>(lane.warm_up->work.count, 1)) / time;
    const double left = lane.cold * share * (1.0 - left_after(time, lane.warm_up->work));
    slowdown *= 1.0 + left * as_double(lane.warm_up->slowdown_permille - 1000) / 1000;
  }
  lane.works = true;
  lane.watts = as_double(power.count) / 1000 / slowdown;  // the same joules, over a longer time
  return std::llround(slowdown * 1000);
}

void BoardState::end(std::size_t processor, Time now) {
  advance(now);
  lanes_[processor].works = false;
}

std::optional<std::int64_t> BoardState::millicelsius(Time now) {
  advance(now);
  return curves_.heat.has_value() ? std::optional(std::llround(celsius_ * 1000)) : std::nullopt;
}

bool BoardState::throttled(Time now) {
  advance(now);
  return heat_slowdown() > 1.0;
}

}  // namespace juggler
