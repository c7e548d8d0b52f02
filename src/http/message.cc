#include "http/message.h"

#include <nlohmann/json.hpp>

namespace juggler::http {

std::string_view value_of(const Fields& fields, std::string_view name) {
  const auto at = fields.find(name);
  return at == fields.end() ? std::string_view() : std::string_view(at->second);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

Reply refuse(const Problem& problem) {
  nlohmann::json body{{"error", problem.error}};
  if (!problem.why.empty()) {
    body["why"] = problem.why;
  }
  if (!problem.next.empty()) {
    body["next"] = problem.next;
  }
  Reply reply;
  reply.status = problem.status;
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return reply;
}

Reply try_later(const Problem& problem) {
  Reply reply = refuse(problem);
  reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace juggler::http
