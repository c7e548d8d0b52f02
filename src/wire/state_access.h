#pragma once
// The fields of the types that hide theirs, for checkpoints of a controller. Each is named in full,
// so that a new one does not compile until it stands here. Inside src/wire only.
//
// A visitor is called as visit(KEY, FIELD), and as visit.table(KEY, ROWS, EACH) for many numbers;
// one reads and one writes (wire/state_visit.h).

#include <concepts>
#include <type_traits>

#include "core/breaker.h"
#include "core/hedge_budget.h"
#include "core/link.h"
#include "core/moving_mean.h"
#include "core/prices.h"
#include "core/rng.h"

namespace juggler {

// To be read or written.
template <class T, class Plain>
concept Of = std::same_as<std::remove_const_t<T>, Plain>;

struct StateAccess {
  template <class Visit>
  static void each_field(Of<Breaker> auto& breaker, const Visit& visit) {
    auto& [state, failures, failed_at, pause, until] = breaker;
    visit("state", state);
    visit("failures", failures);
    visit("failed_at_us", failed_at);
    visit("pause_us", pause);
    visit("until_us", until);
  }

  template <class Visit>
  static void each_field(Of<HedgeBudget> auto& budget, const Visit& visit) {
    auto& [credit] = budget;
    visit("credit", credit);
  }

  template <class Visit>
  static void each_field(Of<MovingMean> auto& moving, const Visit& visit) {
    auto& [mean, deviation, samples] = moving;
    visit("mean", mean);
    visit("deviation", deviation);
    visit("samples", samples);
  }

  template <class Visit>
  static void each_field(Of<ArrivalRate> auto& rate, const Visit& visit) {
    auto& [last_us, gap_us, count] = rate;
    visit("last_us", last_us);
    visit("gap_us", gap_us);
    visit("count", count);
  }

  template <class Visit>
  static void each_field(Of<ShadowPrice> auto& price, const Visit& visit) {
    auto& [power_mw, asks, debt, at] = price;
    visit("power_mw", power_mw);
    visit("asks_us", asks);
    visit("debt_us", debt);
    visit("at_us", at);
  }

  template <class Visit>
  static void each_field(Of<Rng> auto& rng, const Visit& visit) {
    auto& [state] = rng;
    visit.table("state", state, [](auto& word, const auto& number) { number(word); });
  }

  template <class Visit>
  static void each_field(Of<LinkLearning> auto& link, const Visit& visit) {
    auto& [speeds, chosen, results, confirmed, believed] = link;
    visit.table("speeds", speeds, [](auto& speed, const auto& number) {
      auto& [free_at, mean_ns, variance_us2, least_ns, fast_us, misses_us] = speed;
      number(free_at.us);
      number(mean_ns);
      number(variance_us2);
      number(least_ns);
      number(fast_us);
      number(misses_us);
    });
    visit.index("chosen", chosen, kLinkSpeeds);
    visit("results", results);
    visit("confirmed_us", confirmed);
    visit("believed", believed);
  }
};

}  // namespace juggler
