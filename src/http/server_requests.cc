#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>

#include "http/server_impl.h"

// This file: one request, from its head to the end of its reply, as the library tells of it.

namespace juggler::http {
namespace {

// So much of a body that is not wanted is read, and thrown away: to end a connection on which bytes
// lie unread would take the reply with it.
constexpr std::size_t kUnwantedMax = 1'048'576;

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// The first of several of a name counts.
MHD_Result add_header(void* fields, MHD_ValueKind /*kind*/, const char* name, const char* value) {
  static_cast<Fields*>(fields)->emplace(lower(name), value != nullptr ? value : "");
  return MHD_YES;
}

// 0 where the head does not say, or says more than is read of what is not wanted.
std::size_t unwanted_size(const Fields& headers) {
  const std::string_view given = value_of(headers, "content-length");
  std::size_t size = 0;
  const auto [at, failed] = std::from_chars(given.data(), given.data() + given.size(), size);
  return failed == std::errc{} && size <= kUnwantedMax ? size : 0;
}

MHD_Result add_argument(void* fields, MHD_ValueKind /*kind*/, const char* name, const char* value) {
  static_cast<Fields*>(fields)->emplace(name, value != nullptr ? value : "");
  return MHD_YES;
}

std::string address_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* known =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (known == nullptr || known->client_addr == nullptr) {
    return "?";
  }
  sockaddr_storage address{};
  const bool ipv6 = known->client_addr->sa_family == AF_INET6;
  std::memcpy(&address, known->client_addr, ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  sockaddr_in internet{};
  sockaddr_in6 internet6{};
  std::memcpy(&internet, &address, sizeof internet);
  std::memcpy(&internet6, &address, sizeof internet6);
  const void* number = ipv6 ? static_cast<const void*>(&internet6.sin6_addr)
                            : static_cast<const void*>(&internet.sin_addr);
  inet_ntop(ipv6 ? AF_INET6 : AF_INET, number, text.data(), text.size());
  return text.data();
}

}  // namespace

void Server::Impl::await(MHD_Connection* connection, Time until) {
  const MutexLock lock(mutex_);
  if (const auto at = open_.find(connection); at != open_.end()) {
    at->second.until = until;
  }
}

void Server::Impl::on_connection(void* self, MHD_Connection* connection, void** /*context*/,
                                 MHD_ConnectionNotificationCode what) {
  auto& impl = *static_cast<Impl*>(self);
  const MHD_ConnectionInfo* known =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  const Time until = impl.clock_.now() + impl.options_.receive_max;
  const MutexLock lock(impl.mutex_);
  if (what == MHD_CONNECTION_NOTIFY_STARTED && known != nullptr) {
    impl.open_[connection] = {known->connect_fd, until};
  } else {
    impl.open_.erase(connection);
  }
}

MHD_Result Server::Impl::on_request(void* self, MHD_Connection* connection, const char* url,
                                    const char* method, const char* /*version*/, const char* upload,
                                    std::size_t* upload_size, void** exchange_at) {
  auto& impl = *static_cast<Impl*>(self);
  if (*exchange_at == nullptr) {
    auto* exchange = new Exchange;  // on_completed deletes it
    exchange->connection = connection;
    *exchange_at = exchange;
    {
      const MutexLock lock(impl.mutex_);
      impl.exchanges_ += 1;
    }
    return impl.begin(*exchange, url, method);
  }
  auto& exchange = *static_cast<Exchange*>(*exchange_at);
  if (*upload_size > 0 && exchange.unwanted) {
    *upload_size = 0;
    return MHD_YES;
  }
  if (exchange.unwanted) {
    exchange.unwanted = false;
    return exchange.reply->slow ? impl.hold(exchange) : impl.queue(exchange, *exchange.reply);
  }
  if (exchange.reply.has_value()) {
    return impl.queue(exchange, *exchange.reply);
  }
  if (*upload_size > 0) {
    if (exchange.body.size() + *upload_size > exchange.admitted.body) {
      return MHD_NO;  // more than the head said
    }
    exchange.body.append(upload, *upload_size);
    *upload_size = 0;
    return MHD_YES;
  }
  return exchange.handed_over ? MHD_YES : impl.hand_over(exchange);
}

// The head is there, and nothing of the body.
MHD_Result Server::Impl::begin(Exchange& exchange, const char* url, const char* method) {
  exchange.request.method = method;
  exchange.request.path = url;
  MHD_get_connection_values(exchange.connection, MHD_HEADER_KIND, &add_header,
                            &exchange.request.headers);
  MHD_get_connection_values(exchange.connection, MHD_GET_ARGUMENT_KIND, &add_argument,
                            &exchange.request.query);
  std::variant<Admitted, Reply> admitted = gate_.admit(exchange.request);
  exchange.request.headers.erase("authorization");  // nobody needs the token any more
  if (Reply* refused = std::get_if<Reply>(&admitted)) {
    return turn_away(exchange, std::move(*refused));
  }
  exchange.admitted = std::get<Admitted>(std::move(admitted));
  exchange.request.who = exchange.admitted.who;
  if (!reserve(exchange)) {
    return turn_away(
        exchange,
        try_later({.status = 503,
                   .error = "too many pictures are being received",
                   .why = fmt::format("at most {} MiB at once", options_.bodies_max.count >> 20U),
                   .next = "send it again later"}));
  }
  return MHD_YES;
}

bool Server::Impl::reserve(Exchange& exchange) {
  const Bytes size{static_cast<std::int64_t>(exchange.admitted.body)};
  {
    const MutexLock lock(mutex_);
    if (bodies_ + size > options_.bodies_max) {
      return false;
    }
    bodies_ += size;
  }
  exchange.reserved = exchange.admitted.body;
  exchange.body.reserve(exchange.admitted.body);
  return true;
}

MHD_Result Server::Impl::turn_away(Exchange& exchange, Reply reply) {
  exchange.reply = std::move(reply);
  exchange.unwanted = unwanted_size(exchange.request.headers) > 0;
  if (exchange.unwanted) {
    return MHD_YES;
  }
  return exchange.reply->slow ? hold(exchange) : queue(exchange, *exchange.reply);
}

// Whoever guesses tokens waits for each answer.
MHD_Result Server::Impl::hold(Exchange& exchange) {
  bool many = false;
  {
    const MutexLock lock(mutex_);
    many = held_.size() >= options_.wrong_tokens_max;
  }
  if (many) {
    return queue(exchange, try_later({.status = 429,
                                      .error = "too many wrong tokens",
                                      .why = "some of them still wait for their answer",
                                      .next = "come again later, with the right one"}));
  }
  spdlog::warn("a wrong token from {}", address_of(exchange.connection));
  await(exchange.connection, Time::never());
  MHD_suspend_connection(exchange.connection);
  const MutexLock lock(mutex_);
  waiting_[++last_ticket_] = &exchange;
  held_.push_back({last_ticket_, clock_.now() + options_.wrong_token_wait});
  return MHD_YES;
}

MHD_Result Server::Impl::hand_over(Exchange& exchange) {
  exchange.handed_over = true;
  exchange.request.body = wire::make_body(std::move(exchange.body));
  await(exchange.connection, Time::never());
  MHD_suspend_connection(exchange.connection);
  {
    const MutexLock lock(mutex_);
    waiting_[++last_ticket_] = &exchange;
    arrived_.push_back({last_ticket_, exchange.admitted.route, std::move(exchange.request)});
  }
  options_.wake();
  return MHD_YES;
}

MHD_Result Server::Impl::queue(Exchange& exchange, const Reply& reply) {
  const std::unique_ptr<MHD_Response, ResponseDeleter> response(MHD_create_response_from_buffer(
      reply.body.size(), const_cast<char*>(reply.body.data()),  // it is copied
      MHD_RESPMEM_MUST_COPY));
  if (response == nullptr) {
    return MHD_NO;
  }
  MHD_add_response_header(response.get(), "Content-Type", reply.content_type.c_str());
  MHD_add_response_header(response.get(), "Cache-Control", "no-store");
  MHD_add_response_header(response.get(), "X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : reply.headers) {
    MHD_add_response_header(response.get(), name.c_str(), value.c_str());
  }
  await(exchange.connection, clock_.now() + options_.send_max);
  {
    const MutexLock lock(mutex_);
    replies_[reply.status] += 1;
  }
  return MHD_queue_response(exchange.connection, static_cast<unsigned>(reply.status),
                            response.get());
}

void Server::Impl::on_completed(void* self, MHD_Connection* connection, void** exchange_at,
                                MHD_RequestTerminationCode /*how*/) {
  auto& impl = *static_cast<Impl*>(self);
  const std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(*exchange_at));
  *exchange_at = nullptr;
  impl.await(connection, impl.clock_.now() + impl.options_.receive_max);
  if (exchange == nullptr) {
    return;
  }
  const MutexLock lock(impl.mutex_);
  impl.exchanges_ -= 1;
  impl.bodies_ -= Bytes{static_cast<std::int64_t>(exchange->reserved)};
}

}  // namespace juggler::http
