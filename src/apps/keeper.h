#pragma once
// The keeper: tells devices which models they are to hold, hands the files out by their content,
// answers questions about the fleet's record, and takes rollouts forward. A program of its own, so
// that reading files never holds up a decision.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "apps/rollout_run.h"
#include "core/fleet_record.h"
#include "files/model_shelf.h"
#include "runtime/clock.h"
#include "runtime/session.h"
#include "runtime/transport.h"
#include "wire/models.h"

namespace juggler {

// The session of a keeper. Its queues are exclusive: of two keepers the second one waits.
SessionPlan keeper_plan();

class Keeper {
 public:
  // `login`: its own; whoever has it, too, may speak for any device.
  Keeper(Transport& transport, Clock& clock, ModelShelf& shelf, RecordAccess record,
         std::string login);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // One turn: waits for at most `wait_max`, and serves who has come. thread: the owner's
  void turn(Micros wait_max);

  // What became of the devices' last questions.
  struct Told {
    wire::ModelsAsked asked;
    Time at;
  };

 private:
  void handle(const TransportEvent& event);
  void serve(const TransportDelivery& delivery);
  void serve_models(const wire::Envelope& envelope);
  void tell(const std::string& device, const wire::ModelsWanted& wanted);
  void serve_chunk(const wire::Envelope& envelope);
  void answer_question(const wire::Envelope& envelope);
  void forget_silent();
  wire::ModelsWanted wanted_by(const std::string& device);
  // Reads what may have changed, at most once a second.
  void look();
  // Whether the login that the broker has checked is this device's.
  bool speaks_for(const wire::Envelope& envelope, const std::string& device) const;
  PublishId publish(wire::Envelope envelope);

  Transport& transport_;
  Clock& clock_;
  ModelShelf& shelf_;
  RecordAccess access_;
  std::string login_;
  FleetRecord record_;
  std::string record_problem_ = "the fleet's record was not read yet";
  std::string shelf_problem_;
  Time looked_at_;
  bool looked_ = false;
  std::map<std::string, Told> told_;
  RolloutRun rollouts_;
  PublishId last_publish_ = 0;
  std::string reply_queue_;                   // of what the keeper itself asks
  std::map<PublishId, std::string> told_to_;  // devices whose answers are not settled
};

}  // namespace juggler
