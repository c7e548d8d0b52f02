// Login and topology: rabbitmq-c's own synchronous calls, before anything is measured.

#include "connection.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

#include <cstdio>
#include <cstdlib>

namespace juggler_bench {

void fail(const std::string& what) {
  std::fprintf(stderr, "juggler-bench-floor: %s\n", what.c_str());
  std::fflush(nullptr);
  std::_Exit(2);
}

Connection::Connection(const std::string& url, const std::string& name)
    : state_(amqp_new_connection()) {
  std::string copy = url;  // amqp_parse_url cuts its argument into pieces.
  amqp_connection_info where{};
  amqp_default_connection_info(&where);
  if (amqp_parse_url(copy.data(), &where) != AMQP_STATUS_OK) {
    fail("not an AMQP address: " + url);
  }
  amqp_socket_t* socket = amqp_tcp_socket_new(state_.get());  // Sets TCP_NODELAY.
  if (socket == nullptr || amqp_socket_open(socket, where.host, where.port) != AMQP_STATUS_OK) {
    fail("no connection to " + std::string(where.host) + ":" + std::to_string(where.port));
  }
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes("connection_name");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_view(name);
  const amqp_table_t properties{1, &entry};
  constexpr int kNoHeartbeat = 0;  // Loopback and a run of seconds: the timeouts below do its work.
  check(amqp_login_with_properties(state_.get(), where.vhost, 0, AMQP_DEFAULT_FRAME_SIZE,
                                   kNoHeartbeat, &properties, AMQP_SASL_METHOD_PLAIN, where.user,
                                   where.password),
        "login");
  amqp_channel_open(state_.get(), kChannel);
  check(amqp_get_rpc_reply(state_.get()), "channel.open");
  amqp_confirm_select(state_.get(), kChannel);
  check(amqp_get_rpc_reply(state_.get()), "confirm.select");
  frame_max_ = static_cast<std::size_t>(amqp_get_frame_max(state_.get()));
  socket_ = amqp_get_sockfd(state_.get());
  init_amqp_pool(&pool_, 4096);
  in_.resize(std::size_t{512} * 1024);
}

void Connection::check(amqp_rpc_reply_t reply, const std::string& what) const {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    return;
  }
  std::string why = "no answer";
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    why = amqp_error_string2(reply.library_error);
  } else if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(reply.reply.decoded);
    why.assign(static_cast<const char*>(close->reply_text.bytes), close->reply_text.len);
  } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
    why.assign(static_cast<const char*>(close->reply_text.bytes), close->reply_text.len);
  }
  fail(what + ": " + why);
}

void Connection::declare_exchange(const char* exchange, const char* type) {
  amqp_exchange_declare(state_.get(), kChannel, amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes(type), /*passive=*/0, /*durable=*/1, /*auto_delete=*/0,
                        /*internal=*/0, amqp_empty_table);
  check(amqp_get_rpc_reply(state_.get()), std::string("declare exchange ") + exchange);
}

void Connection::declare_queue(const char* queue, bool auto_delete, bool single_active) {
  amqp_table_entry_t entries[2] = {};
  entries[0].key = amqp_cstring_bytes("x-queue-type");
  entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[0].value.value.bytes = amqp_cstring_bytes("classic");
  entries[1].key = amqp_cstring_bytes("x-single-active-consumer");
  entries[1].value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entries[1].value.value.boolean = 1;
  const amqp_table_t arguments{single_active ? 2 : 1, entries};
  amqp_queue_declare(state_.get(), kChannel, amqp_cstring_bytes(queue), /*passive=*/0,
                     /*durable=*/1, /*exclusive=*/0, auto_delete ? 1 : 0, arguments);
  check(amqp_get_rpc_reply(state_.get()), std::string("declare queue ") + queue);
}

void Connection::bind(const char* queue, const char* exchange, const char* routing_key) {
  amqp_queue_bind(state_.get(), kChannel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                  amqp_cstring_bytes(routing_key), amqp_empty_table);
  check(amqp_get_rpc_reply(state_.get()), std::string("bind ") + queue);
}

std::uint32_t Connection::ready(const char* queue) {
  const auto* answer =
      amqp_queue_declare(state_.get(), kChannel, amqp_cstring_bytes(queue), /*passive=*/1,
                         /*durable=*/0, /*exclusive=*/0, /*auto_delete=*/0, amqp_empty_table);
  check(amqp_get_rpc_reply(state_.get()), std::string("look at queue ") + queue);
  return answer->message_count;
}

void Connection::consume(const char* queue, std::string_view consumer, std::uint16_t prefetch) {
  amqp_basic_qos_t qos{0, prefetch, 0};
  append_method(AMQP_BASIC_QOS_METHOD, &qos);
  amqp_basic_consume_t consume{};
  consume.queue = amqp_cstring_bytes(queue);
  consume.consumer_tag = amqp_view(consumer);
  append_method(AMQP_BASIC_CONSUME_METHOD, &consume);
}

}  // namespace juggler_bench
