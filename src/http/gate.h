#pragma once
// Who is let in, by the head of a request alone: nothing of a body is read for others. Without
// tokens only this machine's own programs are, and no page that a browser shows.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "http/message.h"
#include "http/routes.h"
#include "http/tokens.h"
#include "runtime/mutex.h"

namespace juggler::http {

struct Admitted {
  Route route;
  std::string who;
  std::size_t body = 0;  // bytes that will come
};

class Gate {
 public:
  // No table: no token is asked for.
  explicit Gate(std::optional<TokenTable> tokens);

  // Other tokens from now on. thread: any, as for all of this class
  void replace(TokenTable tokens);

  // `head` has no body yet. A refusal says why; that of a wrong token is slow.
  std::variant<Admitted, Reply> admit(const Request& head);

  std::uint64_t wrong_tokens() const;

 private:
  std::optional<Reply> check_origin(const Request& head) const;
  std::variant<std::string, Reply> check_token(const Request& head);

  mutable Mutex mutex_;
  std::shared_ptr<const TokenTable> tokens_ GUARDED_BY(mutex_);  // null: none is asked for
  std::uint64_t wrong_ GUARDED_BY(mutex_) = 0;
};

}  // namespace juggler::http
