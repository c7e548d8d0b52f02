#pragma once
// A device's side of models by content: asks the keeper what it is to hold, and fetches what it
// does not have, chunk by chunk, from where it stopped.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "files/model_folder.h"
#include "runtime/clock.h"
#include "runtime/repeated_warning.h"
#include "runtime/retry_ladder.h"
#include "runtime/session.h"
#include "runtime/transport.h"
#include "wire/models.h"

namespace juggler {

struct ModelFetchOptions {
  std::string device;
  std::string login;    // its user at the broker
  std::string version;  // of the program
};

// The session that asks. `priority`: it reads the device's control queue, too, where answers come,
// before others that do with a lower one; none: what comes there is handed on by heard().
SessionPlan model_fetch_plan(const std::string& device, std::optional<std::int64_t> priority);

class ModelFetch {
 public:
  ModelFetch(Transport& transport, Clock& clock, ModelFolder folder, ModelFetchOptions options);
  ModelFetch(const ModelFetch&) = delete;
  ModelFetch& operator=(const ModelFetch&) = delete;

  // One turn: waits for at most `wait_max`, and goes on with whatever is due. thread: the owner's
  void turn(Micros wait_max);

  // A message from the device's control queue that another session has read.
  void heard(const wire::Envelope& envelope);

  // What is wanted may have changed: asks with the next turn.
  void ask_now() { ask_at_ = Time{}; }
  // The same for a whole fleet that was told so at one moment: within two seconds, each at its own.
  void ask_soon();
  // A model that the device could not serve: told with every question.
  void refuse(wire::FetchProblem problem) { refused_.push_back(std::move(problem)); }

  // Whether all that is wanted, and fits, is here; the catalogue is then the one to install.
  bool settled() const { return settled_; }
  const std::string& catalogue() const { return plan_.catalogue; }
  // Whether that is another one than the device has now.
  bool changed() const;
  // Why it does not get on; empty where it does.
  const std::string& problem() const { return problem_; }

 private:
  void handle(const TransportEvent& event);
  void wanted(const wire::Envelope& envelope);
  void chunk(const wire::Envelope& envelope);
  void ask();
  void ask_chunks();
  void next_file();
  void note(const std::string& problem);
  // Waits before it asks again: for so long, or else ever longer.
  void stuck(const std::string& why, std::optional<Micros> pause = std::nullopt);
  void tell_progress();
  void publish(wire::Envelope envelope);

  Transport& transport_;
  Clock& clock_;
  ModelFolder folder_;
  ModelFetchOptions options_;

  bool linked_ = false;
  bool waiting_ = false;  // for the answer to what was asked
  bool settled_ = false;
  Time ask_at_;     // when to ask what is wanted
  Time answer_by_;  // then what was asked is asked again
  FetchPlan plan_;
  std::size_t file_ = 0;       // of plan_.missing, under way
  std::int64_t asked_to_ = 0;  // up to where chunks of it were asked for
  int bad_chunks_ = 0;         // in a row
  int bad_files_ = 0;          // of this plan: whole, and not what they should be
  std::int64_t fetched_ = 0;   // bytes, of this plan
  Time told_;
  std::string problem_;
  RepeatedWarning said_;
  RetryLadder again_;
  std::vector<wire::FetchProblem> refused_;
  std::vector<wire::FetchProblem> problems_;  // of this plan
  PublishId last_publish_ = 0;
};

}  // namespace juggler
