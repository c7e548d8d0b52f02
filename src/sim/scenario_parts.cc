#include "sim/scenario_parts.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "core/names.h"

namespace juggler {
namespace {

const double kSecondsMax = static_cast<double>(kScenarioDurationMax.count) / 1e6;
constexpr double kMillisecondsMax = 600'000.0;
constexpr std::size_t kChoicesMax = 64;

enum class Process { Poisson, Constant, Gamma, OnOff, Diurnal, FlashCrowd, Ramp, Trace };

constexpr std::array<Named<Process>, 8> kProcesses{{
    {Process::Poisson, "poisson"},
    {Process::Constant, "constant"},
    {Process::Gamma, "gamma"},
    {Process::OnOff, "on-off"},
    {Process::Diurnal, "diurnal"},
    {Process::FlashCrowd, "flash-crowd"},
    {Process::Ramp, "ramp"},
    {Process::Trace, "trace"},
}};

constexpr std::array<Named<Pick>, 3> kPicks{{
    {Pick::Fastest, "fastest"},
    {Pick::Slowest, "slowest"},
    {Pick::MostEfficient, "most-efficient"},
}};

template <class Enum, std::size_t N>
std::string names_of(const std::array<Named<Enum>, N>& table) {
  std::string names;
  for (const Named<Enum>& entry : table) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

Micros seconds_of(double value) { return {std::llround(value * 1e6)}; }
Micros milliseconds_of(double value) { return {std::llround(value * 1e3)}; }

Micros seconds_at(TomlSection& section, std::string_view key, double otherwise) {
  return seconds_of(section.maybe_number(key, {0.0, kSecondsMax}).value_or(otherwise));
}

ArrivalShape read_on_off(TomlSection& section) {
  OnOffArrivals shape;
  shape.burst_factor = section.number("burst_factor", {1.0, 100.0});
  shape.high_mean = seconds_of(section.number("high_s_mean", {0.001, kSecondsMax}));
  shape.low_mean = seconds_of(section.number("low_s_mean", {0.001, kSecondsMax}));
  const double most =
      1.0 + static_cast<double>(shape.low_mean.count) / static_cast<double>(shape.high_mean.count);
  if (shape.burst_factor > most) {
    section.refuse("burst_factor",
                   "must be at most 1 + low_s_mean / high_s_mean = " + std::to_string(most) +
                       ": bursts alone would be more than the mean rate");
  }
  return shape;
}

ArrivalShape read_ramp(TomlSection& section) {
  RampArrivals shape;
  const auto hz = section.maybe_number("end_hz", {1e-6, kScenarioRateMax});
  const auto load = section.maybe_number("end_load", {1e-6, kScenarioLoadMax});
  if (hz.has_value() == load.has_value()) {
    section.refuse("end_hz", "give the rate at the end: either end_hz or end_load");
  }
  shape.end = {hz.value_or(0.0), load.value_or(0.0)};
  return shape;
}

ArrivalShape read_trace(TomlSection& section, const std::filesystem::path& folder) {
  const std::string file = section.text("file");
  const TraceForm form =
      section.choice("form", parse_trace_form, "times, minute-counts, invocations");
  return TraceArrivals{.file = (folder / file).string(), .form = form};
}

}  // namespace

RateDraft read_rate(TomlSection& section) {
  RateDraft rate;
  rate.hz = section.maybe_number("rate_hz", {1e-6, kScenarioRateMax});
  rate.load = section.maybe_number("load", {1e-6, kScenarioLoadMax});
  if (rate.hz.has_value() && rate.load.has_value()) {
    section.refuse("load", "stands beside rate_hz: give one of them");
  }
  return rate;
}

ArrivalShape read_arrivals(TomlSection section, const std::filesystem::path& folder) {
  const Process process = section.choice(
      "process", [](std::string_view name) { return value_of(kProcesses, name); },
      names_of(kProcesses));
  ArrivalShape shape;
  switch (process) {
    case Process::Poisson:
      break;
    case Process::Constant:
      shape = ConstantArrivals{
          static_cast<int>(section.maybe_integer("cameras", {1, 100'000}).value_or(1))};
      break;
    case Process::Gamma:
      shape = GammaArrivals{section.number("cv", {0.05, 50.0})};
      break;
    case Process::OnOff:
      shape = read_on_off(section);
      break;
    case Process::Diurnal:
      shape = DiurnalArrivals{section.number("amplitude", {0.0, 1.0}),
                              seconds_of(section.number("period_s", {0.001, kSecondsMax})),
                              seconds_at(section, "phase_s", 0.0)};
      break;
    case Process::FlashCrowd:
      shape = FlashCrowdArrivals{section.number("factor", {1.001, 1000.0}),
                                 seconds_of(section.number("at_s", {0.0, kSecondsMax})),
                                 seconds_of(section.number("lasts_s", {0.001, kSecondsMax}))};
      break;
    case Process::Ramp:
      shape = read_ramp(section);
      break;
    case Process::Trace:
      shape = read_trace(section, folder);
      break;
  }
  section.refuse_unknown();
  return shape;
}

ClassDraft read_class(TomlSection& section, const std::filesystem::path& folder) {
  ClassDraft draft;
  DemandClass& demand = draft.demand;
  Requirements& wanted = demand.requirements;
  draft.where = section.where("name");
  demand.name = section.text("name");
  wanted.model = section.text_or("model", "auto");
  if (const auto percent = section.maybe_number("min_accuracy", {0.0, 100.0})) {
    wanted.min_accuracy = MilliPercent{std::llround(*percent * 1000.0)};
  }
  if (const auto deadline = section.maybe_number("deadline_ms", {0.1, kMillisecondsMax})) {
    wanted.deadline = milliseconds_of(*deadline);
  }
  draft.deadline_services = section.maybe_number("deadline_services", {1.0, 10'000.0});
  if (wanted.deadline.has_value() && draft.deadline_services.has_value()) {
    section.refuse("deadline_services", "stands beside deadline_ms: give one of them");
  }
  if (const auto energy = section.maybe_number("max_energy_mj", {0.001, 1e7})) {
    wanted.max_energy = Microjoules{std::llround(*energy * 1000.0)};
  }
  wanted.priority =
      static_cast<int>(section.maybe_integer("priority", {0, kPriorityMax}).value_or(0));
  demand.payload = {section.maybe_integer("payload_bytes", {1, kPayloadMax.count})
                        .value_or(demand.payload.count)};
  draft.rate = read_rate(section);
  draft.share = section.maybe_number("share", {1e-6, 1e6}).value_or(1.0);
  draft.from = seconds_at(section, "from_s", 0.0);
  if (section.has("until_s")) {
    draft.until = seconds_at(section, "until_s", 0.0);
  }
  if (std::optional<TomlSection> arrivals = section.maybe_section("arrivals")) {
    draft.arrivals = read_arrivals(*arrivals, folder);
  }
  section.refuse_unknown();
  return draft;
}

// Of a watt limit.
constexpr NumberRange kPowerRangeW{0.001, 1e6};

DeviceDraft read_device(TomlSection& section) {
  DeviceDraft draft;
  draft.where = section.where("board");
  draft.board = section.text("board");
  draft.id = section.text_or("id", "");
  if (!draft.id.empty() && (!valid_device_id(draft.id) || draft.id.size() > 56)) {
    section.refuse("id", "must be of [a-z0-9-], 1 to 56 characters");
  }
  draft.count = static_cast<int>(
      section.maybe_integer("count", {1, static_cast<std::int64_t>(kScenarioDevicesMax)})
          .value_or(1));
  draft.network = section.text_or("network", draft.network);
  draft.choice.variants = section.texts("variants", kChoicesMax);
  draft.choice.processors = section.texts("processors", kChoicesMax);
  draft.noise = section.maybe_number("noise", {0.0, 10.0}).value_or(1.0);
  draft.slower = section.maybe_number("slower", {0.01, 100.0}).value_or(1.0);
  if (const auto power = section.maybe_number("power_max_w", kPowerRangeW)) {
    draft.power_max = Milliwatts{std::llround(*power * 1e3)};
  }
  section.refuse_unknown();
  return draft;
}

// `both`, or to or from the machine whose link it is.
LinkDirection read_direction(TomlSection& section, const std::string& machine) {
  if (!section.has("direction")) {
    return LinkDirection::Both;
  }
  const std::string to = "to-" + machine;
  const std::string from = "from-" + machine;
  const auto parse = [&](std::string_view name) -> std::optional<LinkDirection> {
    if (name == "both") {
      return LinkDirection::Both;
    }
    if (name == to) {
      return LinkDirection::ToMachine;
    }
    return name == from ? std::optional(LinkDirection::FromMachine) : std::nullopt;
  };
  return section.choice("direction", parse, "both, " + to + ", " + from);
}

bool of_devices(FaultKind kind) {
  switch (kind) {
    case FaultKind::Duplication:
    case FaultKind::ControllerCrash:
    case FaultKind::ControllerPartition:
    case FaultKind::ControllerFreeze:
    case FaultKind::ClientPartition:
    case FaultKind::BrokerRestart:
    case FaultKind::BrokerBlocked:
      return false;
    default:
      return true;
  }
}

FaultDraft read_fault(TomlSection& section) {
  FaultDraft draft;
  Fault& fault = draft.fault;
  draft.where = section.where("kind");
  fault.kind = section.choice("kind", parse_fault_kind, fault_kind_names());
  fault.at = seconds_of(section.number("at_s", {0.0, kSecondsMax}));
  fault.lasts = seconds_at(section, "lasts_s", 0.0);
  fault.device = section.text_or("device", "");
  if (!of_devices(fault.kind)) {
    for (const char* key : {"device", "pick"}) {
      if (section.has(key)) {
        section.refuse(key, std::string(to_string(fault.kind)) + " is of no device");
      }
    }
  }
  if (section.has("pick")) {
    draft.pick = section.choice(
        "pick", [](std::string_view name) { return value_of(kPicks, name); }, names_of(kPicks));
    draft.devices_percent = section.maybe_number("devices_percent", {0.0, 100.0}).value_or(0.0);
    if (!fault.device.empty()) {
      section.refuse("pick", "stands beside device: give one of them");
    }
  }
  switch (fault.kind) {
    case FaultKind::Duplication:
    case FaultKind::EngineError:
      fault.probability = section.number("probability", {1e-9, 1.0});
      break;
    case FaultKind::Delay:
      fault.delay = milliseconds_of(section.number("delay_ms", {0.001, kMillisecondsMax}));
      break;
    case FaultKind::BrokerRestart:
      if (section.has("delay_ms")) {
        fault.delay = milliseconds_of(section.number("delay_ms", {0.0, kMillisecondsMax}));
      }
      break;
    case FaultKind::ClockJump:
      fault.delay =
          milliseconds_of(section.number("delay_ms", {-kMillisecondsMax, kMillisecondsMax}));
      break;
    case FaultKind::Straggler:
      fault.factor = section.number("factor", {1.0, 1000.0});
      break;
    case FaultKind::Throttle:
      fault.factor = section.number("factor", {1.0, 1000.0});
      fault.ramp = seconds_at(section, "ramp_s", 0.0);
      break;
    case FaultKind::Partition:
      fault.direction = read_direction(section, "device");
      break;
    case FaultKind::ControllerPartition:
      fault.direction = read_direction(section, "controller");
      break;
    case FaultKind::ClientPartition:
      fault.direction = read_direction(section, "client");
      break;
    default:
      break;
  }
  section.refuse_unknown();
  return draft;
}

void read_expectations(TomlSection section, std::map<std::string, Expectation>& expectations) {
  constexpr double kLargest = 1e12;
  if (section.has("answered")) {
    if (section.text("answered") != "all") {
      section.refuse("answered", "must be \"all\"; for less there is unanswered_max");
    }
    expectations[expectation_key(Measure::Unanswered, true)] = {Measure::Unanswered, true, 0.0};
  }
  for (const std::string& key : expectation_keys()) {
    if (const auto value = section.maybe_number(key, {0.0, kLargest})) {
      Expectation expectation = *parse_expectation_key(key);
      expectation.value = *value;
      expectations[key] = expectation;
    }
  }
  section.refuse_unknown();
}

void read_controller(TomlSection section, ControllerConfig& config) {
  struct Count {
    std::string_view key;
    std::size_t& value;
  };
  const Count counts[] = {{"tasks_max", config.tasks_max},
                          {"answered_max", config.answered_max},
                          {"replans_max", config.replans_max},
                          {"reconsidered_max", config.reconsidered_max}};
  for (const Count& count : counts) {
    if (const auto value = section.maybe_integer(count.key, {1, 100'000'000})) {
      count.value = static_cast<std::size_t>(*value);
    }
  }
  struct Duration {
    std::string_view key;
    Micros& value;
  };
  const Duration durations[] = {{"deadline_ms", config.deadline},
                                {"warm_up_ms", config.warm_up},
                                {"adopt_wait_ms", config.adopt_wait},
                                {"suspect_after_ms", config.suspect_after},
                                {"lost_after_ms", config.lost_after},
                                {"learned_fades_after_ms", config.learned_fades_after},
                                {"attempt_grace_ms", config.attempt_grace}};
  for (const Duration& duration : durations) {
    if (const auto value = section.maybe_number(duration.key, {0.001, 86'400'000.0})) {
      duration.value = milliseconds_of(*value);
    }
  }
  if (const auto attempts = section.maybe_integer("attempts_max", {1, 100})) {
    config.attempts_max = static_cast<int>(*attempts);
  }
  config.learns = section.maybe_flag("learns").value_or(config.learns);
  if (const auto power = section.maybe_number("power_max_w", kPowerRangeW)) {
    config.power_max = Milliwatts{std::llround(*power * 1e3)};
  }
  section.refuse_unknown();
}

}  // namespace juggler
