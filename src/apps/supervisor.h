#pragma once
// Child processes that should keep running: started, restarted with back-off when they die, and
// stopped in reverse order. They end with the thread that started them, however it ends.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "core/units.h"

namespace juggler {

struct ChildSpec {
  std::string name;
  std::string program;
  std::vector<std::string> arguments;
  std::string broker;  // by $JUGGLER_BROKER: an address holds a password
  std::string log;     // its stdout and stderr, appended
};

// Deaths in a row of one process: one that came after it had run well counts as the first again.
class Deaths {
 public:
  // Notes one; true where it is one too many.
  bool note(Time started, Time now);
  void note_failed_start() { count_ += 1; }
  int count() const { return count_; }

  static constexpr int kMax = 5;
  static constexpr Micros kSettled = seconds(30);  // what lasted this long is not "dying again"

 private:
  int count_ = 0;
};

class Supervisor {
 public:
  explicit Supervisor(std::uint64_t seed) : rng_(seed) {}
  ~Supervisor() { stop_all(); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // thread  all of this class: the one that lives as long as the children shall
  Result<void> start(ChildSpec spec, Time now);

  // Reaps what has ended and starts again what is due. What happened, for people, goes to `told`.
  void look(Time now, std::vector<std::string>& told);
  // When look() has something to do if nothing else happens.
  Time next_restart() const;

  // Whether `name` will not be started again: its flags were refused, or it never lasted.
  bool given_up(const std::string& name) const;
  bool running(const std::string& name) const;
  // The last line that it has logged since its start.
  std::string last_words(const std::string& name) const;
  // How `name` ended the last time, with its own reason where it gave one: "ended with status 2:
  // there is no policy 'x'". Empty where it never did.
  std::string last_end(const std::string& name) const;

  // Ends the last started first: devices drain, then the controller goes.
  void stop_all();

 private:
  struct Child {
    ChildSpec spec;
    pid_t pid = -1;
    Time started;
    Time restart_at = Time::never();
    Deaths deaths;
    std::int64_t log_begin = 0;  // where the log of this start begins: it is appended to
    std::string last_end;
    bool given_up = false;
  };
  Result<void> launch(Child& child, Time now);
  void died(Child& child, int status, Time now, std::vector<std::string>& told);
  const Child* find(const std::string& name) const;

  std::vector<Child> children_;
  Rng rng_;
};

// This process's environment with `name` set to `value`.
std::vector<std::string> environment_with(const std::string& name, const std::string& value);

// The program `name` in the folder of this one.
Result<std::string> sibling_program(const std::string& name);

// The last line that a log file has from the byte `from` on, for messages.
std::string last_log_line(const std::string& path, std::int64_t from = 0);

}  // namespace juggler
