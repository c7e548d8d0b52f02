#include "http/gate.h"

#include <fmt/format.h>

#include <charconv>

namespace juggler::http {
namespace {

// Whether a Host header names this machine from within.
bool names_loopback(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  const std::string name = lower_case(port ? host.substr(0, colon) : host);
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

Reply unauthorized(const Problem& problem) {
  Reply reply = refuse(problem);
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

// What follows this request cannot be told from its body.
Reply end_connection(Reply reply) {
  reply.headers.emplace_back("Connection", "close");
  return reply;
}

// How many bytes will come; a reply where that cannot be known, or is too much.
std::variant<std::size_t, Reply> body_of(const Request& head, std::size_t size_max) {
  const std::string_view given = value_of(head.headers, "content-length");
  if (!value_of(head.headers, "transfer-encoding").empty()) {
    return end_connection(refuse({.status = 411,
                                  .error = "the size of the body is not known beforehand",
                                  .why = "it comes in chunks",
                                  .next = "send Content-Length (curl: --data-binary @FILE)"}));
  }
  std::uint64_t size = 0;
  const char* end = given.data() + given.size();
  const auto [at, failed] = std::from_chars(given.data(), end, size);
  if (!given.empty() && (failed == std::errc::invalid_argument || at != end)) {
    return end_connection(refuse({.status = 400,
                                  .error = "Content-Length is no number",
                                  .why = "it is something else, or there are several",
                                  .next = "send one, of the body's bytes"}));
  }
  if (failed == std::errc::result_out_of_range || size > size_max) {
    return refuse({.status = 413,
                   .error = "the body is too large",
                   .why = fmt::format("this path takes at most {} bytes", size_max),
                   .next = size_max == 0 ? "send no body"
                                         : "send a smaller picture: networks see "
                                           "about 260 x 260 pixels of it"});
  }
  return static_cast<std::size_t>(size);
}

}  // namespace

Gate::Gate(std::optional<TokenTable> tokens)
    : tokens_(tokens.has_value() ? std::make_shared<const TokenTable>(std::move(*tokens))
                                 : nullptr) {}

void Gate::replace(TokenTable tokens) {
  auto table = std::make_shared<const TokenTable>(std::move(tokens));
  const MutexLock lock(mutex_);
  tokens_ = std::move(table);
}

std::uint64_t Gate::wrong_tokens() const {
  const MutexLock lock(mutex_);
  return wrong_;
}

// A page in a browser may not use the person's own machine: neither under a name that somebody has
// pointed at the loopback (DNS rebinding), nor from another site.
std::optional<Reply> Gate::check_origin(const Request& head) const {
  const std::string_view host = value_of(head.headers, "host");
  if (!names_loopback(host)) {
    return refuse({.status = 403,
                   .error = "this address is not served under that name",
                   .why = "without tokens the header Host must be localhost, 127.0.0.1 or [::1]",
                   .next = "use such an address, or start `juggler serve` with --token-file"});
  }
  const std::string_view origin = value_of(head.headers, "origin");
  if (!origin.empty() && origin != fmt::format("http://{}", host)) {
    return refuse({.status = 403,
                   .error = "pages of other sites are not served",
                   .why = "the header Origin names another site",
                   .next = "ask from a program; a page needs a server of its own in between"});
  }
  return std::nullopt;
}

std::variant<std::string, Reply> Gate::check_token(const Request& head) {
  std::shared_ptr<const TokenTable> tokens;
  {
    const MutexLock lock(mutex_);
    tokens = tokens_;
  }
  if (tokens == nullptr) {
    return kLocal;
  }
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view given = value_of(head.headers, "authorization");
  if (lower_case(given.substr(0, kScheme.size())) != kScheme) {
    return unauthorized({.status = 401,
                         .error = "a token is needed",
                         .why = "the request has no header Authorization: Bearer TOKEN",
                         .next = "who runs this server gets one by `juggler token new NAME`"});
  }
  if (auto owner = tokens->owner(given.substr(kScheme.size()))) {
    return std::move(*owner);
  }
  {
    const MutexLock lock(mutex_);
    wrong_ += 1;
  }
  Reply reply = unauthorized({.status = 401,
                              .error = "this token is not known",
                              .why = "it is wrong, or was taken back",
                              .next = "who runs this server gets one by `juggler token new NAME`"});
  reply.slow = true;
  return reply;
}

std::variant<Admitted, Reply> Gate::admit(const Request& head) {
  bool asks_token = false;
  {
    const MutexLock lock(mutex_);
    asks_token = tokens_ != nullptr;
  }
  if (!asks_token) {
    if (std::optional<Reply> refused = check_origin(head)) {
      return std::move(*refused);
    }
  }
  std::variant<Route, Reply> route = find_route(head.method, head.path);
  const Route* found = std::get_if<Route>(&route);
  std::string who = kLocal;
  if (found == nullptr || !found->open) {  // which paths there are, only who may ask is told
    std::variant<std::string, Reply> owner = check_token(head);
    if (Reply* refused = std::get_if<Reply>(&owner)) {
      return std::move(*refused);
    }
    who = std::get<std::string>(std::move(owner));
  }
  if (found == nullptr) {
    return std::get<Reply>(std::move(route));
  }
  std::variant<std::size_t, Reply> body = body_of(head, found->body_max);
  if (Reply* refused = std::get_if<Reply>(&body)) {
    return std::move(*refused);
  }
  return Admitted{*found, std::move(who), std::get<std::size_t>(body)};
}

}  // namespace juggler::http
