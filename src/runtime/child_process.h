#pragma once
// A child process with an environment of its own: started, awaited, ended.

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"

namespace juggler {

struct ChildOptions {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string folder{};       // where it runs; empty: where we are
  std::string output;         // stdout and stderr go to this file, appended
  std::string input{};        // what it reads from stdin: the one way for a secret
  bool ends_with_us = false;  // SIGTERM when the starting thread ends, however it ends
};

// Starts it in a process group of its own, so that Ctrl-C at the terminal does not reach it.
Result<pid_t> start_child(const ChildOptions& options);

struct ChildEnd {
  int status = 0;
  std::string output;  // stdout and stderr
};

// Runs it to its end, for at most `wait_max`; `output` is not looked at. `meanwhile`: called again
// and again as long as it runs, for an owner who has a connection to keep alive.
Result<ChildEnd> run_child(ChildOptions options, Micros wait_max,
                           const std::function<void()>& meanwhile = {});

// The environment of this process.
std::vector<std::string> own_environment();

// The exit status once it has ended: its code, or 128 + signal. Empty while it runs.
std::optional<int> poll_child(pid_t child);
std::optional<int> await_child(pid_t child, Micros wait_max);
// SIGTERM, and after `wait_max` SIGKILL.
void end_child(pid_t child, Micros wait_max);
// SIGKILL to it and to whatever it has started in its group.
void kill_child_group(pid_t child);

}  // namespace juggler
