#include "sim/arrival_trace.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "core/portable_math.h"
#include "sim/samplers.h"

namespace juggler {
namespace {

constexpr double kMinuteUs = 60e6;
constexpr double kSecondsMax = 1e11;  // a time in seconds, since 1970 at the earliest
constexpr std::size_t kColumnsMax = 4096;

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) {
    return {};
  }
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || at != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> micros_of(std::string_view text) {
  const std::optional<double> number = number_of<double>(text);
  if (!number.has_value() || !std::isfinite(*number) || std::fabs(*number) > kSecondsMax) {
    return std::nullopt;
  }
  return std::llround(*number * 1e6);
}

// Days since 1970 of a date of the Gregorian calendar, by the count of days before its March.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t m = month <= 2 ? month + 9 : month - 3;
  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719'468;
}

// `YYYY-MM-DD HH:MM:SS`, with T for the blank, a fraction, and Z allowed.
std::optional<std::int64_t> micros_of_timestamp(std::string_view text) {
  constexpr std::string_view kPattern = "0000-00-00 00:00:00";
  if (text.ends_with('Z')) {
    text.remove_suffix(1);
  }
  if (text.size() < kPattern.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    const bool fits = kPattern[i] == '0' ? text[i] >= '0' && text[i] <= '9'
                                         : text[i] == kPattern[i] || (i == 10 && text[i] == 'T');
    if (!fits) {
      return std::nullopt;
    }
  }
  const auto part = [&](std::size_t from, std::size_t size) {
    return number_of<std::int64_t>(text.substr(from, size)).value_or(0);
  };
  const std::int64_t month = part(5, 2);
  const std::int64_t day = part(8, 2);
  if (month < 1 || month > 12 || day < 1 || day > 31 || part(11, 2) > 23 || part(14, 2) > 59) {
    return std::nullopt;
  }
  const std::optional<double> second = number_of<double>(text.substr(17));
  if (!second.has_value() || !(*second >= 0.0 && *second < 61.0)) {
    return std::nullopt;
  }
  const std::int64_t minutes =
      (days_of(part(0, 4), month, day) * 24 + part(11, 2)) * 60 + part(14, 2);
  return minutes * 60'000'000 + std::llround(*second * 1e6);
}

// Takes a file line by line.
class TraceReader {
 public:
  TraceReader(TraceForm form, std::string origin) : form_(form), origin_(std::move(origin)) {}

  Result<void> line(std::string_view text) {
    number_ += 1;
    if (text.size() > kTraceLineMax) {
      return refuse("is longer than 64 KiB");
    }
    text = trimmed(text);
    if (text.empty() || text.front() == '#') {
      return {};
    }
    if (form_ == TraceForm::Times) {
      return time(text);
    }
    split(text);
    if (columns_ == 0) {
      columns_ = fields_.size();
      return form_ == TraceForm::MinuteCounts ? minute_header() : invocation_header();
    }
    if (fields_.size() != columns_) {
      return refuse(
          fmt::format("has {} columns, where the first line has {}", fields_.size(), columns_));
    }
    return form_ == TraceForm::MinuteCounts ? minute_row() : invocation_row();
  }

  Result<Trace> finish() {
    if (trace_.times_us.empty() && trace_.count == 0) {
      return fail(ErrorCode::InvalidArgument, origin_ + ": has no arrivals");
    }
    if (form_ == TraceForm::MinuteCounts) {
      trace_.length_us = kMinuteUs * static_cast<double>(trace_.minute_counts.size());
      return std::move(trace_);
    }
    if (form_ == TraceForm::Invocations) {  // in the order of their ends, or of several machines
      std::sort(trace_.times_us.begin(), trace_.times_us.end());
      const std::int64_t first = trace_.times_us.front();
      for (std::int64_t& at : trace_.times_us) {
        at -= first;
      }
    }
    trace_.count = trace_.times_us.size();
    trace_.length_us = static_cast<double>(std::max<std::int64_t>(trace_.times_us.back(), 1));
    return std::move(trace_);
  }

 private:
  Error refuse(const std::string& reason) const {
    return fail(ErrorCode::InvalidArgument, fmt::format("{}:{}: {}", origin_, number_, reason));
  }

