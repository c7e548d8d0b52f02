#pragma once
// Where the next attempt to connect goes: to the nodes of a cluster in turn, with the login that
// counts now.

#include <functional>
#include <vector>

#include "amqp/session.h"

namespace juggler::amqp {

// thread: one, the transport's owner.
class BrokerNodes {
 public:
  BrokerNodes(const BrokerUrl& broker, std::function<Result<BrokerUrl>()> read_again);

  // The node to connect to now, alone.
  BrokerUrl next();
  // It is not there, or no more: the one behind it is next.
  void lost() { ++at_; }
  // All of them, the one of the last next() first.
  BrokerUrl all() const;

 private:
  void take(const BrokerUrl& broker);
  void read_login();

  std::function<Result<BrokerUrl>()> read_again_;
  std::vector<BrokerUrl> nodes_;  // at least one
  std::size_t at_ = 0;
  bool read_ = true;  // the login is fresh
};

}  // namespace juggler::amqp
