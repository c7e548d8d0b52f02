// What sampling costs: CPU time of one round of all probes, and of one read of the meter, at ten a
// second. On this machine's own files, and on a board's fixture tree unpacked on the disk (its
// reads are those of a file system, not of a driver: a lower bound for a board).
//
// usage: juggler-bench-telemetry [ROUNDS]

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "core/check.h"
#include "support/host_tree.h"
#include "support/temp_folder.h"
#include "telemetry/choose_meter.h"
#include "telemetry/host_sampler.h"

namespace juggler {
namespace {

constexpr double kRoundsPerSecond = 10.0;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Prints a row, and refuses one that read nothing.
void measure(const char* name, HostFiles& host, HostFiles& own, int rounds) {
  const Discovery found = discover(host, own);
  HostProbes probes(host, own, found, nullptr);
  Time now;
  probes.sample(now);
  std::size_t values = 0;
  const double begin = cpu_seconds();
  for (int i = 0; i < rounds; ++i) {
    now = now + milliseconds(100);
    const Readings readings = probes.sample(now);
    for (const Reading& reading : readings.list()) {
      values += reading.value.has_value() ? 1 : 0;
    }
  }
  const double round = (cpu_seconds() - begin) / rounds;
  JUGGLER_CHECK(values >= static_cast<std::size_t>(rounds) * 3, "a round that reads nothing");

  Result<MeterChoice> choice = choose_meter("auto", found, host, nullptr);
  JUGGLER_CHECK(choice.has_value(), "auto is a meter's name");
  double read = 0.0;
  if (choice->meter != nullptr) {
    const double before = cpu_seconds();
    for (int i = 0; i < rounds; ++i) {
      JUGGLER_CHECK(choice->meter->read(now).value.has_value(), "a meter that does not answer");
    }
    read = (cpu_seconds() - before) / rounds;
  }
  fmt::print(
      "{:<20} {:>4} values {:>8.1f} us a round {:>8.1f} us a meter read {:>7.3f} % of a core\n",
      name, values / static_cast<std::size_t>(rounds), round * 1e6, read * 1e6,
      (round + read) * kRoundsPerSecond * 100);
}

int run(int rounds) {
  fmt::print("CPU time at {:.0f} rounds a second, {} rounds each\n", kRoundsPerSecond, rounds);
  DiskFiles here;
  measure("this machine", here, here, rounds);
  for (const char* board : {"orin-nano-jp6", "agx-orin-jp6", "jetson-nano-jp4", "x86-rapl"}) {
    const test::TempFolder folder;
    test::HostTree::fixture(board).unpack(folder.path());
    DiskFiles disk(folder.path().string());
    measure(board, disk, disk, rounds);
  }
  return 0;
}

}  // namespace
}  // namespace juggler

int main(int argc, char** argv) { return juggler::run(argc > 1 ? std::atoi(argv[1]) : 2000); }
