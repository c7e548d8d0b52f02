#include "sim/scenario.h"

#include <algorithm>

#include "core/check.h"
#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<FaultKind>, 20> kFaultKinds{{
    {FaultKind::MessageLoss, "message-loss"},
    {FaultKind::Duplication, "duplication"},
    {FaultKind::Delay, "delay"},
    {FaultKind::Partition, "partition"},
    {FaultKind::Crash, "crash"},
    {FaultKind::Straggler, "straggler"},
    {FaultKind::Throttle, "throttle"},
    {FaultKind::ClockJump, "clock-jump"},
    {FaultKind::EngineError, "engine-error"},
    {FaultKind::LoadOutOfMemory, "load-out-of-memory"},
    {FaultKind::SwizzleClog, "swizzle-clog"},
    {FaultKind::ControllerCrash, "controller-crash"},
    {FaultKind::BrokerRestart, "broker-restart"},
    {FaultKind::BrokerBlocked, "broker-blocked"},
    {FaultKind::PowerLoss, "power-loss"},
    {FaultKind::Drain, "drain"},
    {FaultKind::LostDispatch, "lost-dispatch"},
    {FaultKind::ControllerPartition, "controller-partition"},
    {FaultKind::ControllerFreeze, "controller-freeze"},
    {FaultKind::ClientPartition, "client-partition"},
}};

constexpr std::array<Named<TraceForm>, 3> kTraceForms{{
    {TraceForm::Times, "times"},
    {TraceForm::MinuteCounts, "minute-counts"},
    {TraceForm::Invocations, "invocations"},
}};

constexpr std::array<Named<Measure>, 15> kMeasures{{
    {Measure::Unanswered, "unanswered"},
    {Measure::OnTimeRatio, "on_time_ratio"},
    {Measure::MissRatio, "miss_ratio"},
    {Measure::RejectedRatio, "rejected_ratio"},
    {Measure::FailedRatio, "failed_ratio"},
    {Measure::Throughput, "throughput_hz"},
    {Measure::OnTimeRate, "on_time_hz"},
    {Measure::LatencyP50, "latency_ms_p50"},
    {Measure::LatencyP99, "latency_ms_p99"},
    {Measure::AccuracyMean, "accuracy_percent_mean"},
    {Measure::EnergyMean, "energy_mj_mean"},
    {Measure::EnergyOverBound, "energy_over_bound"},
    {Measure::PowerPeak, "power_w_peak"},
    {Measure::MemoryRefused, "memory_refused"},
    {Measure::Recovery, "recovery_ms"},
}};

constexpr std::string_view kMin = "_min";
constexpr std::string_view kMax = "_max";

void scale(Rate& rate, double capacity_hz) {
  if (rate.load > 0.0) {
    rate.hz = rate.load * capacity_hz;
  }
}

}  // namespace

std::string_view to_string(FaultKind kind) { return name_of(kFaultKinds, kind); }
std::string_view to_string(TraceForm form) { return name_of(kTraceForms, form); }

std::optional<FaultKind> parse_fault_kind(std::string_view name) {
  return value_of(kFaultKinds, name);
}
std::optional<TraceForm> parse_trace_form(std::string_view name) {
  return value_of(kTraceForms, name);
}
std::string fault_kind_names() {
  std::string names;
  for (const Named<FaultKind>& entry : kFaultKinds) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

std::string expectation_key(Measure measure, bool at_most) {
  return std::string(name_of(kMeasures, measure)) + std::string(at_most ? kMax : kMin);
}

std::optional<Expectation> parse_expectation_key(std::string_view key) {
  if (!key.ends_with(kMin) && !key.ends_with(kMax)) {
    return std::nullopt;
  }
  const std::optional<Measure> measure =
      value_of(kMeasures, key.substr(0, key.size() - kMin.size()));
  if (!measure.has_value()) {
    return std::nullopt;
  }
  return Expectation{*measure, key.ends_with(kMax), 0.0};
}

std::vector<std::string> expectation_keys() {
  std::vector<std::string> keys;
  for (const Named<Measure>& entry : kMeasures) {
    keys.push_back(expectation_key(entry.value, false));
    keys.push_back(expectation_key(entry.value, true));
  }
  return keys;
}

bool needs_capacity(const Scenario& scenario) {
  return std::any_of(scenario.classes.begin(), scenario.classes.end(), [](const DemandClass& c) {
    const auto* ramp = std::get_if<RampArrivals>(&c.arrivals.shape);
    return c.arrivals.rate.load > 0.0 || (ramp != nullptr && ramp->end.load > 0.0);
  });
}

void scale_rates(Scenario& scenario, double capacity_hz) {
  JUGGLER_CHECK(capacity_hz > 0.0, "a fleet without capacity has no load");
  for (DemandClass& demand : scenario.classes) {
    scale(demand.arrivals.rate, capacity_hz);
    if (auto* ramp = std::get_if<RampArrivals>(&demand.arrivals.shape)) {
      scale(ramp->end, capacity_hz);
    }
  }
}

}  // namespace juggler
