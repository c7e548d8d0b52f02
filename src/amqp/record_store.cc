#include "amqp/record_store.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "amqp/connection.h"
#include "amqp/device_orders.h"
#include "amqp/monotonic.h"
#include "amqp/topology.h"
#include "wire/fleet_record.h"
#include "wire/messages.h"

namespace juggler::amqp {
namespace {

constexpr std::uint16_t kChannel = 1;
constexpr Micros kLockMax = seconds(15);  // others hold it for a moment each
constexpr std::chrono::milliseconds kLockAgain{50};
constexpr std::uint32_t kMessagesMax = 1'000;  // that crashes have left
constexpr int kResourceLocked = 405;

Error refused(const CallFailure& failure) {
  return fail(ErrorCode::Unavailable, failure.message + failure.advice +
                                          (failure.reply_code == AMQP_ACCESS_REFUSED
                                               ? "; the fleet's record needs a controller's login"
                                               : ""));
}

// The queue held exclusively, with what lay in it.
class HeldRecord {
 public:
  static Result<HeldRecord> take(const BrokerUrl& broker) {
    auto connection = Connection::open(broker, "juggler: the fleet's record");
    if (!connection) {
      return connection.error();
    }
    HeldRecord held(std::move(*connection));
    if (auto locked = held.lock(); !locked) {
      return locked.error();
    }
    if (auto read = held.read(); !read) {
      return read.error();
    }
    return held;
  }

  const FleetRecord& record() const { return record_; }

  // Publishes the new one, waits until it is kept, and only then lets go of the old.
  Result<void> put(const FleetRecord& record) {
    if (auto sent = link_->send_message(kChannel, wire::encode_record(record)); !sent) {
      return sent.error();
    }
    auto kept = link_->await_confirm();
    if (!kept || !*kept) {
      return kept ? fail(ErrorCode::Unavailable, "the broker refused the fleet's record")
                  : refused(kept.error());
    }
    for (const std::uint64_t tag : tags_) {
      amqp_basic_ack_t ack{};
      ack.delivery_tag = tag;
      if (auto sent = link_->send(kChannel, AMQP_BASIC_ACK_METHOD, ack); !sent) {
        return sent.error();
      }
    }
    return release();
  }

  // What was not acked goes back.
  Result<void> release() {
    auto closed = link_->close_channel(kChannel);
    link_->close(seconds(1));
    return closed ? Result<void>() : refused(closed.error());
  }

 private:
  explicit HeldRecord(std::unique_ptr<Connection> link) : link_(std::move(link)) {}

  Result<void> lock() {
    const Time until = monotonic_now() + kLockMax;
    for (;;) {
      auto found = declared();
      if (!found) {
        return refused(found.error());
      }
      if (found->consumers == 0) {
        messages_ = found->messages;
        auto consumed = consume();
        if (consumed) {
          return {};
        }
        const int code = consumed.error().reply_code;
        if (code != AMQP_ACCESS_REFUSED && code != kResourceLocked) {  // else another was first
          return refused(consumed.error());
        }
      }
      if (monotonic_now() >= until) {
        return fail(ErrorCode::Unavailable,
                    "others have changed the fleet's record for 15 s: try again");
      }
      std::this_thread::sleep_for(kLockAgain);
    }
  }

  // Opens the channel where a refusal has closed it. Exclusive consumption is what locks.
  tl::expected<Reply, CallFailure> declared() {
    if (!open_) {
      if (auto opened = link_->open_channel(kChannel); !opened) {
        return opened;
      }
      auto confirming = link_->call(kChannel, AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t{},
                                    AMQP_CONFIRM_SELECT_OK_METHOD);
      if (!confirming) {
        return confirming;
      }
      open_ = true;
    }
    return declare_queue(
        *link_, kChannel,
        {.name = wire::kFleetQueue, .arguments = {{"x-queue-type", std::string("classic")}}});
  }

  tl::expected<Reply, CallFailure> consume() {
    amqp_basic_consume_t consume{};
    consume.queue = to_bytes(wire::kFleetQueue);
    consume.consumer_tag = to_bytes("record");
    consume.exclusive = 1;
    auto consumed =
        link_->call(kChannel, AMQP_BASIC_CONSUME_METHOD, consume, AMQP_BASIC_CONSUME_OK_METHOD);
    open_ = consumed.has_value();
    return consumed;
  }

  Result<void> read() {
    const Time until = monotonic_now() + Connection::kCallMax;
    std::vector<Incoming> incoming;
    while (tags_.size() < std::min(messages_, kMessagesMax)) {
      const Time now = monotonic_now();
      if (now >= until) {
        return fail(ErrorCode::Unavailable, "the fleet's record did not come from the broker");
      }
      incoming.clear();
      if (auto sent = link_->flush(now); !sent) {
        return sent;
      }
      if (auto received = link_->receive(now, incoming); !received) {
        return received;
      }
      for (const Incoming& one : incoming) {
        if (const auto* delivery = std::get_if<Delivery>(&one)) {
          if (Result<void> taken = take(*delivery); !taken) {
            return taken;
          }
        }
      }
      if (incoming.empty()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
    return {};
  }

  Result<void> take(const Delivery& delivery) {
    tags_.push_back(delivery.tag);
    Result<FleetRecord> record = wire::decode_record(delivery.envelope);
    if (!record) {
      return fail(record.error().code, "the fleet's record (queue juggler.fleet) cannot be read: " +
                                           record.error().message);
    }
    if (record->revision >= record_.revision) {
      record_ = std::move(*record);
    }
    return {};
  }

  std::unique_ptr<Connection> link_;
  bool open_ = false;
  std::uint32_t messages_ = 0;
  std::vector<std::uint64_t> tags_;
  FleetRecord record_;
};

}  // namespace

Result<FleetRecord> read_record(const BrokerUrl& broker) {
  return edit_record(broker, [](FleetRecord& /*record*/) { return Result<void>(); });
}

Result<FleetRecord> edit_record(const BrokerUrl& broker,
                                const std::function<Result<void>(FleetRecord&)>& change) {
  Result<HeldRecord> held = HeldRecord::take(broker);
  if (!held) {
    return held.error();
  }
  FleetRecord record = held->record();
  if (Result<void> changed = change(record); !changed) {
    (void)held->release();
    return changed.error();
  }
  record.tidy();
  if (record == held->record()) {
    (void)held->release();
    return record;
  }
  if (Result<void> valid = validate(record); !valid) {
    (void)held->release();
    return valid.error();
  }
  record.revision += 1;
  if (Result<void> put = held->put(record); !put) {
    return put.error();
  }
  return record;
}

Result<void> nudge_devices(const BrokerUrl& broker) {
  return tell_device(broker, "", {.kind = wire::ControlKind::Models});
}

}  // namespace juggler::amqp
