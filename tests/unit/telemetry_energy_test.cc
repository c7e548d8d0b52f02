// Energy of a run against the truth: trees of files whose counters move on a virtual clock, read as
// a board's are, with the steps, wraps and rates that these have.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "support/metered_board.h"
#include "telemetry/energy_ledger.h"
#include "telemetry/energy_log.h"

namespace juggler {
namespace {

using test::Board;
using test::kIdleWatts;
using test::Truth;
using test::uniform;

// Reads the meter all along, as its thread would, a little late each time.
EnergyLog record(Board& board, const Truth& truth, Rng& rng,
                 const std::function<void(const EnergySlot&)>& each = {}) {
  board.show(truth, {});
  const std::unique_ptr<PowerMeter> meter = board.meter();
  EnergyLog log(meter->facts());
  for (Time at; at < truth.end();
       at = at + meter->facts().period + Micros{static_cast<std::int64_t>(rng.below(3000))}) {
    board.show(truth, at);
    const Fact<MeterReading> reading = meter->read(at);
    if (!reading.value.has_value()) {
      log.lose();
    } else if (const auto slot = log.add(at, *reading.value); slot.has_value() && each) {
      each(*slot);
    }
  }
  return log;
}

struct MeasuredRun {
  Truth truth;
  Time from;
  Time to;
};

// Idle, batches back to back with pauses of `pause`, idle.
MeasuredRun make_run(Rng& rng, Micros pause) {
  MeasuredRun run;
  run.truth.idle(rng, seconds(15));
  run.from = run.truth.end();
  const double above_idle = uniform(rng, 2.0, 9.0);
  const Micros about{8'000 + static_cast<std::int64_t>(rng.below(60'000))};
  while (run.truth.end() < run.from + seconds(30)) {
    run.truth.run(rng, about, above_idle);
    if (pause > Micros{0}) {
      run.truth.idle(rng, pause);
    }
  }
  run.to = run.truth.end();
  run.truth.idle(rng, seconds(15));
  return run;
}

class EnergyOfARun : public testing::TestWithParam<Board::Kind> {};

TEST_P(EnergyOfARun, Gross_IsWithinTwoPercentOfTheTruth) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const MeasuredRun run = make_run(rng, {});
    Board board(GetParam());
    const EnergyLog log = record(board, run.truth, rng);
    const EnergySpan span = log.between(run.from, run.to);
    const double truth = run.truth.joules(run.from, run.to) * 1e6;
    EXPECT_EQ(span.missing, Micros{0});
    EXPECT_NEAR(span.gross_uj, truth, 0.02 * truth);
    EXPECT_NEAR(span.gross_uj, truth, span.gross_half_uj * 1.5);
  }
}

// Of all runs, with batches back to back and with pauses between them, in at least 95 of 100.
TEST_P(EnergyOfARun, Net_HasTheTruthInItsInterval) {
  int inside = 0;
  int runs = 0;
  double widest = 0.0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed * 7919);
    const MeasuredRun run = make_run(rng, seed % 2 == 0 ? Micros{} : milliseconds(20));
    Board board(GetParam());
    const EnergyLog log = record(board, run.truth, rng);
    const IdlePower idle = log.idle({{Time{500'000}, run.from - milliseconds(500)},
                                     {run.to + milliseconds(500), run.truth.end()}});
    const NetEnergy net = net_of(log.between(run.from, run.to), idle, log.facts());
    const double truth = run.truth.joules(run.from, run.to) * 1e6 -
                         kIdleWatts * static_cast<double>((run.to - run.from).count);
    runs += 1;
    inside += std::abs(net.uj - truth) <= net.half_uj ? 1 : 0;
    widest = std::max(widest, net.half_uj / truth);
  }
  RecordProperty("inside", inside);
  EXPECT_GE(inside * 100, runs * 95) << inside << " of " << runs;
  EXPECT_LT(widest, 0.25);  // an interval that holds anything proves nothing
}

