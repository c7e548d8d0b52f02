#pragma once
// What this machine is, as far as inference cares: board, processor, cores, memory. Only facts that
// the system states.

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/units.h"

namespace juggler {

struct Machine {
  std::string board;      // a board's name where it is known ("raspberry-pi-5"), else "x86-64"
  std::string title;      // as the machine calls itself
  std::string processor;  // e.g. "AMD EPYC"
  int cores = 1;          // that this process may use
  Bytes memory;           // free for inference now, within the limits of a container
};

// `root` is the host's `/`, where a container has it mounted; `own` this process's, where its
// limits stand.
Machine read_machine(const std::filesystem::path& root = "/",
                     const std::filesystem::path& own = "/");

// How many threads read pictures for a processor that is no CPU: half of the cores, 1 to 4.
int decode_threads_beside();

// Resident memory of this process.
Bytes resident_memory();

}  // namespace juggler
