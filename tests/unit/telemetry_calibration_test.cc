// Power fitted to load: levels are made, the meter is read meanwhile, a line is fitted or refused.

#include <gtest/gtest.h>

#include <cmath>

#include "support/host_tree.h"
#include "support/temp_folder.h"
#include "telemetry/load_calibration.h"

namespace juggler {
namespace {

using test::HostTree;

// Four cores on a clock of their own: proc/stat counts what is kept busy, and a meter whose power
// follows it, as power or as a counter.
class Machine {
 public:
  explicit Machine(bool counter = false) : meter_(*this, counter) { show(); }

  LoadCalibrationPorts ports() {
    return {.meter = meter_,
            .host = tree_,
            .load = [this](double cores) { cores_ = cores, loads_.push_back(cores); },
            .now = [this] { return now_; },
            .wait =
                [this](Micros wait) {
                  pass(wait);
                  return now_ < stop_at;
                },
            .progress =
                [this](std::size_t level, std::size_t levels, double share) {
                  told_.push_back({level, levels, share});
                }};
  }
  const std::vector<double>& loads() const { return loads_; }
  std::size_t told() const { return told_.size(); }

  double rest_watts = 2.0;
  double load_watts = 6.0;    // more with all cores busy
  double ripple_watts = 0.0;  // on top, whatever the load
  Time silent_from = Time::never();
  Time stop_at = Time::never();

 private:
  class Meter final : public PowerMeter {
   public:
    Meter(Machine& machine, bool counter) : machine_(machine) {
      facts_.name = "test meter";
      facts_.scope = PowerScope::Wall;
      facts_.counter = counter;
      facts_.period = milliseconds(100);
    }
    const MeterFacts& facts() const override { return facts_; }
    Fact<MeterReading> read(Time now) override {
      if (now >= machine_.silent_from) {
        return Fact<MeterReading>::absent(Absence::Failed, "test/meter");
      }
      return Fact<MeterReading>::of({.energy = {std::llround(machine_.joules_ * 1e6)},
                                     .power = {std::llround(machine_.watts() * 1000)}},
                                    "test/meter");
    }

   private:
    Machine& machine_;
    MeterFacts facts_;
  };

  double watts() const {
    const double swing = std::sin(static_cast<double>(now_.us) * 1e-6 * 2.1);
    return rest_watts + load_watts * cores_ / 4 + ripple_watts * swing;
  }
  void pass(Micros time) {
    const double s = static_cast<double>(time.count) * 1e-6;
    joules_ += watts() * s;
    busy_ += cores_ * s * 100;
    idle_ += (4 - cores_) * s * 100;
    now_ = now_ + time;
    show();
  }
  void show() {
    tree_.set("proc/stat", "cpu  " + std::to_string(std::llround(busy_)) + " 0 0 " +
                               std::to_string(std::llround(idle_)) + " 0 0 0 0\n");
  }

  struct Told {
    std::size_t level;
    std::size_t levels;
    double share;
  };
  HostTree tree_;
  Meter meter_;
  Time now_{1'000'000};
  double cores_ = 0.0;
  double joules_ = 0.0;
  double busy_ = 0.0;
  double idle_ = 0.0;
  std::vector<double> loads_;
  std::vector<Told> told_;
};

LoadCalibrationPlan plan() {
  LoadCalibrationPlan made;
  made.levels = load_levels(4);
  return made;
}

TEST(LoadLevels, GoFromNothingToAllCores_InNineStepsAtMost) {
  EXPECT_EQ(load_levels(4), (std::vector<double>{0, 1, 2, 3, 4}));
  EXPECT_EQ(load_levels(1), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(load_levels(2), (std::vector<double>{0, 0.5, 1, 1.5, 2}));
  EXPECT_EQ(load_levels(12).size(), 9U);
  EXPECT_EQ(load_levels(12).back(), 12.0);
}

TEST(LoadCalibration, PowerThatFollowsLoad_GivesItsLineAndLeavesNoLoad) {
  for (const bool counter : {false, true}) {
    Machine machine(counter);
    machine.ripple_watts = 0.2;
    const auto levels = measure_load_levels(plan(), machine.ports());
    ASSERT_TRUE(levels.has_value()) << levels.error().message;
    ASSERT_EQ(levels->size(), 5U);
    EXPECT_GE(levels->front().points.size(), 25U) << "30 s in windows of a second";
    EXPECT_NEAR(levels->at(2).mean().load, 0.5, 0.01);
    EXPECT_NEAR(levels->at(2).mean().watts, 5.0, 0.1);
    EXPECT_EQ(machine.loads(), (std::vector<double>{0, 1, 2, 3, 4, 0}));
    EXPECT_GT(machine.told(), 100U);
    const auto model = fit_load_levels(*levels, PowerScope::Wall, "test");
    ASSERT_TRUE(model.has_value()) << model.error().message;
    EXPECT_NEAR(static_cast<double>(model->at_rest.count), 2'000, 60);
    EXPECT_NEAR(static_cast<double>(model->per_load.count), 6'000, 60);
    EXPECT_GT(model->rmse.count, 20) << "the ripple is in it";
    EXPECT_EQ(model->scope, PowerScope::Wall);
  }
}

TEST(LoadCalibration, PowerThatDoesNotFollowLoad_IsRefused) {
  Machine machine;
  machine.load_watts = 0.3;
  machine.ripple_watts = 2.0;
  const auto levels = measure_load_levels(plan(), machine.ports());
  ASSERT_TRUE(levels.has_value());
  const auto model = fit_load_levels(*levels, PowerScope::Wall, "test");
  ASSERT_FALSE(model.has_value());
  EXPECT_NE(model.error().message.find("R2"), std::string::npos);
}

TEST(LoadCalibration, MeterThatGoesAway_IsNamedWithItsReason_AndNoLoadIsLeft) {
  Machine machine;
  machine.silent_from = Time{seconds(60).count};
  const auto levels = measure_load_levels(plan(), machine.ports());
  ASSERT_FALSE(levels.has_value());
  EXPECT_NE(levels.error().message.find("test meter has not answered for 15 s"), std::string::npos)
      << levels.error().message;
  EXPECT_NE(levels.error().message.find("test/meter"), std::string::npos);
  EXPECT_EQ(machine.loads().back(), 0.0);
}

TEST(LoadCalibration, Stopped_EndsAtOnceWithoutLoad) {
  Machine machine;
  machine.stop_at = Time{seconds(50).count};
  const auto levels = measure_load_levels(plan(), machine.ports());
  ASSERT_FALSE(levels.has_value());
  EXPECT_EQ(levels.error().message, "stopped");
  EXPECT_EQ(machine.loads().back(), 0.0);
  EXPECT_LT(machine.loads().size(), 5U);
}

TEST(LoadModelFile, WhatIsSaved_IsReadAgain) {
  const test::TempFolder folder;
  const LoadModel model{{2'286}, {4'534}, {300}, PowerScope::BoardInput, "a \"fit\" of a test"};
  const auto file = folder.path() / "new/model.toml";
  ASSERT_TRUE(save_load_model(model, file).has_value());
  const auto read = load_model(file);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, model);
  EXPECT_FALSE(save_load_model(model, "/dev/null/x.toml").has_value());
}

}  // namespace
}  // namespace juggler
