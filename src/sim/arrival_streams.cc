#include "sim/arrival_streams.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/check.h"
#include "sim/arrival_trace.h"
#include "sim/samplers.h"

namespace juggler {
namespace {

constexpr double kSecond = 1e6;  // in microseconds

double length_of(const ArrivalProcess& arrivals) {
  return static_cast<double>((arrivals.until - arrivals.from).count);
}

class ConstantStream final : public ArrivalStream {
 public:
  ConstantStream(int cameras, double rate_hz, Rng rng) : period_(cameras * kSecond / rate_hz) {
    for (int i = 0; i < cameras; ++i) {
      phases_.push_back(draw_uniform(rng) * period_);
    }
    std::sort(phases_.begin(), phases_.end());
  }

  std::optional<double> next_us() override {
    const double at = static_cast<double>(frame_) * period_ + phases_[camera_];
    camera_ += 1;
    if (camera_ == phases_.size()) {
      camera_ = 0;
      frame_ += 1;
    }
    return at;
  }

 private:
  double period_;
  std::vector<double> phases_;
  std::uint64_t frame_ = 0;
  std::size_t camera_ = 0;
};

class PoissonStream final : public ArrivalStream {
 public:
  PoissonStream(double rate_hz, Rng rng) : mean_us_(kSecond / rate_hz), rng_(rng) {}

  std::optional<double> next_us() override { return at_us_ += draw_exponential(rng_) * mean_us_; }

 private:
  double mean_us_;
  double at_us_ = 0.0;
  Rng rng_;
};

// In equilibrium from the start: the first gap is a uniform part of a gap chosen by its length.
// Begun with an arrival instead, a CV of 13 would add 84 arrivals to the first seconds of any run.
class GammaStream final : public ArrivalStream {
 public:
  GammaStream(double cv, double rate_hz, Rng rng)
      : shape_(1.0 / (cv * cv)), scale_us_(cv * cv * kSecond / rate_hz), rng_(rng) {}

  std::optional<double> next_us() override {
    if (first_) {
      first_ = false;
      const double part = draw_uniform(rng_);
      return at_us_ = part * draw_gamma(rng_, shape_ + 1.0) * scale_us_;
    }
    return at_us_ += draw_gamma(rng_, shape_) * scale_us_;
  }

 private:
  double shape_;
  double scale_us_;
  double at_us_ = 0.0;
  bool first_ = true;
  Rng rng_;
};

class OnOffStream final : public ArrivalStream {
 public:
  OnOffStream(const OnOffArrivals& shape, double rate_hz, double length_us, Rng gaps, Rng dwells)
      : rate_hz_{std::max(0.0, low_rate_of(shape)) * rate_hz, shape.burst_factor * rate_hz},
        dwell_us_{static_cast<double>(shape.low_mean.count),
                  static_cast<double>(shape.high_mean.count)},
        length_us_(length_us),
        gaps_(gaps),
        dwells_(dwells) {
    high_ = draw_uniform(dwells_) * (dwell_us_[0] + dwell_us_[1]) < dwell_us_[1] ? 1U : 0U;
    change_us_ = draw_exponential(dwells_) * dwell_us_[high_];
  }

  std::optional<double> next_us() override {
    double work = draw_exponential(gaps_);  // in expected arrivals: one is left until the next
    while (at_us_ < length_us_) {
      const double left = (change_us_ - at_us_) / kSecond * rate_hz_[high_];
      if (work < left) {
        at_us_ += work / rate_hz_[high_] * kSecond;
        return at_us_;
      }
      work -= left;
      at_us_ = change_us_;
      high_ = 1U - high_;
      change_us_ += draw_exponential(dwells_) * dwell_us_[high_];
    }
    return std::nullopt;
  }

 private:
  double rate_hz_[2];   // low, high
  double dwell_us_[2];  // low, high
  double length_us_;    // a slow stream must not change states for ever behind its end
  double at_us_ = 0.0;
  double change_us_ = 0.0;
  std::size_t high_ = 0;
  Rng gaps_;
  Rng dwells_;
};

// By thinning the peak rate. The sine's last bit may differ between math libraries: it decides
// whether an arrival is kept once in 10^16.
class DiurnalStream final : public ArrivalStream {
 public:
  DiurnalStream(const DiurnalArrivals& shape, double rate_hz, Rng gaps, Rng kept)
      : shape_(shape),
        mean_us_(kSecond / (rate_hz * (1.0 + shape.amplitude))),
        gaps_(gaps),
        kept_(kept) {}

  std::optional<double> next_us() override {
    const auto period = static_cast<double>(shape_.period.count);
    for (;;) {
      at_us_ += draw_exponential(gaps_) * mean_us_;
      const double turn = std::fmod(at_us_ + static_cast<double>(shape_.phase.count), period);
      const double rate = 1.0 + shape_.amplitude * std::sin(2.0 * std::numbers::pi * turn / period);
      if (draw_uniform(kept_) * (1.0 + shape_.amplitude) < rate) {
        return at_us_;
      }
    }
  }

