#pragma once
// The rights that a program of ours has no use for.

#include <string_view>

namespace juggler {

// Neither this process nor what it starts gets more rights than it has, whatever it executes.
void forgo_new_privileges();
// The same, and as root the log says that it need not be. For programs that keep running; after
// set_up_log().
void run_unprivileged();

// Whether the command is one that works by getting more rights, such as `sudo rabbitmqctl`.
bool asks_for_rights(std::string_view command);

}  // namespace juggler
