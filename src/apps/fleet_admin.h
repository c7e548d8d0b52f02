#pragma once
// Who may change the users of a broker from the command line: the private broker that runs in a
// home, or any broker by its rabbitmqctl.

#include <filesystem>
#include <string>

#include "amqp/broker_users.h"
#include "amqp/session.h"
#include "apps/flags.h"

namespace juggler {

struct AdminChoice {
  std::string home{};
  std::string rabbitmqctl{};  // a command, words by spaces; empty: the private broker of the home
  std::string vhost = amqp::kVhost;
  std::string address{};  // of the broker, as those reach it who get a login: no user, no password
};

// --home, --rabbitmqctl, --vhost, --address.
void add_admin_flags(CLI::App& app, AdminChoice& choice);

// Prints what failed; returns the exit status: 2 for what was asked, 3 where there is no broker, 1
// for everything else.
int complain_of(const Error& error);

struct FleetAdmin {
  amqp::BrokerUsers users;
  amqp::BrokerUrl address;  // without a login
};

// errors  NotFound: no private broker runs there; InvalidArgument: an address is missing or wrong
Result<FleetAdmin> find_admin(const AdminChoice& choice);

// Writes an address with a login, readable by its owner alone, in one piece.
Result<void> write_credential(const std::filesystem::path& file, amqp::BrokerUrl address,
                              const std::string& user, const std::string& password);
// The password of such a file, where it is that user's.
std::optional<std::string> password_in(const std::filesystem::path& file, const std::string& user);

}  // namespace juggler
