#pragma once

// One AMQP connection of the benchmark: rabbitmq-c logs in, declares the topology and encodes
// methods; everything on the measured path is ours (own buffers, own frames, one poll loop, one
// write per turn).
//
// It knows no recovery: a benchmark that meets an error has no number, so every error ends the
// process.

#include <amqp.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace juggler_bench {

using Bytes = std::span<const std::uint8_t>;

inline constexpr amqp_channel_t kChannel = 1;

inline amqp_bytes_t amqp_view(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

// Prints what failed and ends the process with status 2: the run has no number.
[[noreturn]] void fail(const std::string& what);

// A delivered message; the views live until the callback returns.
struct Delivery {
  std::uint64_t tag = 0;
  char consumer = '?';  // First letter of the consumer tag given to consume().
  std::string message_id;
  std::string correlation_id;
  std::string reply_to;
  Bytes body;
};

// A message to publish; persistent and mandatory always.
struct Message {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view content_type;
  std::string_view type;
  std::string_view message_id;
  std::string_view correlation_id;
  std::string_view reply_to;
  const amqp_table_t* headers = nullptr;
  Bytes body;
};

// What a role does with what comes in. Called on the thread that runs the connection.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void on_delivery(const Delivery& delivery) = 0;
  // The broker has taken charge of the publish to which `publish` returned this number.
  virtual void on_confirmed(std::uint64_t sequence) = 0;
};

class Connection {
 public:
  // Logs in and opens the channel with confirms. `url` is amqp://user:password@host:port/vhost.
  Connection(const std::string& url, const std::string& name);

  // Set-up phase: synchronous, before the first consume().
  void declare_exchange(const char* exchange, const char* type);
  void declare_queue(const char* queue, bool auto_delete, bool single_active);
  void bind(const char* queue, const char* exchange, const char* routing_key);
  // Ready messages in `queue`.
  std::uint32_t ready(const char* queue);
  void consume(const char* queue, std::string_view consumer, std::uint16_t prefetch);

  // Measured phase: everything is buffered, one write per turn of the loop.
  std::uint64_t publish(const Message& message);
  void ack_up_to(std::uint64_t tag);
  // Writes what is buffered, waits at most `timeout_ms`, hands out all that came.
  void turn(Handler& handler, int timeout_ms);
  std::size_t unconfirmed() const { return unconfirmed_.size(); }
  // How many consumers the broker has confirmed.
  int consumers() const { return consumers_; }

 private:
  struct Closer {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  using State = std::unique_ptr<std::remove_pointer_t<amqp_connection_state_t>, Closer>;

  void check(amqp_rpc_reply_t reply, const std::string& what) const;
  void begin_frame(std::uint8_t type);
  void end_frame();
  void append_method(amqp_method_number_t method, void* decoded);
  void append_header(const Message& message);
  void append_body(Bytes body);
  bool flush();
  void receive();
  void parse(Handler& handler);
  void on_method(Handler& handler, Bytes payload);
  void on_header(Handler& handler, Bytes payload);
  void on_body(Handler& handler, Bytes payload);
  void on_settled(Handler& handler, std::uint64_t tag, bool multiple);

  State state_;
  int socket_ = -1;
  std::size_t frame_max_ = 0;
  amqp_pool_t pool_{};

  std::vector<std::uint8_t> out_;
  std::size_t out_written_ = 0;
  std::size_t frame_start_ = 0;
  std::vector<std::uint8_t> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;

  int consumers_ = 0;
  Delivery delivery_;
  bool delivering_ = false;
  std::uint64_t body_size_ = 0;
  std::vector<std::uint8_t> body_;  // Only for bodies of several frames.

  std::uint64_t sequence_ = 0;
  std::deque<bool> unconfirmed_;  // One per publish since the oldest without a confirm: settled?
};

// Acknowledges deliveries whose work is done, oldest first and many at once.
class Acks {
 public:
  // The delivery with this tag is done; each tag exactly once, tags without gaps.
  void done(std::uint64_t tag);
  // Acknowledges the longest run of done deliveries, if it grew.
  void send(Connection& connection);

 private:
  std::uint64_t first_ = 1;
  std::deque<bool> done_;
};

}  // namespace juggler_bench
