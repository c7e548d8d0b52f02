#pragma once
// One run of `juggler up`: what it starts and how it looks after that. Inside up*.cc only.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "amqp/private_broker.h"
#include "apps/client_session.h"
#include "apps/stop_signals.h"
#include "apps/supervisor.h"
#include "apps/up.h"
#include "apps/up_members.h"
#include "runtime/clock.h"

namespace juggler {

class Up {
 public:
  Up(const UpOptions& options, std::vector<FleetMember> members)
      : options_(options),
        members_(std::move(members)),
        external_broker_(options.broker),
        supervisor_(static_cast<std::uint64_t>(getpid())),
        began_(clock_.now()) {
    const char* address = std::getenv("JUGGLER_BROKER");
    if (external_broker_.empty() && address != nullptr) {
      external_broker_ = address;
    }
  }
  ~Up();
  Up(const Up&) = delete;
  Up& operator=(const Up&) = delete;

  int run();
  // Why it ended with another status than 0, where there is a reason.
  const std::string& problem() const { return problem_; }

 private:
  int end_with(const std::string& problem, int status);
  void tell(const std::string& who, const std::string& what) const;
  bool stopped() const { return stop_signals() > 0; }
  void pause(Micros wait_max) const;
  // Looks after everything that should run; true if all should end.
  bool tend();

  // Whether another `juggler up` has its broker in this home.
  Result<void> check_free() const;
  Result<void> check_home();
  Result<void> check_labels();
  void start_labels();
  Result<void> start_broker();
  Result<void> open_private_broker();
  void restart_broker();
  Result<void> start_controller();
  Result<void> await_labels();
  Result<void> start_desk();
  Result<void> start_keeper();
  Result<void> start_http();
  Result<std::string> join_line();
  Result<void> start_device(const FleetMember& member);
  Result<void> await_fleet();
  bool note_joined(const nlohmann::json& devices);
  std::string why_none_joined() const;
  std::string trouble_of_controller() const;
  void print_ready();
  void write_address(const std::filesystem::path& file);
  int demonstrate();
  void stay();

  std::filesystem::path log(const std::string& name) const {
    return options_.home / "logs" / (name + ".log");
  }
  std::filesystem::path labels_file() const {
    return options_.home / "labels" / "twin-labels.jsonl";
  }
  // Whether it has joined and is still looked after.
  bool serves(const FleetMember& member) const {
    return std::find(joined_.begin(), joined_.end(), member.id) != joined_.end() &&
           !supervisor_.given_up(member.id);
  }
  bool has_local() const {
    return std::any_of(members_.begin(), members_.end(), [this](const FleetMember& member) {
      return member.board.empty() && serves(member);
    });
  }

  const UpOptions& options_;
  std::vector<FleetMember> members_;
  mutable SystemClock clock_;                  // reading it changes nothing
  std::optional<amqp::PrivateBroker> broker_;  // outlives the children
  Deaths broker_deaths_;
  Time broker_began_;
  std::string external_broker_;
  std::string policy_;  // of the controller
  std::string submitter_;
  std::string program_;
  std::string http_;             // its address; empty: not served
  std::optional<pid_t> labels_;  // the child that computes them
  bool labels_known_ = false;
  bool onnx_ = true;                 // whether ONNX Runtime is here
  std::vector<std::string> joined_;  // ids
  Supervisor supervisor_;
  std::unique_ptr<ClientSession> session_;
  Time began_;
  Time told_;           // when progress was last told
  std::string broken_;  // why it cannot go on: the broker or the controller is given up
  std::string problem_;
  std::filesystem::path address_file_;  // that we have written; empty: none
};

}  // namespace juggler
