#include "sim/workload.h"

#include <cmath>
#include <utility>

#include "core/check.h"
#include "sim/arrival_streams.h"

namespace juggler {
namespace {

struct MeanRate {
  const ArrivalProcess& arrivals;
  template <class Shape>
  double operator()(const Shape&) const {
    return arrivals.rate.hz;
  }
  // A part of a day has another mean than the day.
  double operator()(const DiurnalArrivals& shape) const {
    constexpr double kTurn = 6.283185307179586;
    const auto period = static_cast<double>(shape.period.count);
    const auto turn = [&](Micros t) {
      return kTurn * static_cast<double>((t + shape.phase).count) / period;
    };
    const Micros length = arrivals.until - arrivals.from;
    const double waves = std::cos(turn(Micros{0})) - std::cos(turn(length));
    const double part = waves * period / kTurn / static_cast<double>(length.count);
    return arrivals.rate.hz * (1.0 + shape.amplitude * part);
  }
  double operator()(const FlashCrowdArrivals& shape) const {
    const Micros length = arrivals.until - arrivals.from;
    const Micros end = std::min(shape.at + shape.lasts, length);
    const auto crowd = static_cast<double>(std::max(Micros{0}, end - shape.at).count);
    return arrivals.rate.hz *
           (1.0 + (shape.factor - 1.0) * crowd / static_cast<double>(length.count));
  }
  double operator()(const RampArrivals& shape) const {
    return (arrivals.rate.hz + shape.end.hz) / 2.0;
  }
};

}  // namespace

struct Workload::Class {
  std::unique_ptr<ArrivalStream> stream;
  Time from;
  Time until;
  std::optional<Time> next;
};

Workload::Workload() = default;
Workload::Workload(Workload&&) noexcept = default;
Workload& Workload::operator=(Workload&&) noexcept = default;
Workload::~Workload() = default;

Result<Workload> Workload::open(const Scenario& scenario) {
  Workload workload;
  for (const DemandClass& demand : scenario.classes) {
    const ArrivalProcess& arrivals = demand.arrivals;
    Result<std::unique_ptr<ArrivalStream>> stream =
        make_arrival_stream(arrivals, {scenario.seed, demand.name});
    if (!stream) {
      return stream.error();
    }
    Class opened{std::move(*stream), Time{arrivals.from.count}, Time{arrivals.until.count}, {}};
    workload.advance(opened);
    workload.classes_.push_back(std::move(opened));
  }
  return workload;
}

void Workload::advance(Class& demand) {
  const std::optional<double> at_us = demand.stream->next_us();
  const auto left_us = static_cast<double>((demand.until - demand.from).count);
  demand.next.reset();
  if (at_us.has_value() && *at_us < left_us) {
    demand.next = demand.from + Micros{static_cast<std::int64_t>(*at_us)};
  }
}

std::optional<Arrival> Workload::next() {
  std::size_t first = classes_.size();
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    const std::optional<Time>& at = classes_[i].next;
    if (at.has_value() && (first == classes_.size() || *at < *classes_[first].next)) {
      first = i;
    }
  }
  if (first == classes_.size()) {
    return std::nullopt;
  }
  const Arrival arrival{*classes_[first].next, first, count_++};
  advance(classes_[first]);
  return arrival;
}

double mean_hz(const ArrivalProcess& arrivals) {
  return std::visit(MeanRate{arrivals}, arrivals.shape);
}

double expected_tasks(const ArrivalProcess& arrivals) {
  return mean_hz(arrivals) * static_cast<double>((arrivals.until - arrivals.from).count) / 1e6;
}

}  // namespace juggler
