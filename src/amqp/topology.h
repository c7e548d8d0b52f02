#pragma once
// Declaring exchanges and queues at the broker. What Juggler's are: runtime/topology.h.

#include <string>

#include "amqp/connection.h"
#include "runtime/topology.h"

namespace juggler::amqp {

using juggler::Argument;
using juggler::BindingSpec;
using juggler::ExchangeSpec;
using juggler::QueueKind;
using juggler::QueueSpec;
using juggler::Topology;

// Declares all of it. Idempotent; a refusal closes the channel and names what was refused.
tl::expected<void, CallFailure> declare(Connection& connection, std::uint16_t channel,
                                        const Topology& topology);
// Declares one queue and returns the broker's answer: its name and what lies in it.
tl::expected<Reply, CallFailure> declare_queue(Connection& connection, std::uint16_t channel,
                                               const QueueSpec& queue);
// Asks for a queue without making it. 404 where there is none.
tl::expected<Reply, CallFailure> inspect_queue(Connection& connection, std::uint16_t channel,
                                               const std::string& queue);

// Which kind of queues this vhost has: that of juggler.tasks. Where there is none yet, it is made,
// as a classic one: quorum queues are declared when a cluster is provisioned.
//
// Opens and closes `channel`: AMQP tells a queue's kind only by refusing another.
tl::expected<QueueKind, CallFailure> find_queue_kind(Connection& connection, std::uint16_t channel);

}  // namespace juggler::amqp
