#pragma once
// A private node opened to the network: TLS by a certificate of its own, known by its fingerprint.

#include <string>

#include "core/result.h"

namespace juggler::amqp {

// How it is reached from other machines; port 0: it is not.
struct LanAccess {
  std::string host;
  int port = 0;
  std::string fingerprint;
};

// Makes the certificate where there is none yet, and chooses a port: that of before, else
// RabbitMQ's own for TLS, else a free one.
//
// `etc`: the node's folder of settings
Result<LanAccess> prepare_lan(const std::string& etc, const std::string& host, int port_before);

// Lines for rabbitmq.conf.
std::string lan_configuration(const std::string& etc, const LanAccess& lan);

// The address of this machine that others reach it by, as far as it can be told: that of the route
// to the world, else its name.
std::string own_address();

}  // namespace juggler::amqp
