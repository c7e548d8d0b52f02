#pragma once
// A whole fleet on one machine: the private broker, the controller, this machine and twins, as
// processes of the person who runs it.

#include <filesystem>
#include <string>
#include <vector>

namespace juggler {

struct UpOptions {
  std::filesystem::path home;
  std::vector<std::string> twins;  // KIND or KIND:N
  bool twin_labels = false;
  std::string broker;       // empty: $JUGGLER_BROKER, else a private one
  std::string broker_file;  // its first line is the address
  bool lan = false;         // the private broker is opened to the network, and boards may join
  std::string lan_host;     // how they reach it; empty: this machine's address
  std::string policy;       // empty: that of the controller's configuration, else its default
  bool local = true;
  std::string local_id = "this-machine";
  std::vector<std::string> variants;
  std::string lanes;  // of this machine: a file; empty: what it has
  std::string controller_config;
  std::string journal;  // a folder; empty: none
  bool http = true;     // the HTTP interface, on the loopback
  std::string demo;     // a folder of photographs; empty: none
  bool json = false;    // events on stdout, a line each, instead of text
};

// Runs until it is told to stop, or until the demonstration is over. Returns the exit status.
int run_up(const UpOptions& options);

}  // namespace juggler
