#pragma once
// Every message of the protocol, typed to bytes and back. docs/protocol.md is its specification.
// Decoders take anything and never throw: unknown fields are ignored, an unknown major version or a
// malformed message is an error that names the field.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/controller_messages.h"
#include "core/result.h"
#include "core/task.h"
#include "wire/envelope.h"

namespace juggler::wire {

inline constexpr int kMajor = 1;
inline constexpr int kMinor = 0;

// Names in the broker.
inline constexpr const char* kSubmitExchange = "juggler.submit";
inline constexpr const char* kTasksQueue = "juggler.tasks";
inline constexpr const char* kDispatchExchange = "juggler.dispatch";
inline constexpr const char* kUpExchange = "juggler.up";
inline constexpr const char* kControlExchange = "juggler.control";
inline constexpr const char* kDeadQueue = "juggler.dead";      // what nobody could read
inline constexpr const char* kFailedQueue = "juggler.failed";  // failed tasks, by controllers alone
inline constexpr const char* kUnroutedExchange = "juggler.unrouted";
inline constexpr const char* kResultsQueue = "juggler.results";
inline constexpr const char* kDecidedQueue = "juggler.decided";
inline constexpr const char* kQueriesQueue = "juggler.queries";
// Of those who ask by a controller's login, `juggler.replies.<random>`: exclusive queues.
inline constexpr const char* kRepliesPrefix = "juggler.replies.";

// A submission as far as it could be read: with a refusal, what is needed to answer it is there.
struct DecodedSubmission {
  Submission submission;
  bool id_given = true;
  std::string refusal;  // not empty: why this cannot be a task
};

// Whether answers may be sent there: they go out with the controller's rights, so a reply queue
// must not be one of the system's own. Nor direct reply-to: RabbitMQ puts the true address in for
// its plain name alone and passes on what somebody has written himself; an invented one ends the
// connection of whoever publishes there, or has the broker look for another node.
bool allowed_reply_to(std::string_view queue);

// Who sent it, as a task's key says it: the login that the broker has checked, else the queue that
// the answer goes to.
std::string submitter_of(const Envelope& envelope);

// The payload's handle, and its width and height for pictures, are the caller's to set.
DecodedSubmission decode_submission(const Envelope& envelope, bool redelivered);
Envelope encode_submission(const Submission& submission, Body payload);

// A message into the tasks' queue that is no task: runtime/task_marks.h. `login`: the sender's.
Envelope encode_mark(const std::string& login, std::string name);
bool is_mark(const Envelope& envelope);

Envelope encode_dispatch(const Dispatch& dispatch, Body payload);
Result<Dispatch> decode_dispatch(const Envelope& envelope);

Envelope encode_result(const AttemptResult& result);
Result<AttemptResult> decode_result(const Envelope& envelope);

Envelope encode_hello(const DeviceFacts& facts);
Result<DeviceFacts> decode_hello(const Envelope& envelope);

Envelope encode_heartbeat(const Heartbeat& heartbeat);
Result<Heartbeat> decode_heartbeat(const Envelope& envelope);

// Controller to a device's control queue.
enum class ControlKind { Hello, Drain, Heartbeat, Models, Rename };
struct Control {
  ControlKind kind = ControlKind::Hello;
  Micros every{};          // for Heartbeat
  std::string device{};    // for Rename: what it is called from now on
  std::string password{};  // for Rename: of the login of that name

  friend bool operator==(const Control&, const Control&) = default;
};
Envelope encode_control(const std::string& device, const Control& control);
Result<Control> decode_control(const Envelope& envelope);

// To `reply_to`; with none, to the exchange juggler.unrouted.
Envelope encode_outcome(const Outcome& outcome, const std::string& reply_to,
                        const std::string& correlation_id);
// To the queue juggler.decided.
Envelope encode_decided(const Outcome& outcome);
// To the queue juggler.failed: the payload, with the outcome in a header, which has to fit one
// frame: reasons are cut short, those of the oldest attempts first.
Envelope encode_dead(const Outcome& outcome, const Submission& submission, Body payload);
// To the queue juggler.dead, where people look: a copy of a message that nobody could
// read. Of its headers it has those of a submission alone: CC and BCC would send it elsewhere, and
// x-death the broker would believe.
//
// `queue`: where it came from; `reason`: why it could not be read
Envelope encode_unreadable(const Envelope& foreign, const std::string& queue,
                           const std::string& reason);
// To juggler.dead as well: an outcome that the broker has taken nowhere else.
Envelope encode_stranded(const Outcome& outcome);
// Whether it is that of a controller. One of an earlier version lies in juggler.dead, among what
// anybody can have put there: by the broker's rejection, or by a controller that could not read it.
bool is_failed_task(const Envelope& dead);
// The same task as a new one under this id; nothing where it is not a failed task's.
std::optional<Envelope> submit_again(Envelope dead, const std::string& id);
Result<Outcome> decode_outcome(const Envelope& envelope);

// The JSON of an outcome, the same as its message's body.
std::string outcome_json(const Outcome& outcome);

}  // namespace juggler::wire
