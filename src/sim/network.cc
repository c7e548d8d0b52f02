#include "sim/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/samplers.h"

namespace juggler::sim {
namespace {

constexpr std::uint32_t kPacketBytes = 1'448;
// With this many packets behind it a loss is seen by duplicate acks, one round trip later. For one
// of the last packets of a frame there is a probe after two round trips, whose ack shows it (RFC
// 8985); one that went alone waits for Linux's shortest retransmission time-out, a round trip and
// this.
constexpr std::uint32_t kPacketsForFastRetransmission = 4;
constexpr Micros kRetransmission = milliseconds(200);

}  // namespace

Micros Pipe::delay_of(std::uint32_t bytes) {
  Micros delay = profile_.latency;
  if (profile_.jitter > Micros{0}) {
    // Light has its speed: no packet is faster than half the usual time.
    delay = std::max(delay / 2, delay + Micros{about_normal(rng_, profile_.jitter.count)});
  }
  if (stall_mean_ > Micros{0}) {
    const double mean = static_cast<double>(stall_mean_.count);
    delay += Micros{std::llround(draw_exponential(rng_) * mean)};
  }
  if (profile_.loss_per_million > 0) {
    const std::uint32_t packets = bytes / kPacketBytes + 1;
    for (std::uint32_t packet = 0; packet < packets; ++packet) {
      if (rng_.below(1'000'000) < static_cast<std::uint64_t>(profile_.loss_per_million)) {
        const Micros round_trip = profile_.latency * 2;
        const bool seen = packets - packet > kPacketsForFastRetransmission;
        if (packets == 1) {
          delay += round_trip + kRetransmission;
        } else {
          delay += seen ? round_trip : round_trip * 3;
        }
      }
    }
  }
  return delay;
}

void Pipe::send(Frame frame, Micros later) {
  const Time ready = agenda_.now() + later;
  Time sent = std::max(ready, busy_until_);
  if (frame.kind == FrameKind::Publish || frame.kind == FrameKind::Deliver) {
    sent = sent + profile_.message;
  }
  if (profile_.bits_per_second > 0) {
    sent = sent + Micros{std::int64_t{frame.size} * 8'000'000 / profile_.bits_per_second};
  }
  busy_until_ = sent;
  last_arrival_ = std::max(last_arrival_, sent + delay_of(frame.size));
  frames_.push_back({last_arrival_, std::move(frame)});
  plan();
}

void Pipe::plan() {
  if (!cut_ && !frames_.empty() && frames_.front().arrives < planned_) {
    planned_ = frames_.front().arrives;
    agenda_.at(planned_, *this, ++plan_);
  }
}

void Pipe::wake(std::uint64_t number) {
  if (number != plan_) {
    return;  // an earlier one took its place
  }
  planned_ = Time::never();
  if (cut_) {
    return;
  }
  bool any = false;
  while (!frames_.empty() && frames_.front().arrives <= agenda_.now()) {
    Frame frame = std::move(frames_.front().frame);
    frames_.pop_front();
    sink_->receive(std::move(frame));
    any = true;
  }
  if (any) {
    sink_->received_all();
  }
  plan();
}

void Pipe::lose_tail(std::uint64_t connection, std::size_t count) {
  while (count > 0 && !frames_.empty() && frames_.back().frame.connection == connection) {
    frames_.pop_back();
    count -= 1;
  }
}

void Pipe::cut() {
  if (!cut_) {
    cut_ = true;
    cut_since_ = agenda_.now();
  }
}

void Pipe::restore() {
  if (!cut_) {
    return;
  }
  cut_ = false;
  // What was held back is sent again now.
  const Time earliest = agenda_.now() + profile_.latency;
  for (OnTheWay& item : frames_) {
    item.arrives = std::max(item.arrives, earliest);
  }
  last_arrival_ = std::max(last_arrival_, earliest);
  plan();
}

}  // namespace juggler::sim
