#pragma once
// A client of Juggler over the Transport port: submits many tasks, collects one outcome for each,
// and asks a controller questions. Used by submit, the demonstration and the listings.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/pictures.h"
#include "core/result.h"
#include "core/task.h"
#include "runtime/clock.h"
#include "runtime/transport.h"

namespace juggler {

// A task as the client sends it. The bytes are loaded when its turn comes, and kept until it has
// ended: it may have to be sent again.
struct ClientTask {
  std::string id;
  Requirements requirements;
  std::function<Result<PictureFile>()> load;
};

enum class ClientEnd {
  Answered,    // by an outcome, of whatever kind
  Unreadable,  // could not be loaded; nothing was sent
  Unroutable,  // no controller has ever declared the queue of tasks
  Refused,     // the broker took it not: its queue is full, or the message too large
  TimedOut,    // no outcome in time
  Stopped,     // the user stopped before its outcome came; it is served all the same
  NotSent,     // the user stopped before its turn came
};

struct ClientAnswer {
  ClientEnd end = ClientEnd::Stopped;
  std::string problem{};  // for all but Answered
  Outcome outcome{};      // for Answered
  std::string json{};     // the outcome's message, as it came
  Time sent{};            // by this clock, the last time
  Micros round_trip{};    // from then to the outcome
};

struct ClientRun {
  std::size_t outstanding_max = 32;
  Micros answer_wait_max = seconds(60);  // for each task, from its last publish
  std::function<void(std::size_t index, const ClientAnswer&)> ended;  // may be empty
  // Called at least every 100 ms; true stops. May be empty.
  std::function<bool()> stop;
  // Something the person should know: no connection, no controller. May be empty.
  std::function<void(const std::string&)> notice;
};

class Client {
 public:
  // `user`: the login's name, where the broker checks it. With it a task that is submitted again
  // after a reconnect is known to be the same, although its reply queue is another one.
  Client(Transport& transport, Clock& clock, std::string user)
      : transport_(transport), clock_(clock), user_(std::move(user)) {}

  // What ends connect() and ask() early: asked at least every 100 ms.
  void stop_when(std::function<bool()> stop) { stop_ = std::move(stop); }

  // errors  Unavailable with the last reason
  Result<void> connect(Micros wait_max);

  // Asks the controller; the answer is its JSON.
  //
  // errors  Unavailable: no broker, no controller, no answer; NotFound: the answer is an error
  Result<nlohmann::json> ask(const std::string& what, const std::string& task, Micros wait_max);
  // Asks the keeper for the fleet's record. errors  likewise; at once where there is no keeper
  Result<nlohmann::json> ask_keeper(Micros wait_max);

  // Tends the connection for so long.
  void idle(Micros wait);

  // Submits all tasks and returns how each ended, in their order. Every task ends exactly once.
  std::vector<ClientAnswer> run(const std::vector<ClientTask>& tasks, const ClientRun& options);

 private:
  struct Open {
    std::size_t index = 0;
    PictureFile payload;
    PublishId publish = 0;  // not yet settled; 0: settled
    Time sent;
  };

  void handle(const TransportConnected& event);
  void handle(const TransportDisconnected& event);
  void handle(const TransportBlocked& event);
  void handle(const TransportPresence& /*event*/) {}  // a controller's question
  void handle(const TransportServing& /*event*/) {}
  void handle(const TransportDelivery& event);
  void handle(const TransportSettled& event);
  void poll(Micros wait_max);

  Result<nlohmann::json> ask_with(wire::Envelope question, Micros wait_max,
                                  const std::string& nobody, const std::string& silent);
  void start_next();
  void send(Open& open);
  void end(std::size_t index, ClientAnswer answer);
  void check_times();
  void say(const std::string& text);
  bool stopped() const { return stop_ && stop_(); }

  Transport& transport_;
  Clock& clock_;
  std::string user_;
  std::string reply_queue_;  // empty: not connected
  std::string problem_;      // of the connection, the last one
  std::function<bool()> stop_;
  bool blocked_ = false;
  PublishId last_publish_ = 0;
  std::vector<TransportEvent> events_;

  // Of the question that is under way.
  std::string question_;  // its correlation id
  PublishId question_publish_ = 0;
  std::optional<std::string> answer_;
  std::optional<PublishEnd> question_end_;

  // Of the run that is under way.
  const std::vector<ClientTask>* tasks_ = nullptr;
  const ClientRun* options_ = nullptr;
  std::vector<ClientAnswer> answers_;
  std::map<std::string, Open> open_;  // by task id
  std::size_t next_ = 0;
  bool quiet_said_ = false;
  std::string last_said_;
};

// An id that no other client has: "<prefix>-<16 hexadecimal digits>".
std::string fresh_task_id(const std::string& prefix);

}  // namespace juggler
