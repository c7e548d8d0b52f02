#pragma once
// The HTTP interface behind its server: requests become the messages of any AMQP client, outcomes
// become replies. It holds nothing that must survive: tasks lie in the broker, and whoever asked
// asks again under the same id.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/task.h"
#include "http/asked.h"
#include "http/message.h"
#include "http/metrics.h"
#include "http/routes.h"
#include "runtime/clock.h"
#include "runtime/transport.h"

namespace juggler::http {

struct FrontOptions {
  std::string user;     // the login's name, which the broker checks
  std::string version;  // for GET /v2
  // Every request that was taken gets one reply.
  std::function<void(Ticket, Reply)> reply;
  // JPEG or PNG, by the picture's header. Unsupported: neither; Corrupt, TooLarge.
  std::function<Result<PayloadKind>(std::string_view)> read_picture;
  std::function<std::string()> fresh_id;  // one that nobody else has
  std::function<FrontCounts()> counts = {};

  std::size_t tasks_max = 1'024;         // open at once
  std::size_t tasks_of_one_max = 256;    // of these, of one token
  Bytes payloads_max = mebibytes(256);   // that they hold
  std::size_t kept_max = 10'000;         // outcomes that somebody may still fetch
  Bytes kept_bytes_max = mebibytes(64);  // of these
  Micros kept_for = seconds(600);        // each
  Micros answer_wait = seconds(60);      // for the outcome of a task without a deadline
  Micros answer_grace = seconds(10);     // after a deadline, until `expired` must have come
  Micros unfetched_wait = seconds(900);  // for the outcome of a task that nobody waits for
  Micros question_wait = seconds(5);     // for the controller's answer
  Micros question_fresh = seconds(1);    // so long an answer serves who asks the same
};

class Front {
 public:
  // thread  one, the owner of the transport, for all of this class
  Front(Transport& transport, Clock& clock, FrontOptions options);

  void take(Ticket ticket, const Route& route, const Request& request);

  // Tends the connection for at most `wait_max` and answers what is due.
  void turn(Micros wait_max);

  std::size_t tasks_open() const { return open_.size(); }

 private:
  // Somebody who waits for a task: for its acceptance, or for its outcome.
  struct Waiter {
    Ticket ticket = 0;
    bool acceptance = false;
    std::optional<InferReply> infer;
  };
  struct Open {
    std::string who;
    std::string id;  // the client's own
    wire::Envelope task;
    PublishId publish = 0;  // not settled yet; 0: settled
    bool confirmed = false;
    bool fetched = false;  // its outcome is kept, for GET /v1/tasks/ID
    Time give_up;
    std::vector<Waiter> waiters;
  };
  struct Kept {
    std::string who;
    std::string id;
    std::string json;
    Outcome outcome;
    Time until;
  };
  using Answers = std::map<std::string, nlohmann::json, std::less<>>;
  struct Question {
    std::string correlation;
    PublishId publish = 0;
    Time asked;
  };
  struct Curious {
    Ticket ticket = 0;
    std::vector<std::string> questions;
    std::function<Reply(const Answers&)> reply;
    Time until;
  };

  void handle(const TransportConnected& event);
  void handle(const TransportDisconnected& /*event*/);
  void handle(const TransportBlocked& /*event*/) {}  // publishes are held, and go out afterwards
  void handle(const TransportPresence& /*event*/) {}
  void handle(const TransportServing& /*event*/) {}
  void handle(const TransportDelivery& event);
  void handle(const TransportSettled& event);

  // Tasks: front.cc.
  void submit(Ticket ticket, const Request& request, Result<Asked> asked, bool acceptance);
  std::optional<Reply> no_room(const std::string& who, std::size_t bytes) const;
  void attach(const std::string& task, Open& open, Waiter waiter);
  void send(Open& open);
  void outcome_came(const wire::Envelope& message);
  void accepted(const std::string& task, Open& open);
  void give_up(std::map<std::string, Open>::iterator open, const Reply& reply);
  void check_tasks();
  void keep(const std::string& task, Kept kept);
  void forget_oldest(const std::string& who);
  Reply state_of(const std::string& task, const std::string& id) const;

  // Questions to the controller: front_questions.cc.
  void look_up(Ticket ticket, const Route& route);
  void ask(Ticket ticket, std::vector<std::string> questions,
           std::function<Reply(const Answers&)> reply);
  bool answer_came(const wire::Envelope& message);
  bool question_settled(const TransportSettled& event);
  void check_questions();
  void fail_questions(const Reply& reply);

  Transport& transport_;
  Clock& clock_;
  FrontOptions options_;
  std::string reply_queue_;  // empty: not connected
  PublishId last_publish_ = 0;
  std::vector<TransportEvent> events_;

  std::map<std::string, Open> open_;                         // by the id that the fleet sees
  Bytes payloads_;                                           // of these
  std::map<std::string, std::size_t, std::less<>> open_of_;  // how many, by token
  std::map<std::string, Kept> kept_;
  Bytes kept_bytes_;
  struct KeptOfOne {
    std::deque<std::string> order;  // oldest first
    Bytes bytes;
  };
  std::map<std::string, KeptOfOne> kept_of_;  // by token; none is empty

  std::map<std::string, Question> questions_;  // under way, by what they ask
  Answers answers_;
  std::map<std::string, Time, std::less<>> answered_at_;
  std::vector<Curious> curious_;
};

}  // namespace juggler::http
