#include "apps/supervisor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "apps/flags.h"
#include "apps/stop_signals.h"
#include "runtime/child_process.h"
#include "runtime/clock.h"

namespace juggler {
namespace {

constexpr Micros kBackoffFirst = milliseconds(500);
constexpr Micros kBackoffMax = seconds(30);
constexpr Micros kEndMax = seconds(10);

// Half to one and a half of the doubled time: children that die together do not return together.
Micros backoff(int deaths, Rng& rng) {
  const std::int64_t doubled = kBackoffFirst.count << std::min(deaths - 1, 10);
  const std::int64_t base = std::min(doubled, kBackoffMax.count);
  return {base / 2 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(base)))};
}

// What a program says for people when it fails: its last error; empty where `line` is none.
std::string complaint_of(const std::string& line) {
  constexpr std::string_view kOurs = "juggler: ";
  constexpr std::string_view kLogged = " error ";
  if (line.rfind(kOurs, 0) == 0) {
    return line.substr(kOurs.size());
  }
  const std::size_t at = line.find(kLogged);
  return at != std::string::npos ? line.substr(at + kLogged.size()) : "";
}

// True once it has ended. A second signal does not wait for what a device still finishes.
bool await_end(pid_t pid, Micros wait_max) {
  SystemClock clock;
  const Time until = clock.now() + wait_max;
  while (clock.now() < until) {
    if (await_child(pid, milliseconds(100))) {
      return true;
    }
    if (stop_signals() > 1) {
      kill(pid, SIGKILL);
    }
  }
  return false;
}

}  // namespace

bool Deaths::note(Time started, Time now) {
  count_ = now - started >= kSettled ? 1 : count_ + 1;
  return count_ >= kMax;
}

Result<void> Supervisor::launch(Child& child, Time now) {
  std::error_code failed;
  const std::uintmax_t written = std::filesystem::file_size(child.spec.log, failed);
  child.log_begin = failed ? 0 : static_cast<std::int64_t>(written);
  const Result<pid_t> pid =
      start_child({.program = child.spec.program,
                   .arguments = child.spec.arguments,
                   .environment = environment_with("JUGGLER_BROKER", child.spec.broker),
                   .output = child.spec.log,
                   .ends_with_us = true});
  child.restart_at = Time::never();
  if (!pid) {
    return pid.error();
  }
  child.pid = *pid;
  child.started = now;
  return {};
}

Result<void> Supervisor::start(ChildSpec spec, Time now) {
  Child child;
  child.spec = std::move(spec);
  if (Result<void> launched = launch(child, now); !launched) {
    return launched;
  }
  children_.push_back(std::move(child));
  return {};
}

void Supervisor::died(Child& child, int status, Time now, std::vector<std::string>& told) {
  child.pid = -1;
  const bool too_many = child.deaths.note(child.started, now);
  const std::string how = status > 128 ? fmt::format("was ended by signal {}", status - 128)
                                       : fmt::format("ended with status {}", status);
  const std::string why = complaint_of(last_log_line(child.spec.log, child.log_begin));
  child.last_end = how + (why.empty() ? "" : ": " + why);
  if (status == kExitUsage || too_many) {
    child.given_up = true;
    told.push_back(fmt::format("{} is given up; it {} (log: {})", child.spec.name, child.last_end,
                               child.spec.log));
    return;
  }
  const Micros wait = backoff(child.deaths.count(), rng_);
  child.restart_at = now + wait;
  told.push_back(fmt::format("{} starts again in {:.1f} s; it {}", child.spec.name,
                             static_cast<double>(wait.count) / 1e6, child.last_end));
}

void Supervisor::look(Time now, std::vector<std::string>& told) {
  for (Child& child : children_) {
    if (child.pid > 0) {
      if (const std::optional<int> status = poll_child(child.pid)) {
        died(child, *status, now, told);
      }
    }
    if (child.pid < 0 && !child.given_up && child.restart_at <= now) {
      if (Result<void> launched = launch(child, now); launched) {
        told.push_back(child.spec.name + " runs again");
      } else {
        child.deaths.note_failed_start();
        child.restart_at = now + backoff(child.deaths.count(), rng_);
        told.push_back(launched.error().message);
      }
    }
  }
}

Time Supervisor::next_restart() const {
  Time next = Time::never();
  for (const Child& child : children_) {
    next = std::min(next, child.restart_at);
  }
  return next;
}

const Supervisor::Child* Supervisor::find(const std::string& name) const {
  const auto at = std::find_if(children_.begin(), children_.end(),
                               [&](const Child& child) { return child.spec.name == name; });
  return at != children_.end() ? &*at : nullptr;
}

bool Supervisor::given_up(const std::string& name) const {
  const Child* child = find(name);
  return child != nullptr && child->given_up;
}

bool Supervisor::running(const std::string& name) const {
  const Child* child = find(name);
  return child != nullptr && child->pid > 0;
}

std::string Supervisor::last_end(const std::string& name) const {
  const Child* child = find(name);
  return child != nullptr ? child->last_end : "";
}

std::string Supervisor::last_words(const std::string& name) const {
  const Child* child = find(name);
  return child != nullptr ? last_log_line(child->spec.log, child->log_begin) : "";
}

void Supervisor::stop_all() {
  // All but the first, the controller, are asked at once: each has its own work to finish.
  for (std::size_t i = children_.size(); i > 1; --i) {
    if (children_[i - 1].pid > 0) {
      kill(children_[i - 1].pid, SIGTERM);
    }
  }
  for (std::size_t i = children_.size(); i > 0; --i) {
    Child& child = children_[i - 1];
    if (child.pid > 0 && (i == 1 || !await_end(child.pid, kEndMax))) {
      end_child(child.pid, kEndMax);
    }
    child.pid = -1;
  }
  children_.clear();
}

std::vector<std::string> environment_with(const std::string& name, const std::string& value) {
  std::vector<std::string> variables{name + "=" + value};
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (text.rfind(name + "=", 0) != 0) {
      variables.push_back(text);
    }
  }
  return variables;
}

Result<std::string> sibling_program(const std::string& name) {
  std::error_code failed;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::filesystem::path program = own.parent_path() / name;
  if (failed || access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::NotFound,
                fmt::format("{} is missing beside this program ({}): build it, or install the "
                            "package that has it",
                            name, own.parent_path().string()));
  }
  return program.string();
}

std::string last_log_line(const std::string& path, std::int64_t from) {
  constexpr std::streamoff kTail = 2048;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return "";
  }
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(from, size - kTail));
  std::string line;
  std::string last;
  while (std::getline(file, line)) {
    if (!line.empty()) {
      last = line;
    }
  }
  return last.substr(0, 500);
}

}  // namespace juggler
