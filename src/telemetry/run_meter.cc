#include "telemetry/run_meter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace juggler {
namespace {

// So many readings of the meter at least, so that the two that the ends of the runs cut weigh
// little; and a second half for meters that are fast.
constexpr std::int64_t kReadingsMin = 20;
constexpr Micros kRunsMin = seconds(2);
// After a run, and before the next: clocks and regulators come to rest.
constexpr Micros kSettle = milliseconds(300);
constexpr std::size_t kRestBlocksMin = 3;

class LoggedRuns final : public RunMeter {
 public:
  explicit LoggedRuns(EnergySource source) : source_(std::move(source)) {}

  const std::string& name() const override { return source_.facts.name; }
  PowerScope scope() const override { return source_.facts.scope; }
  Evidence evidence() const override { return source_.facts.evidence; }
  Micros time_min() const override {
    return std::max(kRunsMin, source_.facts.period * kReadingsMin + source_.facts.window * 2);
  }

  void rest(Micros time) override {
    source_.wait(kSettle);
    const Time from = source_.now();
    source_.wait(time);
    rests_.emplace_back(from, source_.now());
    catch_up();
  }

  void begin() override { from_ = source_.now(); }

  std::optional<RunEnergy> end(std::int64_t runs) override {
    const Time to = source_.now();
    catch_up();
    const EnergySpan span = source_.between(from_, to);
    const IdlePower idle = source_.idle(rests_);
    if (runs < 1 || span.slots < 3 || span.time < span.missing || idle.blocks < kRestBlocksMin) {
      return std::nullopt;
    }
    // What was missed is taken to have been as the rest was.
    const double whole = static_cast<double>((to - from_).count) /
                         static_cast<double>(span.time.count) / static_cast<double>(runs);
    const NetEnergy net = net_of(span, idle, source_.facts);
    const auto energy = [&](double uj) {
      return Microjoules{std::max<std::int64_t>(std::llround(uj * whole), 0)};
    };
    RunEnergy found;
    found.above_rest = {energy(net.uj), energy(net.uj - net.half_uj), energy(net.uj + net.half_uj),
                        source_.facts.evidence, source_.facts.scope};
    found.power = {std::llround(span.gross_uj / static_cast<double>(span.time.count) * 1000)};
    return found;
  }

  std::optional<RestPower> at_rest() const override {
    const IdlePower idle = source_.idle(rests_);
    if (idle.blocks < kRestBlocksMin) {
      return std::nullopt;
    }
    const auto power = [](double watts) {
      return Milliwatts{std::max<std::int64_t>(std::llround(watts * 1000), 0)};
    };
    // The meter's step may be a constant offset.
    const double half = idle.half_watts + static_cast<double>(source_.facts.step.count) / 1000;
    return RestPower{power(idle.watts), power(idle.watts - half), power(idle.watts + half)};
  }

 private:
  // A reading stands for the time before it.
  void catch_up() { source_.wait(source_.facts.period * 2 + source_.facts.window); }

  EnergySource source_;
  std::vector<std::pair<Time, Time>> rests_;
  Time from_;
};

}  // namespace

std::unique_ptr<RunMeter> make_run_meter(EnergySource source) {
  return std::make_unique<LoggedRuns>(std::move(source));
}

EnergySource source_of(const EnergyMeter& meter, Clock& clock) {
  EnergySource source;
  source.facts = meter.facts();
  source.now = [&clock] { return clock.now(); };
  source.wait = [](Micros time) {
    std::this_thread::sleep_for(std::chrono::microseconds(time.count));
  };
  source.between = [&meter](Time from, Time to) { return meter.between(from, to); };
  source.idle = [&meter](const std::vector<std::pair<Time, Time>>& spans) {
    return meter.idle(spans);
  };
  return source;
}

}  // namespace juggler
