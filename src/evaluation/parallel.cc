#include "evaluation/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace juggler::evaluation {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

void for_each_index(std::size_t count, const ParallelOptions& options,
                    const std::function<void(std::size_t)>& work) {
  const Clock::time_point began = Clock::now();
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> finished{0};
  const auto loop = [&] {
    while (!options.stop || !options.stop()) {
      const std::size_t mine = next.fetch_add(1);
      if (mine >= count) {
        return;
      }
      work(mine);
      const std::size_t done = finished.fetch_add(1) + 1;
      if (options.progress) {
        const double spent = std::chrono::duration<double>(Clock::now() - began).count();
        options.progress(
            {done, count, spent / static_cast<double>(done) * static_cast<double>(count - done)});
      }
    }
  };
  std::vector<std::jthread> threads;
  const std::size_t helpers = std::min(std::max<std::size_t>(options.jobs, 1), count);
  for (std::size_t i = 1; i < helpers; ++i) {
    threads.emplace_back(loop);
  }
  loop();
}

std::size_t default_jobs() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace juggler::evaluation
