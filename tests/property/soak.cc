// Many seeds in parallel, with progress: `make soak`. Prints each failing seed with the command
// that repeats it, and ends with 1 if there was one. The digest that it ends with is of all runs:
// two builds that decide alike print the same for the same seeds.
//
//   property_soak [--first N] [--count N] [--threads N]

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sim/random_world.h"

namespace {

constexpr int kFailuresMax = 20;

struct Soak {
  std::uint64_t first = 1;
  std::uint64_t count = 100'000;
  std::atomic<std::uint64_t> next = 0;
  std::atomic<std::uint64_t> done = 0;
  std::atomic<int> failures = 0;
  std::atomic<std::uint64_t> digest = 0;  // a sum, as the seeds end in any order
  std::mutex output;

  void run() {
    while (failures < kFailuresMax) {
      const std::uint64_t index = next++;
      if (index >= count) {
        return;
      }
      const std::uint64_t seed = first + index;
      const juggler::sim::RunResult result = juggler::sim::run_random_world(seed);
      done += 1;
      digest += (result.digest + seed) * 0x9e3779b97f4a7c15U;
      if (!result.complaints.empty()) {
        failures += 1;
        const std::lock_guard lock(output);
        std::cout << fmt::format("seed {} fails, policy {}: {}\n", seed, result.policy,
                                 result.complaints.front());
        std::cout << fmt::format(
            "  again: JUGGLER_TRACE=1 JUGGLER_FIRST_SEED={} JUGGLER_SEED_COUNT=1 property_world "
            "--gtest_filter='World.EverySeed*'\n",
            seed);
      }
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  Soak soak;
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--first") {
      soak.first = value;
    } else if (flag == "--count") {
      soak.count = value;
    } else if (flag == "--threads" && value > 0) {
      threads = static_cast<unsigned>(value);
    } else {
      std::cerr << "usage: property_soak [--first N] [--count N] [--threads N]\n";
      return 2;
    }
  }
  std::cout << fmt::format("seeds {} to {}, {} threads\n", soak.first, soak.first + soak.count - 1,
                           threads);
  spdlog::set_level(spdlog::level::off);  // once for all threads
  const auto begun = std::chrono::steady_clock::now();
  std::atomic<bool> over = false;
  std::jthread progress([&] {
    for (int tick = 1; !over; ++tick) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (tick % 50 == 0 && !over) {
        const std::lock_guard lock(soak.output);
        std::cout << fmt::format("{} of {} seeds, {} failures\n", soak.done.load(), soak.count,
                                 soak.failures.load())
                  << std::flush;
      }
    }
  });
  {
    std::vector<std::jthread> workers;
    for (unsigned t = 0; t < threads; ++t) {
      workers.emplace_back([&] { soak.run(); });
    }
  }
  over = true;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::cout << fmt::format("{} seeds in {:.0f} s, {} failures, digest {:016x}\n", soak.done.load(),
                           took.count(), soak.failures.load(), soak.digest.load());
  return soak.failures > 0 ? 1 : 0;
}
