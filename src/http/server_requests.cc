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
// lie unread would take the reply with it. A reply that is held back comes after the whole body,
// whatever its size: `receive_max` ends one that takes too long.
constexpr std::size_t kUnwantedMax = 1'048'576;

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};

// Several of a name are one with commas (RFC 9110, 5.3): so neither two lengths nor two tokens pass
// for one.
MHD_Result add_header(void* fields, MHD_ValueKind /*kind*/, const char* name, const char* value) {
  const std::string given = value != nullptr ? value : "";
  const auto [at, first] = static_cast<Fields*>(fields)->try_emplace(lower_case(name), given);
  if (!first) {
    at->second += ", " + given;
  }
  return MHD_YES;
}

// Whether a body comes that is read before the reply, though nobody wants it.
bool reads_unwanted(const Fields& headers, bool any_size) {
  const std::string_view given = value_of(headers, "content-length");
  std::size_t size = 0;
  const auto [at, failed] = std::from_chars(given.data(), given.data() + given.size(), size);
  const bool none = given.empty() ? value_of(headers, "transfer-encoding").empty() : given == "0";
  return !none && (any_size || (failed == std::errc{} && size <= kUnwantedMax));
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
    return turn_away(exchange,
                     try_later({.status = 503,
                                .error = "too many pictures are being received",
                                .why = fmt::format("at most {} MiB at once, {} MiB of one token",
                                                   options_.bodies_max.count >> 20U,
                                                   options_.bodies_of_one_max.count >> 20U),
                                .next = "send it again later"}));
  }
  return MHD_YES;
}

bool Server::Impl::reserve(Exchange& exchange) {
  const Bytes size{static_cast<std::int64_t>(exchange.admitted.body)};
  {
    const MutexLock lock(mutex_);
    Bytes& of_one = bodies_of_[exchange.admitted.who];
    const bool alone = exchange.admitted.who != kLocal;
    if (bodies_ + size > options_.bodies_max ||
        (alone && of_one + size > options_.bodies_of_one_max)) {
      return false;
    }
    bodies_ += size;
    of_one += size;
  }
  exchange.reserved = exchange.admitted.body;
  exchange.body.reserve(exchange.admitted.body);
  return true;
}

MHD_Result Server::Impl::turn_away(Exchange& exchange, Reply reply) {
  exchange.reply = std::move(reply);
  exchange.unwanted = reads_unwanted(exchange.request.headers, exchange.reply->slow);
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
  if (const Ticket ticket = suspend(exchange); ticket != 0) {
    const MutexLock lock(mutex_);
    held_.push_back({ticket, clock_.now() + options_.wrong_token_wait});
  }
  return MHD_YES;
}

MHD_Result Server::Impl::hand_over(Exchange& exchange) {
  exchange.handed_over = true;
  exchange.request.body = wire::make_body(std::move(exchange.body));
  if (const Ticket ticket = suspend(exchange); ticket != 0) {
    {
      const MutexLock lock(mutex_);
      arrived_.push_back({ticket, exchange.admitted.route, std::move(exchange.request)});
    }
    options_.wake();
  }
  return MHD_YES;
}

Ticket Server::Impl::suspend(Exchange& exchange) {
  await(exchange.connection, Time::never());
  MHD_suspend_connection(exchange.connection);
  {
    const MutexLock lock(mutex_);
    if (!ending_) {
      waiting_[++last_ticket_] = &exchange;
      return last_ticket_;
    }
  }
  exchange.reply = ends();
  MHD_resume_connection(exchange.connection);
  return 0;
}

Reply Server::Impl::ends() {
  return try_later({.status = 503,
                    .error = "this server ends",
                    .why = "it was told to",
                    .next = "send it again, under the same id: it is run once"});
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
  const Bytes reserved{static_cast<std::int64_t>(exchange->reserved)};
  impl.bodies_ -= reserved;
  if (const auto of_one = impl.bodies_of_.find(exchange->admitted.who);
      of_one != impl.bodies_of_.end() && (of_one->second -= reserved) == Bytes{}) {
    impl.bodies_of_.erase(of_one);
  }
}

}  // namespace juggler::http
