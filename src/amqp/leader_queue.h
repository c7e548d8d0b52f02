#pragma once
// The lock of a cluster: an exclusive queue, the leader's own. It vanishes with its connection, and
// with the node that the connection was to.
//
// The number of a quorum queue's consumers, which is asked for on a single node, is no lock here:
// RabbitMQ 3.10 lets in a second consumer that wants the queue for itself, and counts those of a
// dead node until that node is back.

#include <cstdint>

#include "amqp/connection.h"

namespace juggler::amqp {

// Whether a controller holds the lock.
//
// A message to the queue comes back where there is no such queue. To ask by declaring would be
// refused while there is one, which closes the channel and fills the broker's log.
// requires  nothing that this connection has published may still come back.
tl::expected<bool, CallFailure> leader_queue_is_held(Connection& connection, std::uint16_t channel);

// Takes the lock. False where another was faster: the broker has closed the channel then.
tl::expected<bool, CallFailure> take_leader_queue(Connection& connection, std::uint16_t channel);

}  // namespace juggler::amqp
