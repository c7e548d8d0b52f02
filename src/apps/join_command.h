#pragma once
// `juggler-consumer join -`: a board gets a login of its own, and serves.

#include <functional>

#include "apps/flags.h"

namespace juggler {

struct JoinHooks {
  BrokerChoice& broker;
  std::string& id;
  std::function<int()> serve;
};

void add_join_command(CLI::App& app, Action& action, JoinHooks hooks);

}  // namespace juggler
