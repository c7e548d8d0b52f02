#include "amqp/connection.h"

#include <algorithm>
#include <array>

#include "amqp/monotonic.h"
#include "fmt/format.h"

namespace juggler::amqp {
namespace {

// A delivery beyond this is skipped and rejected. Larger than any message of our own node.
constexpr std::size_t kBodyMax = 64 << 20;
constexpr int kReadsMax = 8;  // of one receive(), so that sending is not starved

amqp_table_entry_t text_entry(const char* key, std::string_view value) {
  amqp_table_entry_t entry{};
  entry.key = to_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = to_bytes(value);
  return entry;
}

amqp_table_entry_t flag_entry(const char* key) {
  amqp_table_entry_t entry{};
  entry.key = to_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

}  // namespace

std::string describe(const CallFailure& failure) {
  return failure.reply_code == 0
             ? failure.message
             : fmt::format("{} {}{}", failure.reply_code, failure.message, failure.advice);
}

Connection::Connection(std::unique_ptr<Stream> stream)
    : stream_(std::move(stream)),
      reader_(kBodyMax),
      last_sent_(monotonic_now()),
      last_received_(last_sent_) {}

Time Connection::monotonic_deadline() { return monotonic_now() + kCallMax; }

Result<std::unique_ptr<Connection>> Connection::open(const BrokerUrl& url, const std::string& name,
                                                     int heartbeat_s) {
  auto opened = open_one(url, name, heartbeat_s);
  for (auto other = url.others.begin(); !opened && other != url.others.end(); ++other) {
    opened = open_one(*other, name, heartbeat_s);
  }
  return opened;
}

Result<std::unique_ptr<Connection>> Connection::open_one(const BrokerUrl& url,
                                                         const std::string& name, int heartbeat_s) {
  const Time deadline = monotonic_now() + kHandshakeMax;
  auto stream = Stream::connect(url, deadline);
  if (!stream) {
    return fail(stream.error().code, fmt::format("cannot reach the broker {}: {}", url.redacted(),
                                                 stream.error().message));
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(*stream)));
  if (auto done = connection->log_in(url, name, heartbeat_s, deadline); !done) {
    return fail(done.error().code, fmt::format("cannot log in to the broker {}: {}", url.redacted(),
                                               done.error().message));
  }
  return connection;
}

Result<void> Connection::log_in(const BrokerUrl& url, const std::string& name, int heartbeat_s,
                                Time deadline) {
  constexpr std::string_view kGreeting("AMQP\0\0\x09\x01", 8);
  out_.append(kGreeting);
  const auto fail_with = [this, &url](const CallFailure& failure) {
    constexpr int kTlsAlert = 0x15;
    const bool tls_there = !url.tls && first_byte_ == kTlsAlert;
    return fail(ErrorCode::Unavailable,
                tls_there ? "this port wants TLS: write amqps:// for amqp://" : describe(failure));
  };
  auto start = await(0, AMQP_CONNECTION_START_METHOD, 0, deadline);
  if (!start) {
    return fail_with(start.error());
  }
  // Without these capabilities a deleted queue and a memory alarm are silent, and a refused login
  // is an unexplained end of the connection.
  std::array capabilities{flag_entry("consumer_cancel_notify"), flag_entry("connection.blocked"),
                          flag_entry("publisher_confirms"), flag_entry("basic.nack"),
                          flag_entry("authentication_failure_close")};
  std::array<amqp_table_entry_t, 3> properties{text_entry("product", "Juggler"),
                                               text_entry("connection_name", name)};
  properties[2].key = to_bytes("capabilities");
  properties[2].value.kind = AMQP_FIELD_KIND_TABLE;
  properties[2].value.value.table = {static_cast<int>(capabilities.size()), capabilities.data()};
  std::string login;  // empty: the certificate says it
  if (!url.external) {
    login.append(1, '\0').append(url.user).append(1, '\0').append(url.password);
  }
  amqp_connection_start_ok_t start_ok{};
  start_ok.client_properties = {static_cast<int>(properties.size()), properties.data()};
  start_ok.mechanism = to_bytes(url.external ? "EXTERNAL" : "PLAIN");
  start_ok.response = to_bytes(login);
  start_ok.locale = to_bytes("en_US");
  if (auto sent = send(0, AMQP_CONNECTION_START_OK_METHOD, start_ok); !sent) {
    return sent;
  }
  auto tune = await(0, AMQP_CONNECTION_TUNE_METHOD, AMQP_CONNECTION_SECURE_METHOD, deadline);
  if (!tune) {
    return fail_with(tune.error());
  }
  if (tune->method != AMQP_CONNECTION_TUNE_METHOD) {
    return fail(ErrorCode::Unsupported, "the broker wants a login other than user and password");
  }
  amqp_connection_tune_ok_t tune_ok{};
  tune_ok.channel_max = kChannelMax;
  tune_ok.frame_max = tune->frame_max == 0 ? std::uint32_t{kFrameMax}
                                           : std::min(tune->frame_max, std::uint32_t{kFrameMax});
  const auto wanted_s = static_cast<std::uint16_t>(heartbeat_s);
  tune_ok.heartbeat = tune->heartbeat_s == 0 ? wanted_s : std::min(tune->heartbeat_s, wanted_s);
  writer_.limit_frames(tune_ok.frame_max);
  heartbeat_ = seconds(tune_ok.heartbeat);
  amqp_connection_open_t open{};
  open.virtual_host = to_bytes(url.vhost);
  if (auto sent = send(0, AMQP_CONNECTION_TUNE_OK_METHOD, tune_ok); !sent) {
    return sent;
  }
  if (auto sent = send(0, AMQP_CONNECTION_OPEN_METHOD, open); !sent) {
    return sent;
  }
  auto opened = await(0, AMQP_CONNECTION_OPEN_OK_METHOD, 0, deadline);
  return opened ? Result<void>() : Result<void>(fail_with(opened.error()));
}

Result<void> Connection::flush(Time now) {
  // Half the agreed interval: one may be late.
  if (heartbeat_.count > 0 && out_.empty() && now - last_sent_ >= heartbeat_ / 2) {
    FrameWriter::heartbeat(out_);
  }
  if (out_.empty()) {
    return {};
  }
  auto written = out_.flush(*stream_);
  if (!written) {
    return written.error();
  }
  if (*written > 0) {
    last_sent_ = now;
  }
  return {};
}

Result<void> Connection::read_frames(Time now) {
  more_to_read_ = false;
  for (int reads = 0; reads < kReadsMax; ++reads) {
    const std::span<char> space = reader_.space();
    auto count = stream_->read(space);
    if (!count) {
      return count.error();
    }
    if (*count == 0) {
      return {};
    }
    last_received_ = now;
    if (first_byte_ < 0) {
      first_byte_ = static_cast<unsigned char>(space.front());
    }
    reader_.filled(*count);
    decoded_.clear();
    if (auto decoded = reader_.decode(decoded_); !decoded) {
      return decoded;
    }
    for (Incoming& incoming : decoded_) {
      if (auto taken = take_control(incoming); !taken) {
        return taken;
      }
    }
    // A read that did not fill the buffer has emptied the socket: the next call would only say so.
    if (*count < space.size() && !stream_->buffered()) {
      return {};
    }
  }
  more_to_read_ = true;
  return {};
}

// What the connection answers itself; all else goes to the inbox.
Result<void> Connection::take_control(Incoming& incoming) {
  if (std::holds_alternative<Heartbeat>(incoming)) {
    return {};
  }
  if (const auto* closed = std::get_if<ConnectionClosed>(&incoming)) {
    (void)send(0, AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t{});
    (void)out_.flush(*stream_);
    return fail(ErrorCode::Unavailable,
                fmt::format("the broker closed the connection: {} {}", closed->code, closed->text));
  }
  if (const auto* flow = std::get_if<FlowRequest>(&incoming)) {
    return send(flow->channel, AMQP_CHANNEL_FLOW_OK_METHOD, amqp_channel_flow_ok_t{flow->active});
  }
  if (const auto* closed = std::get_if<ChannelClosed>(&incoming)) {
    auto sent = send(closed->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t{});
    if (!sent) {
      return sent;
    }
  }
  inbox_.push_back(std::move(incoming));
  return {};
}

Result<void> Connection::receive(Time now, std::vector<Incoming>& out) {
  auto read = read_frames(now);
  out.insert(out.end(), std::make_move_iterator(inbox_.begin()),
             std::make_move_iterator(inbox_.end()));
  inbox_.clear();
  if (!read) {
    return read;
  }
  if (heartbeat_.count > 0 && now - last_received_ > kSilenceMax) {
    return fail(ErrorCode::Unavailable, "the broker has sent nothing, not even heartbeats");
  }
  return {};
}

Time Connection::next_deadline() const {
  if (heartbeat_.count == 0) {
    return Time::never();
  }
  return std::min(last_sent_ + heartbeat_ / 2, last_received_ + kSilenceMax + milliseconds(1));
}

Result<void> Connection::pump(Time deadline) {
  const Time now = monotonic_now();
  if (now >= deadline) {
    return fail(ErrorCode::Unavailable, "the broker did not answer in time");
  }
  if (auto sent = flush(now); !sent) {
    return sent;
  }
  if (!stream_->buffered() && !more_to_read_) {
    (void)wait_ready(fd(), interest(), std::min(deadline, next_deadline()));
  }
  return read_frames(monotonic_now());
}

tl::expected<Reply, CallFailure> Connection::await(std::uint16_t channel, std::uint32_t answer,
                                                   std::uint32_t other_answer, Time deadline) {
  std::size_t seen = 0;  // in the inbox; what was there before cannot be the answer
  for (;;) {
    for (; seen < inbox_.size(); ++seen) {
      Incoming& incoming = inbox_[seen];
      if (const auto* closed = std::get_if<ChannelClosed>(&incoming);
          closed != nullptr && closed->channel == channel) {
        CallFailure failure{closed->code, closed->text};
        inbox_.erase(inbox_.begin() + static_cast<std::ptrdiff_t>(seen));
        return tl::unexpected(std::move(failure));
      }
      if (const auto* alarm = std::get_if<Blocked>(&incoming); alarm != nullptr && alarm->blocked) {
        // From here on the broker does not even read: there will be no answer.
        return tl::unexpected(
            CallFailure{0, fmt::format("the broker takes no messages: {}", alarm->reason)});
      }
      auto* reply = std::get_if<Reply>(&incoming);
      if (reply != nullptr && reply->channel == channel &&
          (reply->method == answer || reply->method == other_answer)) {
        Reply found = std::move(*reply);
        inbox_.erase(inbox_.begin() + static_cast<std::ptrdiff_t>(seen));
        return found;
      }
    }
    if (auto pumped = pump(deadline); !pumped) {
      return tl::unexpected(CallFailure{0, pumped.error().message});
    }
  }
}

tl::expected<bool, CallFailure> Connection::await_confirm() {
  const Time deadline = monotonic_deadline();
  for (;;) {
    for (auto it = inbox_.begin(); it != inbox_.end(); ++it) {
      if (const auto* confirm = std::get_if<Confirm>(&*it)) {
        const bool accepted = confirm->accepted;
        inbox_.erase(it);
        return accepted;
      }
      if (const auto* closed = std::get_if<ChannelClosed>(&*it)) {
        CallFailure failure{closed->code, closed->text};
        inbox_.erase(it);
        return tl::unexpected(std::move(failure));
      }
      if (const auto* alarm = std::get_if<Blocked>(&*it); alarm != nullptr && alarm->blocked) {
        return tl::unexpected(
            CallFailure{0, fmt::format("the broker takes no messages: {}", alarm->reason)});
      }
    }
    if (auto pumped = pump(deadline); !pumped) {
      return tl::unexpected(CallFailure{0, pumped.error().message});
    }
  }
}

bool Connection::take_returned(std::string_view routing_key) {
  const auto found = std::find_if(inbox_.begin(), inbox_.end(), [&](const Incoming& incoming) {
    const auto* returned = std::get_if<Returned>(&incoming);
    return returned != nullptr && returned->envelope.routing_key == routing_key;
  });
  if (found == inbox_.end()) {
    return false;
  }
  inbox_.erase(found);
  return true;
}

tl::expected<Reply, CallFailure> Connection::open_channel(std::uint16_t channel) {
  return call(channel, AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t{},
              AMQP_CHANNEL_OPEN_OK_METHOD);
}

tl::expected<Reply, CallFailure> Connection::close_channel(std::uint16_t channel) {
  amqp_channel_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  return call(channel, AMQP_CHANNEL_CLOSE_METHOD, close, AMQP_CHANNEL_CLOSE_OK_METHOD);
}

void Connection::close(Micros wait_max) {
  amqp_connection_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  if (send(0, AMQP_CONNECTION_CLOSE_METHOD, close)) {
    (void)await(0, AMQP_CONNECTION_CLOSE_OK_METHOD, 0, monotonic_now() + wait_max);
  }
}

}  // namespace juggler::amqp
