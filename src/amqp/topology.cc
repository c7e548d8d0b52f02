#include "amqp/topology.h"

#include <algorithm>

#include "fmt/format.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

amqp_table_entry_t to_entry(const Argument& argument) {
  amqp_table_entry_t entry{};
  entry.key = to_bytes(argument.key);
  if (const auto* flag = std::get_if<bool>(&argument.value)) {
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = *flag ? 1 : 0;
  } else if (const auto* number = std::get_if<std::int64_t>(&argument.value)) {
    entry.value.kind = AMQP_FIELD_KIND_I64;
    entry.value.value.i64 = *number;
  } else {
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = to_bytes(std::get<std::string>(argument.value));
  }
  return entry;
}

std::vector<amqp_table_entry_t> to_entries(const std::vector<Argument>& arguments) {
  std::vector<amqp_table_entry_t> entries;
  entries.reserve(arguments.size());
  for (const Argument& argument : arguments) {
    entries.push_back(to_entry(argument));
  }
  return entries;
}

enum class Login { Controller, Client };

// Says which permission is missing, or that somebody made the thing differently.
CallFailure explain(const CallFailure& failure, std::string_view what,
                    Login login = Login::Controller) {
  std::string advice;
  if (failure.reply_code == AMQP_ACCESS_REFUSED && login == Login::Client) {
    advice =
        "; the user needs the permissions of a submitter (docs/protocol.md#permissions): configure "
        "and read '^amq\\.gen', write '^juggler\\.submit$'";
  } else if (failure.reply_code == AMQP_ACCESS_REFUSED) {
    advice =
        "; the user needs the permissions of a controller (docs/protocol.md#permissions): "
        "configure "
        "'^juggler\\.', write '^(amq\\.default|juggler\\..*)$', read '^juggler\\.'";
  } else if (failure.reply_code == AMQP_PRECONDITION_FAILED) {
    advice = "; it exists with other arguments: delete it, or use another vhost";
  }
  return {failure.reply_code, fmt::format("cannot declare {}: {}", what, failure.message), advice};
}

}  // namespace

tl::expected<Reply, CallFailure> declare_queue(Connection& connection, std::uint16_t channel,
                                               const QueueSpec& queue) {
  auto entries = to_entries(queue.arguments);
  amqp_queue_declare_t declare{};
  declare.queue = to_bytes(queue.name);
  declare.durable = queue.exclusive ? 0 : 1;
  declare.exclusive = queue.exclusive ? 1 : 0;
  declare.arguments = {static_cast<int>(entries.size()), entries.data()};
  return connection.call(channel, AMQP_QUEUE_DECLARE_METHOD, declare, AMQP_QUEUE_DECLARE_OK_METHOD)
      .map_error([&](const CallFailure& failure) {
        return queue.name.empty() ? explain(failure, "a queue for replies", Login::Client)
                                  : explain(failure, fmt::format("the queue '{}'", queue.name));
      });
}

tl::expected<Reply, CallFailure> inspect_queue(Connection& connection, std::uint16_t channel,
                                               const std::string& queue) {
  amqp_queue_declare_t declare{};
  declare.queue = to_bytes(queue);
  declare.passive = 1;
  return connection.call(channel, AMQP_QUEUE_DECLARE_METHOD, declare, AMQP_QUEUE_DECLARE_OK_METHOD);
}

tl::expected<QueueKind, CallFailure> find_queue_kind(Connection& connection,
                                                     std::uint16_t channel) {
  if (auto opened = connection.open_channel(channel); !opened) {
    return tl::unexpected(opened.error());
  }
  const Topology classic = fleet_topology(QueueKind::Classic);
  const auto tasks = std::find_if(classic.queues.begin(), classic.queues.end(),
                                  [](const QueueSpec& q) { return q.name == wire::kTasksQueue; });
  const auto declared = declare_queue(connection, channel, *tasks);
  if (!declared) {
    const CallFailure& failure = declared.error();
    const bool quorum = failure.reply_code == AMQP_PRECONDITION_FAILED &&
                        failure.message.find("'x-queue-type'") != std::string::npos &&
                        failure.message.find("is 'quorum'") != std::string::npos;
    return quorum ? tl::expected<QueueKind, CallFailure>(QueueKind::Quorum)
                  : tl::unexpected(failure);
  }
  auto closed = connection.close_channel(channel);
  return closed ? tl::expected<QueueKind, CallFailure>(QueueKind::Classic)
                : tl::unexpected(closed.error());
}

tl::expected<void, CallFailure> declare(Connection& connection, std::uint16_t channel,
                                        const Topology& topology) {
  for (const ExchangeSpec& exchange : topology.exchanges) {
    auto entries = to_entries(exchange.arguments);
    amqp_exchange_declare_t declare{};
    declare.exchange = to_bytes(exchange.name);
    declare.type = to_bytes(exchange.type);
    declare.durable = 1;
    declare.arguments = {static_cast<int>(entries.size()), entries.data()};
    auto done = connection.call(channel, AMQP_EXCHANGE_DECLARE_METHOD, declare,
                                AMQP_EXCHANGE_DECLARE_OK_METHOD);
    if (!done) {
      return tl::unexpected(explain(done.error(), fmt::format("the exchange '{}'", exchange.name)));
    }
  }
  for (const QueueSpec& queue : topology.queues) {
    if (auto done = declare_queue(connection, channel, queue); !done) {
      return tl::unexpected(done.error());
    }
  }
  for (const std::string& queue : topology.retired_queues) {
    amqp_queue_delete_t gone{};  // as well where there is none
    gone.queue = to_bytes(queue);
    auto done =
        connection.call(channel, AMQP_QUEUE_DELETE_METHOD, gone, AMQP_QUEUE_DELETE_OK_METHOD);
    if (!done) {
      return tl::unexpected(explain(done.error(), fmt::format("the queue '{}'", queue)));
    }
  }
  for (const std::string& exchange : topology.retired_exchanges) {
    amqp_exchange_delete_t gone{};
    gone.exchange = to_bytes(exchange);
    auto done =
        connection.call(channel, AMQP_EXCHANGE_DELETE_METHOD, gone, AMQP_EXCHANGE_DELETE_OK_METHOD);
    if (!done) {
      return tl::unexpected(explain(done.error(), fmt::format("the exchange '{}'", exchange)));
    }
  }
  for (const BindingSpec& binding : topology.bindings) {
    amqp_queue_bind_t bind{};
    bind.exchange = to_bytes(binding.exchange);
    bind.queue = to_bytes(binding.queue);
    bind.routing_key = to_bytes(binding.key);
    auto done = connection.call(channel, AMQP_QUEUE_BIND_METHOD, bind, AMQP_QUEUE_BIND_OK_METHOD);
    if (!done) {
      return tl::unexpected(explain(done.error(), fmt::format("the binding of '{}' to '{}'",
                                                              binding.queue, binding.exchange)));
    }
  }
  for (const ExchangeBindingSpec& binding : topology.exchange_bindings) {
    amqp_exchange_bind_t bind{};
    bind.source = to_bytes(binding.source);
    bind.destination = to_bytes(binding.destination);
    bind.routing_key = to_bytes(binding.key);
    auto done =
        connection.call(channel, AMQP_EXCHANGE_BIND_METHOD, bind, AMQP_EXCHANGE_BIND_OK_METHOD);
    if (!done) {
      return tl::unexpected(
          explain(done.error(),
                  fmt::format("the binding of '{}' to '{}'", binding.destination, binding.source)));
    }
  }
  return {};
}

}  // namespace juggler::amqp
