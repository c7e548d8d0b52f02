// What sampling costs: CPU time of one round of all probes and of one read of the meter, of the
// sampler's own thread at ten rounds a second, and what inference on all cores loses beside it.
//
//   juggler-bench-telemetry [--rounds N] [--seconds S] [--home var] [--variant ID] [--pairs N]
//                           [--json FILE]
//
// The probes are timed on this machine's own files and on boards' fixture trees unpacked on the
// disk (its reads are those of a file system, not of a driver: a lower bound for a board).
// Inference runs in blocks with the sampler and without it in turn, so that a machine shared with
// others disturbs both alike; where there is no engine or no network, that part is left out and
// said so.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"
#include "inference/onnx_engine.h"
#include "inference/synthetic_picture.h"
#include "support/host_tree.h"
#include "support/temp_folder.h"
#include "telemetry/choose_meter.h"
#include "telemetry/host_sampler.h"

namespace juggler {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Micros kPeriod = milliseconds(100);
constexpr double kRoundsPerSecond = 10.0;
constexpr double kCorePercentMax = 0.5;

struct Options {
  int rounds = 2000;
  int seconds = 10;
  int pairs = 20;
  std::string home = "var";
  std::string variant = "mobilenet_v3_small-fp32";
  std::string json;
};

double cpu_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Prints a row, and refuses one that read nothing.
void measure_probes(const char* name, HostFiles& host, HostFiles& own, int rounds) {
  const Discovery found = discover(host, own);
  HostProbes probes(host, own, found, nullptr);
  Time now;
  probes.sample(now);
  std::size_t values = 0;
  const double begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < rounds; ++i) {
    now = now + kPeriod;
    const Readings readings = probes.sample(now);
    for (const Reading& reading : readings.list()) {
      values += reading.value.has_value() ? 1U : 0U;
    }
  }
  const double round = (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin) / rounds;
  JUGGLER_CHECK(values >= static_cast<std::size_t>(rounds) * 3, "a round that reads nothing");

  Result<MeterChoice> choice = choose_meter("auto", found, host, nullptr, system_nvml());
  JUGGLER_CHECK(choice.has_value(), "auto is a meter's name");
  double read = 0.0;
  if (choice->meter != nullptr) {
    const double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < rounds; ++i) {
      JUGGLER_CHECK(choice->meter->read(now).value.has_value(), "a meter that does not answer");
    }
    read = (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before) / rounds;
  }
  fmt::print(
      "{:<20} {:>4} values {:>8.1f} us a round {:>8.1f} us a meter read {:>7.3f} % of a core\n",
      name, values / static_cast<std::size_t>(rounds), round * 1e6, read * 1e6,
      (round + read) * kRoundsPerSecond * 100);
}

// The sampler as a consumer has it, ten times as often: this process does nothing else meanwhile.
double sampler_percent(int for_seconds) {
  const HostSampler sampler({.host_root = "/", .period = kPeriod});
  const double begin = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::seconds(for_seconds));
  const double took = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
  JUGGLER_CHECK(sampler.summary().age.value_or(kPeriod * 5) < kPeriod * 5, "it samples");
  return took / for_seconds * 100;
}

