#pragma once
// SIGINT and SIGTERM as a number that a loop looks at, and something to wake it up.

#include <optional>

namespace juggler {

class Transport;

// Installs the handlers, once per process. The first signal asks to stop; whether a second one is
// obeyed at once is the program's to decide. SIGPIPE is ignored.
void catch_stop_signals();
int stop_signals();  // how many have come

// While a status is set, a second signal ends the process with it at once, without any cleaning up:
// for work that only looks at stop_signals() now and then.
void second_signal_ends(std::optional<int> status);
// A signal also wakes this transport's poll(). Null: none. It must outlive the registration.
void stop_signals_wake(Transport* transport);
// A signal, and the end of a child, also makes this descriptor readable. -1 before
// catch_stop_signals.
int stop_signals_fd();
void drain_stop_signals_fd();
// The end of a child counts as a reason to wake up, not as one to stop.
void catch_child_signals();

}  // namespace juggler
