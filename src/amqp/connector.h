#pragma once
// Opens connections on a thread of its own: a name, a network and a login may take ten seconds and
// more, and who asked has other work meanwhile.

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "amqp/connection.h"
#include "amqp/session.h"

namespace juggler::amqp {

// One attempt at a time. thread: one, the transport's owner.
class Connector {
 public:
  // So long an attempt that nobody wants any more is waited for.
  static constexpr Micros kLeaveMax = milliseconds(300);

  Connector() = default;
  ~Connector() { leave(); }
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // requires  no attempt is under way
  void start(BrokerUrl node, std::string name, int heartbeat_s);
  bool under_way() const { return attempt_ != nullptr; }
  // Of the attempt that is under way: readable once take() has what came of it.
  int fd() const;
  // The connection, or why there is none; nothing before that is known. Ends the attempt.
  std::optional<Result<std::unique_ptr<Connection>>> take();
  // Ends the attempt. What a resolver or a network holds for longer than kLeaveMax goes on by
  // itself for as long as they do, and then closes what it has opened.
  void leave();

 private:
  struct Attempt;

  std::shared_ptr<Attempt> attempt_;  // the thread's, too
  std::jthread thread_;
};

}  // namespace juggler::amqp