 private:
  DiurnalArrivals shape_;
  double mean_us_;  // of the gaps at the peak rate
  double at_us_ = 0.0;
  Rng gaps_;
  Rng kept_;
};

// The ordinary arrivals with the crowd's beside them: without the crowd they are the same.
class FlashCrowdStream final : public ArrivalStream {
 public:
  FlashCrowdStream(const FlashCrowdArrivals& shape, double rate_hz, Rng ordinary, Rng crowd)
      : ordinary_(rate_hz, ordinary),
        mean_us_(kSecond / (rate_hz * (shape.factor - 1.0))),
        end_us_(static_cast<double>((shape.at + shape.lasts).count)),
        crowd_(crowd),
        crowd_us_(static_cast<double>(shape.at.count)),
        ordinary_us_(*ordinary_.next_us()) {
    advance_crowd();
  }

  std::optional<double> next_us() override {
    if (crowd_us_ < std::min(ordinary_us_, end_us_)) {
      const double at = crowd_us_;
      advance_crowd();
      return at;
    }
    return std::exchange(ordinary_us_, *ordinary_.next_us());
  }

 private:
  void advance_crowd() { crowd_us_ += draw_exponential(crowd_) * mean_us_; }

  PoissonStream ordinary_;
  double mean_us_;  // of the crowd's gaps
  double end_us_;
  Rng crowd_;
  double crowd_us_;
  double ordinary_us_;
};

// A unit Poisson process through the inverse of the expected count b t + (e - b) t^2 / (2 T).
class RampStream final : public ArrivalStream {
 public:
  RampStream(double begin_hz, double end_hz, double length_us, Rng rng)
      : begin_(begin_hz / kSecond),
        slope_((end_hz - begin_hz) / kSecond / length_us),
        length_us_(length_us),
        rng_(rng) {}

  std::optional<double> next_us() override {
    count_ += draw_exponential(rng_);
    const double under_root = begin_ * begin_ + 2.0 * slope_ * count_;
    if (under_root < 0.0) {
      return std::nullopt;  // more than a falling ramp ever sends
    }
    // The form of the quadratic's root that also holds for a slope of 0.
    const double at = 2.0 * count_ / (begin_ + std::sqrt(under_root));
    return at < length_us_ ? std::optional(at) : std::nullopt;
  }

 private:
  double begin_;  // per microsecond
  double slope_;
  double length_us_;
  double count_ = 0.0;  // expected until the last arrival
  Rng rng_;
};

struct Maker {
  const ArrivalProcess& arrivals;
  const StreamSeed& seed;

  using Made = Result<std::unique_ptr<ArrivalStream>>;
  Rng rng(std::string_view dimension) const {
    return stream_rng(seed.seed, {"arrivals", seed.name, dimension});
  }
  double hz() const { return arrivals.rate.hz; }

  Made operator()(const PoissonArrivals&) const {
    return std::make_unique<PoissonStream>(hz(), rng("gaps"));
  }
  Made operator()(const ConstantArrivals& shape) const {
    return std::make_unique<ConstantStream>(shape.cameras, hz(), rng("phases"));
  }
  Made operator()(const GammaArrivals& shape) const {
    return std::make_unique<GammaStream>(shape.cv, hz(), rng("gaps"));
  }
  Made operator()(const OnOffArrivals& shape) const {
    return std::make_unique<OnOffStream>(shape, hz(), length_of(arrivals), rng("gaps"),
                                         rng("dwells"));
  }
  Made operator()(const DiurnalArrivals& shape) const {
    return std::make_unique<DiurnalStream>(shape, hz(), rng("gaps"), rng("kept"));
  }
  Made operator()(const FlashCrowdArrivals& shape) const {
    return std::make_unique<FlashCrowdStream>(shape, hz(), rng("gaps"), rng("crowd"));
  }
  Made operator()(const RampArrivals& shape) const {
    return std::make_unique<RampStream>(hz(), shape.end.hz, length_of(arrivals), rng("gaps"));
  }
  Made operator()(const TraceArrivals& shape) const {
    return open_trace_stream(shape, hz(), rng("minutes"));
  }
};

}  // namespace

double low_rate_of(const OnOffArrivals& shape) {
  const auto high = static_cast<double>(shape.high_mean.count);
  const auto low = static_cast<double>(shape.low_mean.count);
  return 1.0 + (1.0 - shape.burst_factor) * high / low;
}

Result<std::unique_ptr<ArrivalStream>> make_arrival_stream(const ArrivalProcess& arrivals,
                                                           const StreamSeed& seed) {
  const bool is_trace = std::holds_alternative<TraceArrivals>(arrivals.shape);
  JUGGLER_CHECK(arrivals.rate.hz > 0.0 || is_trace, "arrivals without a rate");
  return std::visit(Maker{arrivals, seed}, arrivals.shape);
}

}  // namespace juggler
