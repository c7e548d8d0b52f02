// Fuzzes arrival traces in their three forms: the first byte chooses one.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "sim/arrival_trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  constexpr juggler::TraceForm kForms[] = {
      juggler::TraceForm::Times, juggler::TraceForm::MinuteCounts, juggler::TraceForm::Invocations};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto trace = juggler::parse_trace(text, kForms[data[0] % 3], "trace");
  if (trace) {
    JUGGLER_CHECK(trace->count > 0 && trace->length_us > 0.0, "a trace without arrivals");
    JUGGLER_CHECK(std::is_sorted(trace->times_us.begin(), trace->times_us.end()),
                  "times out of order");
    JUGGLER_CHECK(trace->times_us.empty() || trace->times_us.front() >= 0, "a time before 0");
  }
  return 0;
}
