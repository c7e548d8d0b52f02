#pragma once
// A picture and its requirements, as the body, the query and the headers of a request state them.
// They become the message that any AMQP client would send, and are checked as the controller checks
// that: no rule is written twice.

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "http/message.h"

namespace juggler::http {

// How an answer by the Open Inference Protocol is to look.
struct InferReply {
  std::string model;    // as the path names it
  bool binary = false;  // the labels behind the JSON, not in it
};

struct Asked {
  std::string id;                        // the client's own; empty: it gave none
  wire::Envelope task;                   // content_type, priority, headers, body
  bool picture = true;                   // the body is a JPEG or PNG; which one, its bytes say
  std::optional<InferReply> infer = {};  // nothing: the answer is the outcome itself
};

inline constexpr std::size_t kIdMax = 64;

// The id of a task as clients may choose it: letters, digits and . _ ~ : - make it fit for a path.
bool valid_id(std::string_view id);

// POST /v1/classify and /v1/tasks: the body is the picture, requirements are in the query or in
// headers; the query wins.
//
// errors  InvalidArgument, in words for the client
Result<Asked> read_classify(const Request& request);

// POST /v2/models/NAME/infer: JSON, with tensors behind it where `inference-header-content-length`
// says so. Requirements are in `parameters` or in headers; `parameters` wins.
//
// errors  InvalidArgument, Unsupported or TooLarge, in words for the client
Result<Asked> read_infer(const Request& request, const std::string& model);

// Puts what the headers require into a task. Inside asked*.cc.
void take_headers(const Fields& headers, bool infer, Asked& asked);
// Sets a requirement of the task by its name in the protocol.
void require(Asked& asked, std::string_view name, wire::HeaderValue value);
// Priorities of the Open Inference Protocol: 0 none, 1 most urgent; ours: 9 most urgent.
std::int64_t priority_of_infer(std::int64_t priority);
// Holds the finished task to the controller's own rules.
Result<Asked> checked(Asked asked);

}  // namespace juggler::http
