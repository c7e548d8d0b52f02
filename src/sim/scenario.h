#pragma once
// A scenario: a fleet, what is asked of it, what goes wrong, and what is expected. Plain data: the
// file that says it is read by scenario_file.h, its arrivals are drawn by workload.h, and the
// simulator and `juggler bench` run it. Meanings, units and ranges: docs/scenarios.md.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/controller.h"
#include "core/device.h"
#include "core/task.h"
#include "core/units.h"
#include "files/board_profile.h"

namespace juggler {

// Bounds of a scenario, so that no file makes the simulator grow.
inline constexpr std::size_t kScenarioDevicesMax = 4096;
inline constexpr std::size_t kScenarioClassesMax = 64;
inline constexpr std::size_t kScenarioFaultsMax = 1024;
inline constexpr Micros kScenarioDurationMax = seconds(604'800);  // a week
inline constexpr double kScenarioRateMax = 1e6;                   // Hz, all classes together
inline constexpr double kScenarioLoadMax = 10.0;

// How a device reaches the broker.
struct NetworkProfile {
  std::string name;
  Micros rtt;                        // median, both ways
  Micros jitter;                     // standard deviation of the round trip
  std::int64_t bandwidth_kbits = 0;  // each way; 0: unlimited
  std::int64_t loss_ppm = 0;         // of packets; over TCP a loss is a delay, never a lost message
  std::string source;

  friend bool operator==(const NetworkProfile&, const NetworkProfile&) = default;
};

struct ScenarioDevice {
  DeviceFacts announced;     // what its hello says, and what the controller believes at first
  DeviceFacts truth;         // what its executor takes: as announced, unless drawn or mis-stated
  FactsIntervals intervals;  // what `truth` may be drawn from (fleet.h)
  BoardCurves curves{};      // warm-up and heat, true and not announced
  double slower = 1.0;       // times and energies of `truth` over those announced, draws apart
  NetworkProfile network;
  double noise = 1.0;    // spread of single runs: 1 as p95 says, 0 none
  bool preloads = true;  // as core/preload.h says; else what is announced as loaded
};

// A rate in tasks per second or as a share of the fleet's capacity for the scenario's mix. The file
// gives one of them; scale_rates() turns loads into rates. 0: not given.
struct Rate {
  double hz = 0.0;
  double load = 0.0;

  friend bool operator==(const Rate&, const Rate&) = default;
};

// Arrival processes. `rate` of ArrivalProcess is the mean where nothing else is said.

// Cameras that each send at a fixed period, at phases drawn once. Together they send `rate`.
struct ConstantArrivals {
  int cameras = 1;
  friend bool operator==(const ConstantArrivals&, const ConstantArrivals&) = default;
};

struct PoissonArrivals {
  friend bool operator==(const PoissonArrivals&, const PoissonArrivals&) = default;
};

// Independent gamma gaps with this coefficient of variation; 1 is Poisson.
struct GammaArrivals {
  double cv = 1.0;
  friend bool operator==(const GammaArrivals&, const GammaArrivals&) = default;
};

// Poisson at a high or a low rate, changing at exponential times (MMPP-2). The high rate is
// `burst_factor` times the mean; the low one follows from the mean and the dwell times.
struct OnOffArrivals {
  double burst_factor = 3.0;
  Micros high_mean = seconds(2);  // mean dwell at the high rate
  Micros low_mean = seconds(8);
  friend bool operator==(const OnOffArrivals&, const OnOffArrivals&) = default;
};

// Poisson at rate x (1 + amplitude x sin(2 pi (t + phase) / period)), by thinning.
struct DiurnalArrivals {
  double amplitude = 0.5;
  Micros period = seconds(86'400);
  Micros phase;
  friend bool operator==(const DiurnalArrivals&, const DiurnalArrivals&) = default;
};

// Poisson at `rate`, but `factor` times as much from `at` for `lasts`.
struct FlashCrowdArrivals {
  double factor = 3.0;
  Micros at;
  Micros lasts;
  friend bool operator==(const FlashCrowdArrivals&, const FlashCrowdArrivals&) = default;
};

// Poisson at a rate that rises (or falls) evenly from `rate` to `end` over the class's time.
struct RampArrivals {
  Rate end;
  friend bool operator==(const RampArrivals&, const RampArrivals&) = default;
};

enum class TraceForm {
  Times,         // one arrival time in seconds per line
  MinuteCounts,  // Azure Functions 2019: counts per function in columns 1 to 1440
  Invocations,   // Azure LLM (TIMESTAMP) and Azure Functions 2021 (end_timestamp, duration)
};

// Arrival times from a file. With a rate, the trace's time is stretched so that it has that mean.
struct TraceArrivals {
  std::string file;  // resolved: relative to the scenario's folder in the file
  TraceForm form = TraceForm::Times;
  // Times in us, ascending, in place of the file: what a journal recorded. May be null.
  std::shared_ptr<const std::vector<std::int64_t>> recorded{};
  friend bool operator==(const TraceArrivals&, const TraceArrivals&) = default;
};

using ArrivalShape = std::variant<PoissonArrivals, ConstantArrivals, GammaArrivals, OnOffArrivals,
                                  DiurnalArrivals, FlashCrowdArrivals, RampArrivals, TraceArrivals>;

struct ArrivalProcess {
  ArrivalShape shape;
  Rate rate;     // mean; FlashCrowd: outside the crowd; Ramp: at its start; Trace: 0 as in the file
  Micros from;   // the class sends from here
  Micros until;  // to here; never later than the scenario's duration

  friend bool operator==(const ArrivalProcess&, const ArrivalProcess&) = default;
};

// Tasks that ask for the same.
struct DemandClass {
  std::string name;
  Requirements requirements;
  ArrivalProcess arrivals;
  Bytes payload = {15'000};  // a JPEG of about 256 x 256 pixels
  PayloadKind payload_kind = PayloadKind::Jpeg;
  double share = 1.0;  // of the mix, all classes together 1; what `load` is resolved with

  friend bool operator==(const DemandClass&, const DemandClass&) = default;
};

enum class FaultKind {
  MessageLoss,          // what is under way on the link is lost, with its connection
  Duplication,          // delivered twice: `probability` of each
  Delay,                // exponential extra delay, mean `delay`, each way
  Partition,            // nothing passes, in `direction`
  Crash,                // the device's process dies and is back after `lasts`
  Straggler,            // everything takes `factor` times as long, at once
  Throttle,             // as a ramp: to `factor` over `ramp`, back at once
  ClockJump,            // the device's clock jumps by `delay`
  EngineError,          // a run fails: `probability` of each
  LoadOutOfMemory,      // a variant cannot be loaded
  SwizzleClog,          // random links stop one by one, and are released in another order
  ControllerCrash,      // the controller dies; its successor leads after `lasts`
  BrokerRestart,        // every connection is lost; durable queues are back after `lasts`
  BrokerBlocked,        // the broker takes no messages (memory or disk alarm)
  PowerLoss,            // of the device: as Crash, but nobody tells the broker
  Drain,                // the device is asked to leave, and is back after `lasts`
  LostDispatch,         // the next dispatch is lost inside the device, acknowledged
  ControllerPartition,  // nothing passes between the leader and the broker, in `direction`
  ControllerFreeze,     // the leader's process stands still
  ClientPartition,      // nothing passes between one of the clients and the broker, in `direction`
};

// As seen from the machine at the link's end: a device, a controller or a client.
enum class LinkDirection { Both, ToMachine, FromMachine };

struct Fault {
  FaultKind kind = FaultKind::Crash;
  Micros at;
  Micros lasts;        // 0: to the end of the run
  std::string device;  // its id; empty: all devices (or none, where it is of something else)
  double factor = 1.0;
  double probability = 0.0;
  Micros delay;
  Micros ramp;
  LinkDirection direction = LinkDirection::Both;

  friend bool operator==(const Fault&, const Fault&) = default;
};

// What a run must show. Every ratio is of the tasks offered after the warm-up.
enum class Measure {
  Unanswered,   // accepted tasks without an outcome at the end; `answered = "all"`
  OnTimeRatio,  // completed by the deadline
  MissRatio,    // 1 - OnTimeRatio
  RejectedRatio,
  FailedRatio,
  Throughput,       // completed, Hz
  OnTimeRate,       // completed by the deadline, Hz
  LatencyP50,       // ms, of completed tasks, from the scheduled arrival
  LatencyP99,       // ms
  AccuracyMean,     // percent top-1 of the variants that answered
  EnergyMean,       // mJ above idle at the boards' inputs, per completed task
  EnergyOverBound,  // a factor, against the bound that was asked for: fluid or hindsight
  PowerPeak,        // W: the most that all boards took at once, at their inputs
  MemoryRefused,    // batches that a device had no memory for
  Recovery,         // ms after the end of the last fault until the on-time ratio is back
};

struct Expectation {
  Measure measure = Measure::Unanswered;
  bool at_most = true;  // else at least
  double value = 0.0;

  friend bool operator==(const Expectation&, const Expectation&) = default;
};

struct Scenario {
  std::string name;   // of the file, without folder and ending
  std::string about;  // one sentence for people
  std::uint64_t seed = 1;
  std::string policy = "juggler";
  std::string weights;            // a Goal's name (core/objective.h); empty: the policy's own
  Micros duration = seconds(60);  // of arrivals; what they left is still answered
  Micros warm_up;                 // from the start: excluded from the measures
  bool drawn = false;             // `truth` is drawn from the intervals, by the seed (fleet.h)
  ControllerConfig controller;    // defaults, with what the file overrides
  std::vector<ScenarioDevice> devices;  // sorted by id
  std::vector<DemandClass> classes;
  std::vector<Fault> faults;
  int random_faults = 0;  // beside those: kinds, times and devices drawn from the seed
  std::vector<Expectation> expectations;
};

std::string_view to_string(FaultKind kind);
std::string_view to_string(TraceForm form);
std::optional<FaultKind> parse_fault_kind(std::string_view name);
std::string fault_kind_names();  // all of them, for messages
std::optional<TraceForm> parse_trace_form(std::string_view name);

// The key of an expectation in a file, e.g. `on_time_ratio_min`.
std::string expectation_key(Measure measure, bool at_most);
// Nothing for a key that is none; the value is left 0.
std::optional<Expectation> parse_expectation_key(std::string_view key);
std::vector<std::string> expectation_keys();

// Whether some rate is a load, so that scale_rates() must come first.
bool needs_capacity(const Scenario& scenario);

// Turns every load into a rate: load x capacity. A class's load is its part of the whole (the
// loader multiplied the scenario's load by the class's share), so that the mix stays the same.
//
// requires  capacity_hz > 0: of the fleet as announced, for the mix of the shares (src/bounds)
void scale_rates(Scenario& scenario, double capacity_hz);

}  // namespace juggler