  Result<void> add(std::int64_t at) {
    if (trace_.times_us.size() == kTraceArrivalsMax) {
      return refuse(fmt::format("more than {} arrivals", kTraceArrivalsMax));
    }
    trace_.times_us.push_back(at);
    return {};
  }

  Result<void> time(std::string_view text) {
    const std::optional<std::int64_t> at = micros_of(text);
    if (!at.has_value() || *at < 0) {
      return refuse("is not a time in seconds from 0, such as 12.345");
    }
    if (!trace_.times_us.empty() && *at < trace_.times_us.back()) {
      return refuse("is earlier than the line before: times must ascend");
    }
    return add(*at);
  }

  void split(std::string_view text) {
    fields_.clear();
    while (fields_.size() < kColumnsMax) {
      const std::size_t comma = text.find(',');
      fields_.push_back(trimmed(text.substr(0, comma)));
      if (comma == std::string_view::npos) {
        return;
      }
      text.remove_prefix(comma + 1);
    }
  }

  // Columns 1, 2, … up to 1440 hold counts; what stands before them names the function.
  Result<void> minute_header() {
    const auto first = std::find(fields_.begin(), fields_.end(), "1");
    first_ = static_cast<std::size_t>(first - fields_.begin());
    const std::size_t minutes = fields_.size() - first_;
    if (minutes == 0 || minutes > kTraceMinutesMax) {
      return refuse("must name the minutes in columns 1, 2 and so on to at most 1440");
    }
    for (std::size_t i = 0; i < minutes; ++i) {
      if (number_of<std::size_t>(fields_[first_ + i]) != i + 1) {
        return refuse(
            fmt::format("column '{}' stands where minute {} must", fields_[first_ + i], i + 1));
      }
    }
    trace_.minute_counts.assign(minutes, 0);
    return {};
  }

  Result<void> minute_row() {
    for (std::size_t i = 0; i < trace_.minute_counts.size(); ++i) {
      const std::optional<std::uint32_t> count = number_of<std::uint32_t>(fields_[first_ + i]);
      if (!count.has_value()) {
        return refuse(fmt::format("'{}' in column {} is not a count", fields_[first_ + i], i + 1));
      }
      trace_.minute_counts[i] += *count;
      trace_.count += *count;
      if (trace_.count > std::uint64_t{1} << 40U) {
        return refuse("more than 2^40 arrivals");
      }
    }
    return {};
  }

  Result<void> invocation_header() {
    const auto at = [&](std::string_view name) {
      const auto found = std::find(fields_.begin(), fields_.end(), name);
      return static_cast<std::size_t>(found - fields_.begin());
    };
    first_ = at("TIMESTAMP");
    has_timestamp_ = first_ < fields_.size();
    if (!has_timestamp_) {
      first_ = at("end_timestamp");
      duration_ = at("duration");
      if (first_ == fields_.size() || duration_ == fields_.size()) {
        return refuse("must have a column TIMESTAMP, or columns end_timestamp and duration");
      }
    }
    return {};
  }

  Result<void> invocation_row() {
    if (has_timestamp_) {
      const std::optional<std::int64_t> at = micros_of_timestamp(fields_[first_]);
      return at.has_value() ? add(*at)
                            : refuse(fmt::format("'{}' is not a time like 2023-11-16 18:15:46.68",
                                                 fields_[first_]));
    }
    const std::optional<std::int64_t> end = micros_of(fields_[first_]);
    const std::optional<std::int64_t> took = micros_of(fields_[duration_]);
    if (!end.has_value() || !took.has_value() || *took < 0) {
      return refuse("end_timestamp and duration must be seconds");
    }
    return add(*end - *took);
  }

  TraceForm form_;
  std::string origin_;
  Trace trace_;
  std::size_t number_ = 0;  // of the line
  std::size_t columns_ = 0;
  std::size_t first_ = 0;  // the column of the first minute, or of the time
  std::size_t duration_ = 0;
  bool has_timestamp_ = false;
  std::vector<std::string_view> fields_;
};