// Median time of a run, over a block of about a second.
double block_us(InferenceEngine& engine, const std::string& variant, const EngineInput& input) {
  std::vector<double> times;
  const SteadyClock::time_point until = SteadyClock::now() + std::chrono::seconds(1);
  while (SteadyClock::now() < until || times.size() < 10) {
    const BatchReport report = engine.run(variant, {&input, 1});
    JUGGLER_CHECK(report.outputs[0].status == AttemptStatus::Ok, "a run that failed has no time");
    times.push_back(static_cast<double>(report.compute.count));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

struct Paired {
  bool measured = false;
  double without_us = 0.0;    // median of blocks
  double more_percent = 0.0;  // mean of the pairs' differences
  double half_percent = 0.0;  // of its 95 % interval
};

Paired measure_inference(const Options& options) {
  Paired paired;
  const Result<Catalogue> catalogue = Catalogue::load(options.home);
  const int threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  auto engine = catalogue
                    ? make_onnx_engine(*catalogue, {options.home, threads, false, std::nullopt})
                    : Result<std::unique_ptr<InferenceEngine>>(catalogue.error());
  if (!engine || !(*engine)->load(options.variant)) {
    fmt::print("inference beside the sampler: left out, there is no engine or no {}\n",
               options.variant);
    return paired;
  }
  EngineInput input;
  input.payload.kind = PayloadKind::Jpeg;
  input.payload.width = kSyntheticWidth;
  input.payload.height = kSyntheticHeight;
  input.bytes = wire::make_body(synthetic_jpeg());
  block_us(**engine, options.variant, input);  // warm
  std::vector<double> without;
  std::vector<double> differences;
  for (int pair = 0; pair < options.pairs; ++pair) {
    double with_us = 0.0;
    double without_us = 0.0;
    for (int turn = 0; turn < 2; ++turn) {
      if ((turn + pair) % 2 == 0) {  // each begins as often as the other
        const HostSampler sampler({.host_root = "/", .period = kPeriod});
        with_us = block_us(**engine, options.variant, input);
      } else {
        without_us = block_us(**engine, options.variant, input);
      }
    }
    without.push_back(without_us);
    differences.push_back((with_us / without_us - 1) * 100);
  }
  double mean = 0.0;
  for (const double one : differences) {
    mean += one / static_cast<double>(differences.size());
  }
  double squares = 0.0;
  for (const double one : differences) {
    squares += (one - mean) * (one - mean);
  }
  const auto n = static_cast<double>(differences.size());
  std::sort(without.begin(), without.end());
  paired = {true, without[without.size() / 2], mean,
            2.1 * std::sqrt(squares / std::max(n - 1, 1.0) / n)};
  fmt::print(
      "inference beside the sampler: {}, {} threads, {} pairs of a second: {:.0f} us alone, "
      "{:+.2f} % +- {:.2f} % with it (95 %)\n",
      options.variant, threads, options.pairs, paired.without_us, paired.more_percent,
      paired.half_percent);
  return paired;
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--rounds") {
      options.rounds = std::stoi(value);
    } else if (name == "--seconds") {
      options.seconds = std::stoi(value);
    } else if (name == "--pairs") {
      options.pairs = std::max(std::stoi(value), 2);
    } else if (name == "--home") {
      options.home = value;
    } else if (name == "--variant") {
      options.variant = value;
    } else if (name == "--json") {
      options.json = value;
    }
  }
  return options;
}

int run(const Options& options) {
  fmt::print("CPU time at {:.0f} rounds a second, {} rounds each\n", kRoundsPerSecond,
             options.rounds);
  DiskFiles here;
  measure_probes("this machine", here, here, options.rounds);
  for (const char* board : {"orin-nano-jp6", "agx-orin-jp6", "jetson-nano-jp4", "x86-rapl"}) {
    const test::TempFolder folder;
    test::HostTree::fixture(board).unpack(folder.path());
    DiskFiles disk(folder.path().string());
    measure_probes(board, disk, disk, options.rounds);
  }
  const double percent = sampler_percent(options.seconds);
  const bool kept = percent <= kCorePercentMax;
  fmt::print("the sampler's thread on this machine, {} s: {:.3f} % of a core; target {} %: {}\n",
             options.seconds, percent, kCorePercentMax, kept ? "met" : "NOT MET");
  const Paired paired = measure_inference(options);
  if (!options.json.empty()) {
    std::ofstream(options.json) << fmt::format(
        "{{\"sampler_core_percent\":{:.4f},\"inference\":{}}}\n", percent,
        paired.measured ? fmt::format("{{\"variant\":\"{}\",\"without_us\":{:.1f},"
                                      "\"more_percent\":{:.3f},\"half_percent\":{:.3f}}}",
                                      options.variant, paired.without_us, paired.more_percent,
                                      paired.half_percent)
                        : std::string("null"));
  }
  return kept ? 0 : 1;
}

}  // namespace
}  // namespace juggler

int main(int count, char** arguments) {
  try {
    return juggler::run(juggler::parse(count, arguments));
  } catch (const std::exception& error) {
    fmt::print(stderr, "juggler-bench-telemetry: {}\n", error.what());
    return 2;
  }
}
