#pragma once
// What the Open Inference Protocol says of servers, models and answers, made from the controller's
// answers and a task's outcome. Pure. docs/http.md has the mapping.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/task.h"
#include "http/asked.h"
#include "http/message.h"

namespace juggler::http {

inline constexpr const char* kInputName = "image";
inline constexpr const char* kOutputName = "labels";

nlohmann::json server_metadata(const std::string& version);

// Of the answer to the question `models`: what `auto`, a model, a network or a variant by that name
// can be answered by.
struct NamedModel {
  bool known = false;
  bool ready = false;  // some device holds it
};
NamedModel find_model(const nlohmann::json& models, const std::string& name);
nlohmann::json model_metadata(const std::string& name);

// requires  a completed task
Reply infer_reply(const InferReply& wanted, const std::string& id, const std::string& task,
                  const Outcome& outcome);

}  // namespace juggler::http
