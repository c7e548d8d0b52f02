#pragma once
// What a client is told about its task. Pure; docs/http.md#status has the table.

#include <string>

#include "core/result.h"
#include "core/task.h"
#include "http/asked.h"
#include "http/message.h"

namespace juggler::http {

// How the fleet knows a client's task: ids of one token's holder are no other's.
std::string task_of(const std::string& who, const std::string& id);

// `json`: the outcome's message, as it came.
Reply outcome_reply(const std::string& id, const std::string& task, const Outcome& outcome,
                    const std::string& json);
// 202. `done`: its outcome is there.
Reply accepted_reply(const std::string& id, const std::string& task, bool done);
// GET /v1/tasks/ID; `json` is empty while there is no outcome.
Reply state_reply(const std::string& id, const std::string& task, const std::string& json);
// A request that cannot be a task.
Reply unreadable(const Error& error);

Reply no_broker();  // its address is nobody's business who asks
Reply no_controller();

}  // namespace juggler::http
