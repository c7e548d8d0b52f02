#include "runtime/child_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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
  int input_fd = -1;
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
  dup2(prepared.input_fd, 0);
  dup2(prepared.output_fd, 1);
  dup2(prepared.output_fd, 2);
  execve(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  _exit(127);
}

// A file in memory: a pipe would block beyond its size, and one on disk could be read by others.
int open_input(const std::string& text) {
  if (text.empty()) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  const int fd = memfd_create("input", MFD_CLOEXEC);
  if (fd >= 0 && (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
                  lseek(fd, 0, SEEK_SET) != 0)) {
    close(fd);
    return -1;
  }
  return fd;
}

std::string text_of(int fd) {
  constexpr std::size_t kOutputMax = 16U << 20U;
  std::string text;
  std::array<char, 65'536> piece{};
  for (;;) {
    const ssize_t count = pread(fd, piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (count <= 0 || text.size() > kOutputMax) {
      return text;
    }
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

Result<ChildEnd> run_child(ChildOptions options, Micros wait_max,
                           const std::function<void()>& meanwhile) {
  const int fd = memfd_create("output", MFD_CLOEXEC);
  if (fd < 0) {
    return fail(ErrorCode::Unavailable, fmt::format("no file in memory: {}", std::strerror(errno)));
  }
  options.output = fmt::format("/proc/self/fd/{}", fd);
  const Result<pid_t> child = start_child(options);
  if (!child) {
    close(fd);
    return child.error();
  }
  constexpr Micros kSlice = milliseconds(20);
  Micros left = wait_max;
  std::optional<int> status = await_child(*child, meanwhile ? Micros{0} : left);
  while (!status && meanwhile && left.count > 0) {
    meanwhile();
    status = await_child(*child, kSlice);
    left = left - kSlice;
  }
  if (!status) {
    end_child(*child, seconds(1));
  }
  ChildEnd end{status.value_or(-1), text_of(fd)};
  close(fd);
  if (!status) {
    return fail(ErrorCode::Unavailable, fmt::format("'{}' did not end within {} s", options.program,
                                                    wait_max.count / 1'000'000));
  }
  return end;
}

Result<pid_t> start_child(const ChildOptions& options) {
  std::vector<std::string> arguments{options.program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  Prepared prepared;
  prepared.argv = pointers(arguments);
  prepared.envp = pointers(options.environment);
  prepared.parent = getpid();
  prepared.folder = options.folder.c_str();
  prepared.ends_with_us = options.ends_with_us;
  prepared.input_fd = open_input(options.input);
  prepared.output_fd =
      open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t child = prepared.input_fd < 0 || prepared.output_fd < 0 ? -1 : fork();
  if (child == 0) {
    become(prepared);
  }
  const int error = errno;
  close(prepared.input_fd);
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
