// `juggler profile` with a meter, against the truth: the production profiler runs batches on a
// virtual clock, and meanwhile trees of files say what the machine takes, as a RAPL's, a hwmon's
// and an IIO driver's INA3221 do.

#include <gtest/gtest.h>

#include <cmath>

#include "inference/machine_profiler.h"
#include "support/metered_board.h"
#include "telemetry/run_meter.h"

namespace juggler {
namespace {

using test::Board;
using test::kIdleWatts;
using test::Truth;
using test::uniform;

// A machine whose meter is read while its time passes.
class Machine {
 public:
  Machine(Board::Kind kind, std::uint64_t seed) : board_(kind), rng_(seed) {
    truth_.idle(rng_, milliseconds(20));
    board_.show(truth_, {});
    meter_ = board_.meter();
    log_.emplace(meter_->facts());
  }

  void rest(Micros time) {
    for (const Time until = truth_.end() + time; truth_.end() < until;) {
      truth_.idle(rng_, milliseconds(20));
      read();
    }
  }
  Micros run(Micros about, double above_idle) {
    const Micros took = truth_.run(rng_, about, above_idle);
    read();
    return took;
  }

  EnergySource source() {
    EnergySource source;
    source.facts = meter_->facts();
    source.now = [this] { return truth_.end(); };
    source.wait = [this](Micros time) { rest(time); };
    source.between = [this](Time from, Time to) { return log_->between(from, to); };
    source.idle = [this](const auto& spans) { return log_->idle(spans); };
    return source;
  }
  const Truth& truth() const { return truth_; }

 private:
  // As the meter's thread, a little late each time.
  void read() {
    for (; next_ <= truth_.end(); next_ = next_ + meter_->facts().period +
                                          Micros{static_cast<std::int64_t>(rng_.below(3000))}) {
      board_.show(truth_, next_);
      if (const Fact<MeterReading> reading = meter_->read(next_); reading.value.has_value()) {
        log_->add(next_, *reading.value);
      }
    }
  }

  Board board_;
  Rng rng_;
  Truth truth_;
  std::unique_ptr<PowerMeter> meter_;
  std::optional<EnergyLog> log_;
  Time next_;
};

struct Network {
  Micros alone;
  double above_idle = 0.0;  // watts
};

class MachineEngine final : public InferenceEngine {
 public:
  MachineEngine(Machine& machine, const std::map<std::string, Network>& networks)
      : machine_(machine), networks_(networks) {}
  Result<void> load(const std::string& /*variant*/) override {
    machine_.run(milliseconds(200), 1.5);
    return {};
  }
  void unload(const std::string& /*variant*/) override {}
  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override {
    const Network& network = networks_.at(variant);
    const auto size = static_cast<std::int64_t>(inputs.size());
    BatchReport report;
    report.compute = machine_.run(network.alone * (2 + 3 * size) / 5, network.above_idle);
    report.outputs.resize(inputs.size());
    for (EngineOutput& output : report.outputs) {
      output.status = AttemptStatus::Ok;
    }
    return report;
  }

 private:
  Machine& machine_;
  const std::map<std::string, Network>& networks_;
};

// What it measures beside what was true meanwhile.
class Witness final : public RunMeter {
 public:
  struct Run {
    RunEnergy measured;
    double true_watts = 0.0;     // gross
    double true_above_uj = 0.0;  // of one run
  };

  Witness(std::unique_ptr<RunMeter> meter, const Machine& machine)
      : meter_(std::move(meter)), machine_(machine) {}

  const std::string& name() const override { return meter_->name(); }
  PowerScope scope() const override { return meter_->scope(); }
  Evidence evidence() const override { return meter_->evidence(); }
  Micros time_min() const override { return meter_->time_min(); }
  void rest(Micros time) override { meter_->rest(time); }
  void begin() override {
    from_ = machine_.truth().end();
    meter_->begin();
  }
  std::optional<RunEnergy> end(std::int64_t runs) override {
    const Time to = machine_.truth().end();
    const std::optional<RunEnergy> found = meter_->end(runs);
    if (found.has_value()) {
      const auto us = static_cast<double>((to - from_).count);
      const double joules = machine_.truth().joules(from_, to);
      seen_.push_back({*found, joules * 1e6 / us,
                       (joules * 1e6 - kIdleWatts * us) / static_cast<double>(runs)});
    }
    return found;
  }
  std::optional<RestPower> at_rest() const override { return meter_->at_rest(); }

  const std::vector<Run>& seen() const { return seen_; }

