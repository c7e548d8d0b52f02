// Tests that arrival traces are read in all their forms, and refused by line and reason.

#include "sim/arrival_trace.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sim/workload.h"

namespace juggler {
namespace {

std::string error_of(std::string_view text, TraceForm form) {
  const Result<Trace> trace = parse_trace(text, form, "t");
  return trace ? "no error" : trace.error().message;
}

class TraceFile {
 public:
  explicit TraceFile(const std::string& text) {
    path_ = std::filesystem::temp_directory_path() /
            ("juggler-trace-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::vector<std::int64_t> arrivals_of(const TraceArrivals& shape, double hz, Micros length) {
  Scenario scenario;
  scenario.classes.resize(1);
  scenario.classes[0].name = "only";
  scenario.classes[0].arrivals = {shape, {hz, 0.0}, Micros{0}, length};
  Result<Workload> workload = Workload::open(scenario);
  EXPECT_TRUE(workload.has_value()) << workload.error().message;
  std::vector<std::int64_t> times;
  while (const std::optional<Arrival> arrival = workload->next()) {
    times.push_back(arrival->at.us);
  }
  return times;
}

TEST(Trace, Times_AreReadAsTheyStand) {
  const TraceFile file("# seconds\n0\n0.5\r\n\n 1.25 \n1.25\n3e0");
  const std::vector<std::int64_t> expected{0, 500'000, 1'250'000, 1'250'000, 3'000'000};
  EXPECT_EQ(arrivals_of({file.path(), TraceForm::Times}, 0.0, seconds(10)), expected);
  const std::vector<std::int64_t> cut{0, 500'000};
  EXPECT_EQ(arrivals_of({file.path(), TraceForm::Times}, 0.0, seconds(1)), cut);
}

TEST(Trace, WithARate_IsStretchedToIt) {
  const TraceFile file("1\n2\n3\n4\n");  // 1 per second
  const std::vector<std::int64_t> expected{250'000, 500'000, 750'000, 1'000'000};
  EXPECT_EQ(arrivals_of({file.path(), TraceForm::Times}, 4.0, seconds(10)), expected);
}

TEST(Trace, MinuteCounts_AreSpreadWithinTheirMinutes) {
  const TraceFile file(
      "HashOwner,HashApp,HashFunction,Trigger,1,2,3\na,b,c,http,1000,0,2\n"
      "a,b,d,timer,500,0,1\n");
  const std::vector<std::int64_t> times =
      arrivals_of({file.path(), TraceForm::MinuteCounts}, 0.0, seconds(180));
  ASSERT_EQ(times.size(), 1503U);
  EXPECT_LT(times[1499], 60'000'000);
  EXPECT_GE(times[1500], 120'000'000);
  EXPECT_LT(times[1502], 180'000'000);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  // Uniform: half of them in the first half, within five standard errors.
  const auto half = std::lower_bound(times.begin(), times.end(), 30'000'000) - times.begin();
  EXPECT_NEAR(static_cast<double>(half), 750.0, 97.0);
}

TEST(Trace, Timestamps_CountFromTheFirst) {
  const Result<Trace> trace = parse_trace(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-12-31 23:59:59.5000000,1,2\n"
      "2024-01-01T00:00:00.25Z,3,4\n2024-03-01 00:00:00,3,4\n",
      TraceForm::Invocations, "t");
  ASSERT_TRUE(trace.has_value()) << trace.error().message;
  constexpr std::int64_t kDay = 86'400'000'000;  // January and, in a leap year, 29 days
  const std::vector<std::int64_t> expected{0, 750'000, 60 * kDay + 500'000};
  EXPECT_EQ(trace->times_us, expected);
}

TEST(Trace, Invocations_BeginTheirDurationBeforeTheirEnd) {
  const Result<Trace> trace = parse_trace(
      "app,func,end_timestamp,duration\na,f,12.5,0.5\na,f,13,3\n", TraceForm::Invocations, "t");
  ASSERT_TRUE(trace.has_value()) << trace.error().message;
  const std::vector<std::int64_t> expected{0, 2'000'000};
  EXPECT_EQ(trace->times_us, expected);
}

TEST(Trace, WrongLines_AreNamedWithTheReason) {
  using Case = std::tuple<TraceForm, std::string, std::string>;
  const Case cases[] = {
      {TraceForm::Times, "1\n2\nthree\n", "t:3: is not a time"},
      {TraceForm::Times, "1\nnan\n", "t:2: is not a time"},
      {TraceForm::Times, "1\n-1\n", "t:2: is not a time"},
      {TraceForm::Times, "1e300\n", "t:1: is not a time"},
      {TraceForm::Times, "2\n1\n", "t:2: is earlier"},
      {TraceForm::Times, "# nothing\n", "t: has no arrivals"},
      {TraceForm::Times, std::string(70'000, '1'), "t:1: is longer than 64 KiB"},
      {TraceForm::MinuteCounts, "f,1,2\na,1\n", "t:2: has 2 columns"},  // cut off
      {TraceForm::MinuteCounts, "f,1,3\na,1,1\n", "t:1: column '3' stands where minute 2"},
      {TraceForm::MinuteCounts, "f,g\na,1\n", "t:1: must name the minutes"},
      {TraceForm::MinuteCounts, "f,1\na,-1\n", "t:2: '-1' in column 1 is not a count"},
      {TraceForm::MinuteCounts, "f,1\na,0\n", "t: has no arrivals"},
      {TraceForm::MinuteCounts, "f,1\na,99999999999999\n", "t:2: '99999999999999' in column 1"},
      {TraceForm::Invocations, "a,b\n1,2\n", "t:1: must have a column TIMESTAMP"},
      {TraceForm::Invocations, "TIMESTAMP,x\n2023-13-01 00:00:00,1\n", "t:2: '2023-13-01"},
      {TraceForm::Invocations, "TIMESTAMP,x\n2023-11-16 18:1\n", "t:2: has 1 columns"},
      {TraceForm::Invocations, "end_timestamp,duration\n5,-1\n", "t:2: end_timestamp and"},
      {TraceForm::Invocations, std::string("\x00\xff\x80\n\x01", 5), "t:1: must have a column"},
  };
  for (const auto& [form, text, expected] : cases) {
    EXPECT_EQ(error_of(text, form).substr(0, expected.size()), expected);
  }
}

TEST(Trace, Files_AreReadAsTheirTextIs) {
  const TraceFile good("1\n2");
  const Result<Trace> trace = load_trace(good.path(), TraceForm::Times);
  ASSERT_TRUE(trace.has_value()) << trace.error().message;
  EXPECT_EQ(trace->count, 2U);
  EXPECT_EQ(load_trace("/no/such/trace", TraceForm::Times).error().code, ErrorCode::NotFound);
}

TEST(Trace, LineWithoutEnd_IsRefusedBeforeItIsRead) {
  const TraceFile file("1\n" + std::string(200'000, '2'));
  const Result<Trace> trace = load_trace(file.path(), TraceForm::Times);
  ASSERT_FALSE(trace.has_value());
  EXPECT_NE(trace.error().message.find(":2: is longer than 64 KiB"), std::string::npos);
}

TEST(Trace, FasterThanAnyScenario_IsRefused) {
  const TraceFile file("f,1\na,4000000000\n");
  const Result<std::unique_ptr<ArrivalStream>> stream =
      open_trace_stream({file.path(), TraceForm::MinuteCounts}, 0.0, Rng(1));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, ErrorCode::TooLarge);
}

}  // namespace
}  // namespace juggler
