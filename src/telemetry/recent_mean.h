#pragma once
// The mean of the last values and how well it is known.

#include <cmath>
#include <cstddef>
#include <deque>

namespace juggler {

// The half width of a 95 % interval, in standard errors, for a mean of `count` values: Student's t
// to within 3 % from three values on.
inline double t_95(std::size_t count) {
  const double free = static_cast<double>(count > 1 ? count - 1 : 1);
  return 1.96 + 2.4 / free + 5.0 / (free * free);
}

class RecentMean {
 public:
  explicit RecentMean(std::size_t values_max) : values_max_(values_max) {}

  void add(double value) {
    values_.push_back(value);
    if (values_.size() > values_max_) {
      values_.pop_front();
    }
  }
  void clear() { values_.clear(); }
  std::size_t count() const { return values_.size(); }
  double mean() const { return mean(0, values_.size()); }

  // Half of the 95 % interval: from the scatter, and from a drift between the older half of the
  // values and the newer, which scatter alone does not show. Infinite for fewer than three.
  double half_width() const {
    if (values_.size() < 3) {
      return HUGE_VAL;
    }
    const double middle = mean();
    double squares = 0.0;
    for (const double value : values_) {
      squares += (value - middle) * (value - middle);
    }
    const auto n = static_cast<double>(values_.size());
    const double scatter = t_95(values_.size()) * std::sqrt(squares / (n - 1) / n);
    const std::size_t half = values_.size() / 2;
    const double drift = std::abs(mean(half, values_.size()) - mean(0, half)) / 2;
    return std::hypot(scatter, drift);
  }

 private:
  double mean(std::size_t from, std::size_t to) const {
    double sum = 0.0;
    for (std::size_t i = from; i < to; ++i) {
      sum += values_[i];
    }
    return to > from ? sum / static_cast<double>(to - from) : 0.0;
  }

  std::size_t values_max_;
  std::deque<double> values_;
};

}  // namespace juggler
