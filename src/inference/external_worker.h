#pragma once
// The worker process of an external engine: started, spoken to, and started again when it dies,
// hangs or talks nonsense. Its crash is its own: the consumer goes on.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"
#include "files/catalogue.h"
#include "inference/external_protocol.h"
#include "inference/external_socket.h"
#include "runtime/clock.h"
#include "runtime/retry_ladder.h"

namespace juggler::external {

struct WorkerOptions {
  std::string name;  // of its processor, for messages
  // The program and its arguments; `{socket}` becomes the socket's path. Empty: somebody else
  // starts it, and it finds the socket by itself.
  std::vector<std::string> command;
  std::filesystem::path socket;
  std::filesystem::path log;  // what it prints
  Micros start_max = seconds(120);
  Micros load_max = seconds(120);
  Micros run_max = seconds(30);
  Micros restart_delay_max = seconds(30);
  std::uint64_t seed = 1;
};

// thread  one at a time, any. The thread that started the process should live as long as it is to
//         run: it ends with that thread
class Worker {
 public:
  // errors  the socket cannot be made
  static Result<std::unique_ptr<Worker>> start(WorkerOptions options);
  // Asks it to end by closing the connection; after two seconds it is killed.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Looks after it, without waiting: takes its hello, notes its death, starts it again when due.
  void look();
  // When look() wants to be called at the latest.
  Micros look_again() const;
  // Until it has said hello, or failed for the first time.
  Result<Hello> await_hello();

  bool ready() const { return state_ == State::Ready; }
  // Counts hellos: what was loaded under an earlier number is not loaded any more.
  std::uint64_t life() const { return life_; }
  const Hello& hello() const { return hello_; }
  // Why it is not ready; empty if it is.
  std::string trouble() const;

  // errors  Unavailable: not ready, or gone, or silent for too long (then it is killed); a refusal
  //         of its own, with its reason
  Result<Loaded> load(const CatalogueVariant& variant);
  Result<Scores> run(const std::string& variant, std::span<const float> input, int batch);
  Result<void> unload(const std::string& variant);

 private:
  enum class State { Down, Starting, Ready };

  Worker(WorkerOptions options, WorkerSocket socket);
  void spawn();
  void greet();
  void watch();
  void fall(const std::string& why);
  Result<Answer> ask(std::int64_t id, const std::string& head, std::string_view tensor,
                     Micros wait_max);

  WorkerOptions options_;
  WorkerSocket socket_;
  SystemClock clock_;
  RetryLadder ladder_;
  State state_ = State::Down;
  Time next_start_;     // while down
  Time start_expires_;  // while starting
  std::optional<pid_t> child_;
  Hello hello_;
  std::uint64_t life_ = 0;
  std::int64_t last_request_ = 0;
  std::string last_trouble_ = "it has not started yet";
};

}  // namespace juggler::external