INSTANTIATE_TEST_SUITE_P(Meters, EnergyOfARun,
                         testing::Values(Board::Kind::Rapl, Board::Kind::RailsHwmon,
                                         Board::Kind::RailsIio),
                         [](const auto& kind) {
                           return kind.param == Board::Kind::Rapl         ? "Rapl"
                                  : kind.param == Board::Kind::RailsHwmon ? "Hwmon"
                                                                          : "Iio";
                         });

// Batches shorter than the meter's period, of two classes in turn: each class's own power.
TEST(EnergyOfABatch, ShortOnesInTurn_HaveTheTruthOfTheirClassInTheInterval) {
  int inside = 0;
  int runs = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed * 104'729);
    Truth truth;
    truth.idle(rng, seconds(12));
    struct Batch {
      BatchClass batch;
      Time begin;
      Time end;
    };
    std::vector<Batch> batches;
    const double small_watts = uniform(rng, 1.0, 4.0);
    const double large_watts = uniform(rng, 4.0, 8.0);
    for (int turn = 0; turn < 40; ++turn) {  // runs of one class, as a queue has them
      const bool large = turn % 2 == 1;
      for (int i = 0; i < 40; ++i) {
        const Time begin = truth.end();
        truth.run(rng, large ? milliseconds(30) : milliseconds(12),
                  large ? large_watts : small_watts);
        batches.push_back({{"cpu0", large ? "large" : "small", 1}, begin, truth.end()});
      }
    }
    truth.idle(rng, seconds(2));
    Board board(Board::Kind::RailsHwmon);
    EnergyLedger ledger(board.meter()->facts());
    std::size_t begun = 0;
    std::size_t ended = 0;
    std::vector<EnergyLedger::Ticket> tickets;
    std::optional<EnergyFigure> small;
    std::optional<EnergyFigure> large;
    Micros small_time{};
    Micros large_time{};
    record(board, truth, rng, [&](const EnergySlot& slot) {  // what happened until its end
      for (; begun < batches.size() && batches[begun].begin < slot.to; ++begun) {
        tickets.push_back(ledger.begin(batches[begun].batch, batches[begun].begin));
      }
      for (; ended < begun && batches[ended].end <= slot.to; ++ended) {
        const Batch& batch = batches[ended];
        ledger.end(tickets[ended], batch.end);
        const bool is_large = batch.batch.variant == "large";
        (is_large ? large : small) = ledger.figure(tickets[ended]);
        (is_large ? large_time : small_time) = batch.end - batch.begin;
      }
      ledger.add(slot);
    });
    for (const auto& [figure, time, watts] :
         {std::tuple(small, small_time, small_watts), std::tuple(large, large_time, large_watts)}) {
      ASSERT_TRUE(figure.has_value());
      EXPECT_EQ(figure->evidence, Evidence::Measured);
      EXPECT_EQ(figure->scope, PowerScope::ModuleRail);
      const double expected = watts * static_cast<double>(time.count);
      runs += 1;
      inside += static_cast<double>(figure->low.count) <= expected &&
                        expected <= static_cast<double>(figure->high.count)
                    ? 1
                    : 0;
      EXPECT_NEAR(static_cast<double>(figure->value.count), expected, 0.25 * expected) << seed;
    }
  }
  EXPECT_GE(inside * 100, runs * 95) << inside << " of " << runs;
}

EnergySlot slot_of(Time from, Micros time, double watts) {
  return {from, from + time, {std::llround(watts * static_cast<double>(time.count))}};
}

// A ledger that has seen idling at two watts until `now`.
struct Ledger {
  explicit Ledger(MeterFacts facts) : ledger(std::move(facts)) {
    for (; now < Time{10'000'000}; now = now + milliseconds(100)) {
      ledger.add(slot_of(now, milliseconds(100), 2.0));
    }
  }
  void pass(Micros time, double watts) {
    for (const Time until = now + time; now < until; now = now + milliseconds(100)) {
      ledger.add(slot_of(now, milliseconds(100), watts));
    }
  }
  EnergyLedger ledger;
  Time now;
};

MeterFacts plain_facts() {
  MeterFacts facts;
  facts.name = "test";
  facts.scope = PowerScope::ModuleRail;
  facts.period = milliseconds(100);
  facts.window = milliseconds(10);
  return facts;
}

