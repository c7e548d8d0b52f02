#pragma once
// Enrols devices that come with a one-time token: the other side of `juggler-consumer join`.

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "apps/fleet_admin.h"
#include "runtime/clock.h"
#include "runtime/transport.h"
#include "wire/join.h"

namespace juggler {

// A device whose clock is further off would mistake what is current for what is old.
inline constexpr std::int64_t kClockSecondsMax = 300;

class JoinDesk {
 public:
  JoinDesk(Transport& transport, Clock& clock, FleetAdmin admin);
  JoinDesk(const JoinDesk&) = delete;
  JoinDesk& operator=(const JoinDesk&) = delete;

  // One turn: waits for at most `wait_max`, and serves who has come. May take seconds: the broker's
  // control program does the work; the connection is kept alive meanwhile. thread: the owner's
  void turn(Micros wait_max);

  // Takes away the tokens that have ended.
  void sweep();

 private:
  struct Judgement {
    wire::JoinAnswer answer;
    std::string device;  // enrolled
  };

  // A token whose login is to go.
  struct Spent {
    std::string token;
    Time removed_at;
  };

  void handle(const TransportEvent& event);
  void serve(const TransportDelivery& delivery);
  void remove_spent();
  Judgement judge(const wire::Envelope& envelope);
  Judgement enrol(const std::string& token, const std::string& device);

  Transport& transport_;
  Clock& clock_;
  FleetAdmin admin_;
  std::set<std::string> used_;  // in this run; the broker has forgotten their passwords
  PublishId last_publish_ = 0;
  std::vector<TransportEvent> events_;  // not handled yet
  std::deque<Spent> spent_;
};

// The session in which requests come.
SessionPlan join_desk_plan();

}  // namespace juggler