// Arrivals at given times, in a time stretched by a factor.
class TimesStream final : public ArrivalStream {
 public:
  TimesStream(std::vector<std::int64_t> times_us, double stretch)
      : times_us_(std::move(times_us)), stretch_(stretch) {}

  std::optional<double> next_us() override {
    if (next_ == times_us_.size()) {
      return std::nullopt;
    }
    return static_cast<double>(times_us_[next_++]) * stretch_;
  }

 private:
  std::vector<std::int64_t> times_us_;
  double stretch_;
  std::size_t next_ = 0;
};

// A minute's arrivals uniformly within it, in order without keeping them: of n uniform numbers in
// what is left, the least lies at the share 1 - U^(1/n).
class MinutesStream final : public ArrivalStream {
 public:
  MinutesStream(std::vector<std::uint64_t> counts, double stretch, Rng rng)
      : counts_(std::move(counts)), stretch_(stretch), rng_(rng) {}

  std::optional<double> next_us() override {
    while (minute_ < counts_.size() && counts_[minute_] == 0) {
      minute_ += 1;
      within_ = 0.0;
    }
    if (minute_ == counts_.size()) {
      return std::nullopt;
    }
    const auto left = static_cast<double>(counts_[minute_]);
    counts_[minute_] -= 1;
    within_ += (1.0 - within_) * (1.0 - portable_exp(portable_ln(draw_uniform(rng_)) / left));
    return (static_cast<double>(minute_) + within_) * kMinuteUs * stretch_;
  }

 private:
  std::vector<std::uint64_t> counts_;
  double stretch_;
  std::size_t minute_ = 0;
  double within_ = 0.0;
  Rng rng_;
};

}  // namespace

Result<Trace> parse_trace(std::string_view text, TraceForm form, const std::string& origin) {
  TraceReader reader(form, origin);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (Result<void> ok = reader.line(text.substr(0, end)); !ok) {
      return ok.error();
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.finish();
}

Result<Trace> load_trace(const std::string& file, TraceForm form) {
  std::ifstream in(file, std::ios::binary);
  std::error_code failed;
  if (!in || !std::filesystem::is_regular_file(file, failed)) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot open the trace {}: {}", file, std::strerror(errno)));
  }
  TraceReader reader(form, file);
  std::size_t bytes = 0;
  std::vector<char> buffer(kTraceLineMax + 2);
  while (in.getline(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         in.gcount() > 0) {
    const auto read = static_cast<std::size_t>(in.gcount());
    bytes += read;
    if (bytes > kTraceBytesMax) {
      return fail(ErrorCode::TooLarge, file + ": larger than 1 GiB");
    }
    // The count takes the end of the line in, but for a last line without one and one too long.
    const bool ended = !in.eof() && !in.fail();
    if (Result<void> ok = reader.line({buffer.data(), read - (ended ? 1 : 0)}); !ok) {
      return ok.error();
    }
  }
  if (in.bad()) {
    return fail(ErrorCode::NotFound,
                fmt::format("cannot read the trace {}: {}", file, std::strerror(errno)));
  }
  return reader.finish();
}

Result<std::unique_ptr<ArrivalStream>> open_trace_stream(const TraceArrivals& shape, double rate_hz,
                                                         Rng rng) {
  if (shape.recorded != nullptr) {
    return std::make_unique<TimesStream>(*shape.recorded, 1.0);
  }
  Result<Trace> trace = load_trace(shape.file, shape.form);
  if (!trace) {
    return trace.error();
  }
  if (rate_hz <= 0.0 && trace->mean_hz() > kScenarioRateMax) {
    return fail(ErrorCode::TooLarge, fmt::format("{}: {:.0f} arrivals per second, more than {:.0f}",
                                                 shape.file, trace->mean_hz(), kScenarioRateMax));
  }
  const double stretch = rate_hz > 0.0 ? trace->mean_hz() / rate_hz : 1.0;
  if (shape.form == TraceForm::MinuteCounts) {
    return std::make_unique<MinutesStream>(std::move(trace->minute_counts), stretch, rng);
  }
  return std::make_unique<TimesStream>(std::move(trace->times_us), stretch);
}

}  // namespace juggler
