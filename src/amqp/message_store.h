#pragma once
// What a RabbitMQ node that was killed has left half done in its message store.

#include <string>
#include <vector>

#include "core/result.h"

namespace juggler::amqp {

struct MendedFile {
  std::string from;  // N.rdt
  std::string to;    // M.rdq, beside it
};

// Makes the messages that a killed node was moving readable for its next start.
//
// A classic queue keeps messages of 4 KiB and more in files N.rdq, all queues' in the same ones. A
// node that compacts such a file first copies what is still needed to N.rdt, then cuts N.rdq and
// fills it up with zeros, then copies back. Killed in between, RabbitMQ 3.10.8 appends N.rdt to
// N.rdq at its next start, behind the zeros, where its scan never comes: confirmed, persistent
// messages are lost (tests/integration/amqp_node_test.cc; docs/reliability.md, "A broker that
// dies"). As an N.rdq of its own, the same file is read like every other: what the node does not
// need, or finds twice, it passes over. Versions that compact in place (3.13) make no N.rdt.
//
// folder    the node's, or one above it (/var/lib/rabbitmq/mnesia): everything below is looked at
// errors    NotFound: no such folder. Unavailable: a process has one of the files open, so the node
//           runs; or it cannot be renamed. What was renamed before stays so, and does no harm.
Result<std::vector<MendedFile>> mend_message_stores(const std::string& folder);

}  // namespace juggler::amqp
