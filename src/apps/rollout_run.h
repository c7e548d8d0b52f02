#pragma once
// Rollouts as the keeper takes them forward: asks the controller who serves what, watches results,
// tries the variant where nobody else does, and changes the record.

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/fleet_record.h"
#include "core/rollout.h"
#include "runtime/clock.h"
#include "runtime/session.h"
#include "runtime/transport.h"

namespace juggler {

// The fleet's record, where it is kept.
struct RecordAccess {
  std::function<Result<FleetRecord>()> read;
  std::function<Result<FleetRecord>(const std::function<Result<void>(FleetRecord&)>&)> edit;
  std::function<void()> nudge;                               // devices, to ask again
  std::function<std::unique_ptr<Transport>()> open_results;  // a session that sees all results
};

// The session that sees every result, by a queue of its own, while something is rolled out.
SessionPlan results_watch_plan();

// Whether a device fetches its models.
using Fetches = std::function<bool(const std::string& device)>;

class RolloutRun {
 public:
  // `publish`: on the keeper's session, which puts its reply queue in and hears the answers.
  RolloutRun(Clock& clock, const RecordAccess& access, std::function<void(wire::Envelope)> publish)
      : clock_(clock), access_(access), publish_(std::move(publish)) {}

  // Goes on with what rolls, among the devices that fetch their models. Returns whether it has
  // changed the record.
  bool turn(const FleetRecord& record, const Fetches& fetches);
  bool rolling() const { return results_ != nullptr; }
  // An answer: the controller's, or an outcome.
  void heard(const wire::Envelope& envelope);

 private:
  // One rollout under way, on the device that it came to last.
  struct Trial {
    std::string device;
    RolloutTrial seen;
    Time reached_at;
    std::optional<Time> served_at;
    Time probed_at;
    int probes = 0;
  };

  void watch_results();
  void ask_controller();
  void probe(const std::string& variant, Trial& trial);
  bool advance(const FleetRecord& record, const Rollout& rollout, Trial& trial,
               const Fetches& fetches);
  bool change(const std::string& variant, const std::function<void(Rollout&)>& change);
  bool is_live(const std::string& device) const;
  std::optional<Micros> measured(const std::string& variant, const std::string& device) const;

  Clock& clock_;
  const RecordAccess& access_;
  std::function<void(wire::Envelope)> publish_;
  std::unique_ptr<Transport> results_;
  std::map<std::string, Trial> trials_;  // by variant
  std::vector<std::string> live_;        // by the controller's last answer
  bool answered_ = false;
  std::optional<Time> rolls_since_;
  // By variant and device: what it takes there, for one picture.
  std::map<std::pair<std::string, std::string>, Micros> served_;
  Time asked_at_;
  std::uint64_t questions_ = 0;
};

}  // namespace juggler
