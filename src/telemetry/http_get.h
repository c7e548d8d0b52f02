#pragma once
// One HTTP question to a plug on the local network, by libcurl, which is loaded when the first plug
// is asked: nobody else needs it, and it brings many libraries along.

#include <string>

#include "core/result.h"

namespace juggler {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// At most `bytes_max` of body, at most two seconds, no redirections.
//
// errors  Unsupported: no libcurl. Unavailable: no answer. TooLarge
Result<HttpAnswer> http_get(const std::string& url, std::size_t bytes_max);

}  // namespace juggler
