#pragma once
// The users of a broker while it runs: enrolled, given a new password, removed. By RabbitMQ's own
// rabbitmqctl, with every secret on its standard input.

#include <functional>
#include <string>
#include <vector>

#include "amqp/users.h"
#include "core/result.h"
#include "runtime/topology.h"

namespace juggler::amqp {

struct KnownUser {
  std::string name;
  UserRole role;
};

class BrokerUsers {
 public:
  // The private node that runs in a folder.
  //
  // errors  NotFound: none runs there
  static Result<BrokerUsers> of_private(const std::string& dir);

  // A broker on this machine or elsewhere, by a command to which rabbitmqctl's arguments are added:
  // {"rabbitmqctl"}, {"docker", "exec", "-i", "broker", "rabbitmqctl"}.
  static BrokerUsers of_command(std::vector<std::string> command, std::string vhost);

  const std::string& vhost() const { return vhost_; }

  // Called again and again while rabbitmqctl works, which takes a second or two, and on a busy
  // machine many.
  void set_meanwhile(std::function<void()> meanwhile) { meanwhile_ = std::move(meanwhile); }

  // Those whom Juggler has made there, by name.
  Result<std::vector<KnownUser>> list() const;

  // Makes the user, or gives it the new password and its role's permissions again. A device gets
  // its queues with it. Connections of the old password stay: cut() ends them.
  Result<void> put(const std::vector<User>& users) const;

  // Ends what it has open. It may come back, with the password that counts now.
  Result<void> cut(const std::string& name, const std::string& why) const;

  // Removes the user, ends what it has open, and deletes a device's queues with what lies in them.
  //
  // errors  NotFound
  Result<void> remove(const std::string& name) const;

  // Imports a definitions file's text.
  Result<void> import(const std::string& definitions) const;

 private:
  Result<std::string> control(std::vector<std::string> arguments, std::string input = "") const;
  QueueKind queue_kind() const;

  std::vector<std::string> command_;
  std::vector<std::string> environment_;
  std::string vhost_ = kVhost;
  std::function<void()> meanwhile_;
  std::string private_dir_;  // empty: no private node's
};

}  // namespace juggler::amqp
