#pragma once
// One connection to the broker: login, frames, heartbeats, and calls that wait for their answer.
// Knows neither queues nor sessions.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "amqp/frames.h"
#include "amqp/session.h"
#include "amqp/stream.h"

namespace juggler::amqp {

// Why a call got no answer. A reply code is the broker's refusal, which has closed the channel; 0
// means that the connection is lost.
struct CallFailure {
  int reply_code = 0;
  std::string message;
  std::string advice{};  // what to do, where that is known: to be said after the message
};

std::string describe(const CallFailure& failure);

class Connection {
 public:
  // Connects, logs in and opens the vhost within kHandshakeMax. Blocks for that long at most, for
  // each node of a cluster: the first that answers is taken.
  static Result<std::unique_ptr<Connection>> open(const BrokerUrl& url, const std::string& name,
                                                  int heartbeat_s = kHeartbeatSeconds);

  static constexpr int kHeartbeatSeconds = 5;
  // A broker that says nothing for so long is gone. Not less, however often it asks for heartbeats:
  // a busy disk stops it for seconds.
  static constexpr Micros kSilenceMax = seconds(10);

  static constexpr Micros kHandshakeMax = seconds(10);
  static constexpr Micros kCallMax = seconds(10);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Queue for sending; flush() sends.
  template <class Arguments>
  Result<void> send(std::uint16_t channel, std::uint32_t method, Arguments arguments) {
    return writer_.method(out_, channel, method, &arguments);
  }
  Result<void> send_message(std::uint16_t channel, const wire::Envelope& envelope) {
    return writer_.message(out_, channel, envelope);
  }

  // Sends what the socket takes, and a heartbeat where one is due. Never blocks.
  Result<void> flush(Time now);
  // Appends what has arrived. Never blocks.
  // errors  the connection is lost: closed by either side, silent for too long, or corrupt.
  Result<void> receive(Time now, std::vector<Incoming>& out);

  // Sends a method and waits for its answer; what else arrives meanwhile waits for receive().
  template <class Arguments>
  tl::expected<Reply, CallFailure> call(std::uint16_t channel, std::uint32_t method,
                                        Arguments arguments, std::uint32_t answer,
                                        std::uint32_t other_answer = 0) {
    if (auto sent = send(channel, method, arguments); !sent) {
      return tl::unexpected(CallFailure{0, sent.error().message});
    }
    return await(channel, answer, other_answer, monotonic_deadline());
  }
  // Waits for a confirm, as call() does for an answer.
  tl::expected<bool, CallFailure> await_confirm();
  // Takes a message out of what has arrived that came back because no queue has this name.
  bool take_returned(std::string_view routing_key);

  tl::expected<Reply, CallFailure> open_channel(std::uint16_t channel);
  tl::expected<Reply, CallFailure> close_channel(std::uint16_t channel);

  // Says good-bye and waits shortly for the answer, so that the broker logs no abrupt end.
  void close(Micros wait_max);

  int fd() const { return stream_->fd(); }
  // What to poll the socket for.
  Readiness interest() const {
    return {.read = true, .write = !out_.empty() || stream_->wants_write()};
  }
  // Something is here that poll() does not see.
  bool has_input() const { return !inbox_.empty() || stream_->buffered() || more_to_read_; }
  // When flush() and receive() are needed again although nothing arrives.
  Time next_deadline() const;
  std::size_t unsent() const { return out_.size(); }

 private:
  explicit Connection(std::unique_ptr<Stream> stream);

  static Result<std::unique_ptr<Connection>> open_one(const BrokerUrl& url, const std::string& name,
                                                      int heartbeat_s);
  static Time monotonic_deadline();
  Result<void> log_in(const BrokerUrl& url, const std::string& name, int heartbeat_s,
                      Time deadline);
  tl::expected<Reply, CallFailure> await(std::uint16_t channel, std::uint32_t answer,
                                         std::uint32_t other_answer, Time deadline);
  // Sends, waits for the socket and reads once.
  Result<void> pump(Time deadline);
  Result<void> read_frames(Time now);
  Result<void> take_control(Incoming& incoming);

  std::unique_ptr<Stream> stream_;
  FrameReader reader_;
  FrameWriter writer_;
  OutBuffer out_;
  std::vector<Incoming> decoded_;  // reused between reads
  std::deque<Incoming> inbox_;
  bool more_to_read_ = false;
  int first_byte_ = -1;  // of all that has come: tells TLS from AMQP
  Micros heartbeat_;     // 0: none agreed
  Time last_sent_;
  Time last_received_;
};

}  // namespace juggler::amqp
