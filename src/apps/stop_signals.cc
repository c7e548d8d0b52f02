#include "apps/stop_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "core/check.h"
#include "runtime/transport.h"

namespace juggler {
namespace {

// Signal handlers reach nothing but globals.
std::atomic<int> g_signals{0};                   // NOLINT
std::atomic<Transport*> g_transport{nullptr};    // NOLINT
std::array<std::atomic<int>, 2> g_pipe{-1, -1};  // NOLINT
std::atomic<int> g_second_ends{-1};              // NOLINT: with this status; -1: it does not

void on_signal(int number) {
  const int before = errno;
  if (number != SIGCHLD) {
    const bool second = g_signals.fetch_add(1) > 0;
    if (const int status = g_second_ends.load(); second && status >= 0) {
      _exit(status);
    }
  }
  if (Transport* transport = g_transport.load(); transport != nullptr) {
    transport->wake();
  }
  const char byte = 's';
  [[maybe_unused]] const ssize_t written = write(g_pipe[1].load(), &byte, 1);
  errno = before;
}

void catch_signal(int number) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

}  // namespace

void catch_stop_signals() {
  if (g_pipe[0].load() < 0) {
    std::array<int, 2> ends{};
    JUGGLER_CHECK(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "no pipe");
    g_pipe[0] = ends[0];
    g_pipe[1] = ends[1];
  }
  catch_signal(SIGINT);
  catch_signal(SIGTERM);
  catch_signal(SIGHUP);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error of write(), like a full disk
}

void catch_child_signals() { catch_signal(SIGCHLD); }

void second_signal_ends(std::optional<int> status) { g_second_ends = status.value_or(-1); }

int stop_signals() { return g_signals.load(); }

void stop_signals_wake(Transport* transport) { g_transport = transport; }

int stop_signals_fd() { return g_pipe[0].load(); }

void drain_stop_signals_fd() {
  std::array<char, 64> bytes{};
  while (read(stop_signals_fd(), bytes.data(), bytes.size()) > 0) {
  }
}

}  // namespace juggler