 private:
  std::unique_ptr<RunMeter> meter_;
  const Machine& machine_;
  Time from_;
  std::vector<Run> seen_;
};

struct Profiled {
  MachineProfile profile;
  std::vector<Witness::Run> runs;
  std::optional<RestPower> at_rest;
};

Profiled profile_with(Board::Kind kind, std::uint64_t seed) {
  Rng rng(seed * 6151);
  Machine machine(kind, seed);
  std::map<std::string, Network> networks;
  for (const char* name : {"small-fp32", "large-fp32"}) {
    networks[name] = {Micros{3'000 + static_cast<std::int64_t>(rng.below(60'000))},
                      uniform(rng, 1.5, 9.0)};
  }
  Witness meter(make_run_meter(machine.source()), machine);
  LaneUnderTest lane;
  lane.id = "cpu0";
  lane.runtime = "virtual";
  lane.variants = {"small-fp32", "large-fp32"};
  lane.batch_max = 4;
  lane.make_engine = [&](int /*threads*/) -> Result<std::unique_ptr<InferenceEngine>> {
    return std::make_unique<MachineEngine>(machine, networks);
  };
  lane.memory = [] { return Bytes{0}; };
  ProfilingOptions options;
  options.batches = {1, 4};
  options.meter = &meter;
  Profiled made;
  std::vector<std::string> left;
  meter.rest(seconds(12));
  EXPECT_TRUE(profile_lane(lane, {}, options, made.profile, left).has_value());
  EXPECT_TRUE(left.empty());
  made.at_rest = meter.at_rest();
  made.runs = meter.seen();
  return made;
}

class ProfileEnergy : public testing::TestWithParam<Board::Kind> {};

// A hwmon file says the power of a moment, so that one point of a few seconds is a sample of some
// dozens; what counts energy, or averages between readings, is as near in each point.
TEST_P(ProfileEnergy, Gross_IsNearTheTruth) {
  const bool moments = GetParam() == Board::Kind::RailsHwmon;
  const double each = moments ? 0.05 : 0.02;
  const double all = moments ? 0.03 : 0.02;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    const Profiled made = profile_with(GetParam(), seed);
    ASSERT_EQ(made.runs.size(), 4U);
    double measured = 0.0;
    double truth = 0.0;
    for (const Witness::Run& run : made.runs) {
      const double watts = static_cast<double>(run.measured.power.count) / 1000;
      EXPECT_NEAR(watts, run.true_watts, each * run.true_watts);
      measured += watts;
      truth += run.true_watts;
    }
    EXPECT_NEAR(measured, truth, all * truth);
    ASSERT_TRUE(made.at_rest.has_value());
    EXPECT_NEAR(static_cast<double>(made.at_rest->value.count) / 1000, kIdleWatts, 0.1);
  }
}

TEST_P(ProfileEnergy, Net_HasTheTruthInItsInterval) {
  int inside = 0;
  int runs = 0;
  double widest = 0.0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    for (const Witness::Run& run : profile_with(GetParam(), seed * 31).runs) {
      const EnergyFigure& net = run.measured.above_rest;
      runs += 1;
      inside += static_cast<double>(net.low.count) <= run.true_above_uj &&
                        run.true_above_uj <= static_cast<double>(net.high.count)
                    ? 1
                    : 0;
      widest = std::max(widest,
                        static_cast<double>(net.high.count - net.value.count) / run.true_above_uj);
    }
  }
  EXPECT_EQ(runs, 120);
  EXPECT_GE(inside * 100, runs * 95) << inside << " of " << runs;
  EXPECT_LT(widest, 0.5);  // an interval that holds anything proves nothing
}

TEST_P(ProfileEnergy, Points_CarryEnergyPowerEvidenceAndScope) {
  const Profiled made = profile_with(GetParam(), 3);
  const ProfiledVariant& variant = made.profile.lanes.at("cpu0").variants.at("small-fp32");
  ASSERT_EQ(variant.points.size(), 2U);
  for (const MeasuredPoint& point : variant.points) {
    ASSERT_TRUE(point.energy.has_value());
    EXPECT_EQ(point.energy->evidence, Evidence::Measured);
    EXPECT_EQ(point.energy->scope,
              GetParam() == Board::Kind::Rapl ? PowerScope::Package : PowerScope::ModuleRail);
    EXPECT_GT(point.power->count, 2000);
  }
}

INSTANTIATE_TEST_SUITE_P(Meters, ProfileEnergy,
                         testing::Values(Board::Kind::Rapl, Board::Kind::RailsHwmon,
                                         Board::Kind::RailsIio),
                         [](const auto& kind) {
                           return kind.param == Board::Kind::Rapl         ? "Rapl"
                                  : kind.param == Board::Kind::RailsHwmon ? "Hwmon"
                                                                          : "Iio";
                         });

}  // namespace
}  // namespace juggler
