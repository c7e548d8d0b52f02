#include "apps/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include "apps/stop_signals.h"

namespace juggler {
namespace {

std::string time_left(double seconds) {
  if (seconds <= 0.0) {
    return "";
  }
  return seconds < 90.0 ? fmt::format(", about {:.0f} s left", seconds)
                        : fmt::format(", about {:.0f} min left", seconds / 60.0);
}

}  // namespace

void show_progress(const evaluation::Progress& progress) {
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r{} of {} runs{}\x1b[K", progress.done, progress.total,
               time_left(progress.seconds_left));
  }
}

void end_progress() {
  if (isatty(STDERR_FILENO) == 1) {
    fmt::print(stderr, "\r\x1b[K");
  }
}

evaluation::ParallelOptions parallel_options(std::size_t jobs) {
  catch_stop_signals();
  return {.jobs = jobs == 0 ? evaluation::default_jobs() : jobs,
          .stop = [] { return stop_signals() > 0; },
          .progress = show_progress};
}

}  // namespace juggler
