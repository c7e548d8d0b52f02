#pragma once
// Shadow prices: what a unit of a processor's time is worth to the tasks that could not have it.
//
// Every decision teaches: a processor that would have been cheaper than the one chosen, had it not
// been too busy, was worth the difference; one that was cheap enough and had room was worth
// nothing. The running mean of that, per unit of time, is the price. It is the dual price of the
// processor's time in the fluid programme, found by stochastic approximation: at the right price,
// just as many tasks turn away as do not fit. Where tasks are turned away altogether, it rises
// until the time that a task takes decides, and throughput is what is maximised.

#include <cstdint>
#include <span>

#include "core/candidates.h"

namespace juggler {

// What it costs that a task cannot be served at all: more than any task's energy.
inline constexpr std::int64_t kUnservedUj = 5'000'000;

// Moves the prices of the fleet's processors after a decision among these candidates.
void learn_prices(std::span<const Candidate> candidates, const Candidate* chosen, Fleet& fleet);

// A price falls with time where nothing confirms it. Called every half second.
void fade_prices(Fleet& fleet);

}  // namespace juggler
