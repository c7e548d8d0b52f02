#pragma once
// Independent pieces of work on several threads, with progress and a clean stop.

#include <cstddef>
#include <functional>

namespace juggler::evaluation {

struct Progress {
  std::size_t done = 0;
  std::size_t total = 0;
  double seconds_left = 0.0;  // by the pace so far; 0 before the first is done
};

struct ParallelOptions {
  std::size_t jobs = 1;
  std::function<bool()> stop{};                     // asked by all threads; may be empty
  std::function<void(const Progress&)> progress{};  // from all threads; may be empty
};

// Calls work(0) … work(count - 1), each once, on `jobs` threads; returns when all have returned.
// After a stop no new piece is begun.
//
// requires  pieces that share nothing they change
void for_each_index(std::size_t count, const ParallelOptions& options,
                    const std::function<void(std::size_t)>& work);

// As many as the machine runs at once.
std::size_t default_jobs();

}  // namespace juggler::evaluation
