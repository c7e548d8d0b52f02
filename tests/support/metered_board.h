#pragma once
// Machines whose power is known: what they really take, piece by piece, and trees of files that say
// so as a board's do, with the steps, wraps and rates that these have.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "support/host_tree.h"
#include "telemetry/board_meters.h"
#include "telemetry/rapl_meter.h"

namespace juggler::test {

inline constexpr double kIdleWatts = 2.1;

inline double uniform(Rng& rng, double low, double high) {
  return low + (high - low) * static_cast<double>(rng.below(1U << 20U)) / (1U << 20U);
}

// What a machine really takes, piece by piece.
class Truth {
 public:
  // Something takes `watts` for so long.
  void add(Micros time, double watts) {
    pieces_.push_back({end_, joules_, watts});
    joules_ += watts * static_cast<double>(time.count) / 1e6;
    end_ = end_ + time;
  }
  void idle(Rng& rng, Micros time) {
    for (const Time until = end_ + time; end_ < until;) {
      add(milliseconds(20), kIdleWatts + uniform(rng, -0.2, 0.2));
    }
  }
  // One batch, after which there is a short pause as long as the next is fetched.
  Micros run(Rng& rng, Micros about, double above_idle) {
    const Micros time{about.count * (900 + static_cast<std::int64_t>(rng.below(200))) / 1000};
    add(time, kIdleWatts + above_idle * uniform(rng, 0.9, 1.1));
    return time;
  }

  Time end() const { return end_; }
  double watts_at(Time at) const { return piece(at).watts; }
  double joules_at(Time at) const {
    const Piece& found = piece(at);
    return found.joules + found.watts * static_cast<double>((at - found.from).count) / 1e6;
  }
  double joules(Time from, Time to) const { return joules_at(to) - joules_at(from); }

 private:
  struct Piece {
    Time from;
    double joules;
    double watts;
  };
  const Piece& piece(Time at) const {
    auto next = std::upper_bound(pieces_.begin(), pieces_.end(), at,
                                 [](Time t, const Piece& p) { return t < p.from; });
    return next == pieces_.begin() ? *next : *(next - 1);
  }

  std::vector<Piece> pieces_;
  Time end_;
  double joules_ = 0.0;
};

// A board whose files say what the truth is at a time.
class Board {
 public:
  enum class Kind { Rapl, RailsHwmon, RailsIio };

  explicit Board(Kind kind)
      : kind_(kind),
        tree_(HostTree::fixture(kind == Kind::Rapl         ? "x86-rapl"
                                : kind == Kind::RailsHwmon ? "orin-nano-jp6"
                                                           : "jetson-nano-jp4")) {
    if (kind == Kind::Rapl) {
      tree_.remove("sys/class/powercap/intel-rapl:0:1");  // dram
      tree_.set("sys/class/powercap/intel-rapl:0/max_energy_range_uj", std::to_string(kRange));
    }
  }

  std::unique_ptr<PowerMeter> meter() {
    auto opened = kind_ == Kind::Rapl ? open_rapl_meter(tree_) : open_rail_meter(tree_);
    return opened.value.has_value() ? std::move(*opened.value) : nullptr;
  }

  void show(const Truth& truth, Time at) {
    if (kind_ == Kind::Rapl) {  // renewed each millisecond, and it wraps every few seconds
      const Time renewed{at.us / 1000 * 1000};
      const auto uj = static_cast<std::int64_t>(truth.joules_at(renewed) * 1e6);
      tree_.set("sys/class/powercap/intel-rapl:0/energy_uj", std::to_string(uj % kRange) + "\n");
      return;
    }
    // 8 mV and 8 mA steps.
    const double watts = truth.watts_at(at);
    const std::int64_t amps = std::llround(watts / 5.04 / 0.008) * 8;
    if (kind_ == Kind::RailsIio) {
      tree_.set("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/ui_input_0",
                "5040 " + std::to_string(amps) + "\n");
    } else {
      tree_.set("sys/class/hwmon/hwmon1/in1_input", "5040\n");
      tree_.set("sys/class/hwmon/hwmon1/curr1_input", std::to_string(amps) + "\n");
    }
  }

  HostTree& tree() { return tree_; }

 private:
  static constexpr std::int64_t kRange = 100'000'000;  // 100 J
  Kind kind_;
  HostTree tree_;
};

}  // namespace juggler::test
