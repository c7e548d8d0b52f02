#pragma once
// Arrival times from files: one time per line, or the CSV forms of the public Azure traces. No
// trace comes with Juggler; their statistics do, as generators (docs/scenarios.md).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "sim/arrival_streams.h"
#include "sim/scenario.h"

namespace juggler {

inline constexpr std::size_t kTraceBytesMax = std::size_t{1} << 30U;
inline constexpr std::size_t kTraceLineMax = std::size_t{64} << 10U;
inline constexpr std::size_t kTraceArrivalsMax = 20'000'000;
inline constexpr std::size_t kTraceMinutesMax = 1440;

// What was read: times, or counts per minute whose times are drawn within the minute.
struct Trace {
  std::vector<std::int64_t> times_us;  // ascending, from the trace's start
  std::vector<std::uint64_t> minute_counts;
  std::uint64_t count = 0;  // arrivals
  double length_us = 0.0;   // of the trace: to the last arrival, or all its minutes

  // In the trace's own time.
  double mean_hz() const { return static_cast<double>(count) / length_us * 1e6; }
};

// errors  file, line and reason; a trace without arrivals is one
Result<Trace> load_trace(const std::string& file, TraceForm form);
// `origin` stands for the file in messages.
Result<Trace> parse_trace(std::string_view text, TraceForm form, const std::string& origin);

// The trace at its own pace, or, with a rate, stretched so that this is its mean. It is not
// repeated: a class whose trace is at its end sends no more.
Result<std::unique_ptr<ArrivalStream>> open_trace_stream(const TraceArrivals& shape, double rate_hz,
                                                         Rng rng);

}  // namespace juggler
