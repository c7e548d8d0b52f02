#pragma once
// One line on stderr that says how far long work is. Nothing where stderr is no terminal.

#include "evaluation/parallel.h"

namespace juggler {

// Redraws the line: "12 of 80 runs, about 40 s left".
void show_progress(const evaluation::Progress& progress);
// Removes it, before other output.
void end_progress();

// Threads for runs, progress on the terminal, and a stop at Ctrl-C.
evaluation::ParallelOptions parallel_options(std::size_t jobs);

}  // namespace juggler
