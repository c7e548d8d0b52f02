#include "runtime/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fmt/format.h>

namespace juggler {
namespace {

// Erlang reserves memory for every file that it could open; containers often allow a milliard.
constexpr rlim_t kOpenFilesMax = 65'536;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    result.push_back(const_cast<char*>(text.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  pid_t parent = 0;
  int null_fd = -1;
  int output_fd = -1;
  const char* folder = "";  // empty: where we are
  bool ends_with_us = false;
};

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(const Prepared& prepared) {
  setpgid(0, 0);
  if (prepared.ends_with_us) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != prepared.parent) {
      _exit(126);
    }
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > kOpenFilesMax) {
    files.rlim_cur = kOpenFilesMax;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (*prepared.folder != '\0' && chdir(prepared.folder) != 0) {
    _exit(126);
  }
  dup2(prepared.null_fd, 0);
  dup2(prepared.output_fd, 1);
  dup2(prepared.output_fd, 2);
  execve(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  _exit(127);
}

}  // namespace

Result<pid_t> start_child(const ChildOptions& options) {
  std::vector<std::string> arguments{options.program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  Prepared prepared;
  prepared.argv = pointers(arguments);
  prepared.envp = pointers(options.environment);
  prepared.parent = getpid();
  prepared.folder = options.folder.c_str();
  prepared.ends_with_us = options.ends_with_us;
  prepared.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  prepared.output_fd =
      open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t child = prepared.null_fd < 0 || prepared.output_fd < 0 ? -1 : fork();
  if (child == 0) {
    become(prepared);
  }
  const int error = errno;
  close(prepared.null_fd);
  close(prepared.output_fd);
  if (child < 0) {
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot start '{}': {}", options.program, std::strerror(error)));
  }
  return child;
}

std::optional<int> poll_child(pid_t child) {
  int status = 0;
  const pid_t ended = waitpid(child, &status, WNOHANG);
  if (ended == 0) {
    return std::nullopt;
  }
  if (ended < 0) {
    return -1;  // not ours any more
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::optional<int> await_child(pid_t child, Micros wait_max) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(wait_max.count);
  for (;;) {
    if (auto status = poll_child(child)) {
      return status;
    }
    if (std::chrono::steady_clock::now() >= until) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void end_child(pid_t child, Micros wait_max) {
  kill(child, SIGTERM);
  if (!await_child(child, wait_max)) {
    kill(child, SIGKILL);
    (void)await_child(child, seconds(5));
  }
}

void kill_child_group(pid_t child) {
  kill(-child, SIGKILL);
  (void)await_child(child, seconds(5));
}

}  // namespace juggler
