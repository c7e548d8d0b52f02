#pragma once
// The command line's questions to a controller, answered from its state: devices, models, policies,
// tasks, explain, status. They come by the queue `juggler.queries` and are answered in JSON; the
// fields are documented in docs/protocol.md.

#include <string>

#include "core/controller.h"
#include "wire/envelope.h"

namespace juggler {

struct ShellStats;

// Who answers.
struct Answerer {
  std::string version;
  std::string
      login;  // the controller's user at the broker: who has it, too, sees everybody's tasks
};

// The reply to a question, ready to be published to its `reply_to`. A question that cannot be read
// gets {"error": …}. Who asks is told of its own tasks alone (wire::submitter_of).
wire::Envelope answer_query(const Controller& controller, const ShellStats& shell,
                            const Answerer& self, Time now, const wire::Envelope& question);

// A question: {"query": what, …arguments}.
wire::Envelope make_query(const std::string& what, const std::string& task,
                          const std::string& reply_to, const std::string& correlation_id);

}  // namespace juggler
