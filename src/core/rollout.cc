#include "core/rollout.h"

#include <fmt/format.h>

#include <algorithm>

namespace juggler {
namespace {

double milliseconds_of(Micros duration) { return static_cast<double>(duration.count) / 1000.0; }

RolloutStep back(std::string reason) { return {RolloutStep::Kind::RollBack, std::move(reason)}; }

}  // namespace

void RolloutTrial::note(bool failed, Micros batch_compute, int batch_size) {
  results += 1;
  if (failed) {
    errors += 1;
  } else {
    compute.count += batch_compute.count / std::max(batch_size, 1);
  }
}

RolloutStep judge(const Rollout& rollout, const RolloutTrial& trial, const RolloutView& view) {
  const std::string& device = rollout.reached.back();
  if (trial.results >= kRolloutResultsMin &&
      trial.errors * 1'000 > rollout.errors_permille_max * trial.results) {
    return back(fmt::format("{} of {} attempts on {} failed", trial.errors, trial.results, device));
  }
  if (!view.measured.has_value()) {
    return view.since_reached < kRolloutServeMax
               ? RolloutStep{}
               : back(fmt::format("{} {} after {} s: its log says why", device,
                                  view.live ? "does not serve it" : "is not there",
                                  kRolloutServeMax.count / 1'000'000));
  }
  const std::int64_t good = trial.results - trial.errors;
  if (good >= kRolloutResultsMin) {
    const Micros mean{trial.compute.count / good};
    if (rollout.latency_max.has_value() && mean > *rollout.latency_max) {
      return back(fmt::format("it takes {:.1f} ms on {}, more than {:.1f} ms",
                              milliseconds_of(mean), device,
                              milliseconds_of(*rollout.latency_max)));
    }
    if (mean.count * 100 > view.measured->count * rollout.slower_percent_max) {
      return back(fmt::format("it takes {:.1f} ms on {}, which has measured {:.1f} ms itself",
                              milliseconds_of(mean), device, milliseconds_of(*view.measured)));
    }
  }
  if (!view.live || view.since_served < rollout.watch) {
    return {};
  }
  if (trial.results >= kRolloutResultsMin) {
    return {RolloutStep::Kind::Next};
  }
  return view.since_served < rollout.watch + kRolloutResultsMaxWait
             ? RolloutStep{}
             : back(fmt::format("{} gave {} results, where {} are the least", device, trial.results,
                                kRolloutResultsMin));
}

std::optional<std::string> next_device(const FleetRecord& record, const Rollout& rollout,
                                       const std::vector<std::string>& live) {
  std::optional<std::string> next;
  for (const std::string& device : live) {
    const bool reached =
        std::find(rollout.reached.begin(), rollout.reached.end(), device) != rollout.reached.end();
    if (!reached && matches(rollout.where, device, record.note_of(device)) &&
        (!next.has_value() || device < *next)) {
      next = device;
    }
  }
  return next;
}

}  // namespace juggler
