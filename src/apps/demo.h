#pragma once
// The demonstration of `juggler up --demo`: photographs under several sets of requirements, so that
// one sees how the choices differ, and why.

#include <filesystem>
#include <functional>
#include <string>

#include "apps/client.h"

namespace juggler {

struct Demonstration {
  std::filesystem::path photos;
  std::string local_device;    // this machine's name in the fleet; empty: it takes no part
  bool labels_wanted = false;  // the twins were given labels: most must be right
  bool json = false;           // events instead of the table: docs/cli.md#juggler-up
  std::function<bool()> stop;  // called often; true stops
};

struct DemonstrationEnd {
  int status = 0;         // exit status: 0 if everything was answered as it should be
  std::string problem{};  // empty where there is none, or it was stopped
};

// Runs and prints it, all but the problem.
DemonstrationEnd run_demonstration(Client& client, const Demonstration& demonstration);

}  // namespace juggler
