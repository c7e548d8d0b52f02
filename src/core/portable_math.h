#pragma once
// Natural logarithm and exponential by + - * / alone: std::log and std::exp differ between
// libraries in their last bit, and a seed is to mean the same run on every compiler and machine.
// Right to 1e-14.

namespace juggler {

// requires  0 < x, finite
double portable_ln(double x);
// 0 below -700, as if infinitely small; requires x <= 700
double portable_exp(double x);

}  // namespace juggler
