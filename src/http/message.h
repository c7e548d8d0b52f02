#pragma once
// A request and its reply as values, so that what answers knows no sockets.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/units.h"
#include "wire/envelope.h"

namespace juggler::http {

using Fields = std::map<std::string, std::string, std::less<>>;

// Headers' names are in lower case. Paths and queries are decoded.
struct Request {
  std::string method;
  std::string path;
  Fields query;
  Fields headers;
  wire::Body body;  // never null once the request is complete
  std::string who;  // whose token it came with; kLocal where none is asked for
};

inline constexpr const char* kLocal = "local";

struct Reply {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool slow = false;  // is held back for a while: the answer to a wrong token
};

// ASCII letters in lower case; all else as it is.
std::string lower_case(std::string_view text);

// What names a request for which a reply is owed.
using Ticket = std::uint64_t;

// The value of a field; empty where there is none.
std::string_view value_of(const Fields& fields, std::string_view name);

// An answer that is none: what went wrong, why, and what to do.
struct Problem {
  int status = 500;
  std::string error = {};
  std::string why = {};
  std::string next = {};
};
Reply refuse(const Problem& problem);

// 503 or 429, with the header that says when to come again.
Reply try_later(const Problem& problem);

}  // namespace juggler::http