TEST(EnergyLedgerTest, BatchesThatOverlap_ShareByWhatTheyTakeAlone) {
  Ledger at(plain_facts());
  const BatchClass cpu{"cpu0", "a", 1};
  const BatchClass gpu{"gpu0", "b", 1};
  auto ticket = at.ledger.begin(cpu, at.now);
  at.pass(seconds(5), 4.0);  // 2 W above idle
  at.ledger.end(ticket, at.now);
  ticket = at.ledger.begin(gpu, at.now);
  at.pass(seconds(5), 8.0);  // 6 W
  at.ledger.end(ticket, at.now);
  const auto both_cpu = at.ledger.begin(cpu, at.now);
  const auto both_gpu = at.ledger.begin(gpu, at.now);
  at.pass(seconds(5), 10.0);  // 8 W above idle: 2 and 6
  at.ledger.end(both_cpu, at.now);
  at.ledger.end(both_gpu, at.now);
  EXPECT_NEAR(static_cast<double>(at.ledger.figure(both_cpu)->value.count), 10e6, 1e5);
  EXPECT_NEAR(static_cast<double>(at.ledger.figure(both_gpu)->value.count), 30e6, 1e5);
}

TEST(EnergyLedgerTest, BatchesThatOverlapFromTheStart_ShareByTimeAndLoseNothing) {
  Ledger at(plain_facts());
  const auto one = at.ledger.begin({"cpu0", "a", 1}, at.now);
  const auto two = at.ledger.begin({"gpu0", "b", 1}, at.now);
  at.pass(seconds(5), 10.0);
  at.ledger.end(one, at.now);
  at.ledger.end(two, at.now);
  const std::int64_t sum = (at.ledger.figure(one)->value + at.ledger.figure(two)->value).count;
  EXPECT_NEAR(static_cast<double>(sum), 40e6, 1e5);
}

TEST(EnergyLedgerTest, BeforeItHasSeenEnough_ThereIsNoFigure) {
  EnergyLedger fresh(plain_facts());
  const auto early = fresh.begin({"cpu0", "a", 1}, {});
  fresh.end(early, Time{1000});
  EXPECT_FALSE(fresh.figure(early).has_value());
  EXPECT_FALSE(fresh.idle().has_value());
  Ledger at(plain_facts());
  const auto first = at.ledger.begin({"cpu0", "a", 1}, at.now);
  at.pass(milliseconds(500), 4.0);
  at.ledger.end(first, at.now);
  EXPECT_FALSE(at.ledger.figure(first).has_value());
}

TEST(EnergyLogTest, AGapOrAClockThatJumps_IsMissingAndNotFilled) {
  EnergyLog log(plain_facts());
  Time at;
  for (int i = 0; i <= 20; ++i, at = at + milliseconds(100)) {
    log.add(at, {.energy = {}, .power = {4000}});
  }
  const Time jumped = at + seconds(3600);  // the machine slept
  for (int i = 0; i <= 20; ++i) {
    log.add(jumped + milliseconds(100) * i, {.energy = {}, .power = {4000}});
  }
  const EnergySpan span = log.between(Time{0}, jumped + seconds(2));
  EXPECT_EQ(span.time, seconds(4));
  EXPECT_EQ(span.missing, jumped + seconds(2) - Time{0} - seconds(4));
  EXPECT_NEAR(span.gross_uj, 16e6, 1.0);
}

TEST(EnergyLogTest, AMeterThatVanishes_LeavesAGap) {
  EnergyLog log(plain_facts());
  log.add(Time{0}, {.energy = {}, .power = {1000}});
  log.add(Time{100'000}, {.energy = {}, .power = {1000}});
  log.lose();
  log.add(Time{200'000}, {.energy = {}, .power = {1000}});
  log.add(Time{300'000}, {.energy = {}, .power = {1000}});
  const EnergySpan span = log.between(Time{0}, Time{300'000});
  EXPECT_EQ(span.time, milliseconds(200));
  EXPECT_EQ(span.missing, milliseconds(100));
}

}  // namespace
}  // namespace juggler
