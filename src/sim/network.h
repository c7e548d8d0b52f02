#pragma once
// The network between a machine and the broker: two pipes that keep the order of what is sent, as
// TCP does. Loss is delay, a cut holds everything back, and only a connection that was given up
// loses what was under way.

#include <cstdint>
#include <deque>

#include "core/rng.h"
#include "core/units.h"
#include "sim/agenda.h"
#include "sim/frame.h"

namespace juggler::sim {

// How one direction of a link behaves. Zeros: a wire that takes no time.
struct PipeProfile {
  Micros latency;                     // one way
  Micros jitter;                      // standard deviation of it
  std::int64_t bits_per_second = 0;   // 0: no limit
  std::int64_t loss_per_million = 0;  // of packets; each costs a retransmission
  // What a message takes of those who read and write this connection: its messages pass one after
  // the other, so that a batch does not arrive at once.
  Micros message{};

  friend bool operator==(const PipeProfile&, const PipeProfile&) = default;
};

struct LinkProfile {
  PipeProfile up;  // towards the broker
  PipeProfile down;

  friend bool operator==(const LinkProfile&, const LinkProfile&) = default;
};

// Both directions alike.
inline LinkProfile symmetric(PipeProfile profile) { return {profile, profile}; }

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void receive(Frame frame) = 0;
  // All that has arrived at this moment was handed over.
  virtual void received_all() = 0;
};

// One direction. Frames arrive in the order in which they were sent, each after serialisation,
// latency, jitter and what it lost.
class Pipe final : public Sleeper {
 public:
  Pipe(Agenda& agenda, PipeProfile profile, std::uint64_t seed)
      : agenda_(agenda), profile_(profile), rng_(seed) {}
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void connect(FrameSink& sink) { sink_ = &sink; }
  // `later`: what the sender itself still takes before it is on the wire.
  void send(Frame frame, Micros later = {});

  // Nothing arrives until it is restored; then everything does, in order.
  void cut();
  void restore();
  bool is_cut() const { return cut_; }
  Time cut_since() const { return cut_since_; }
  // Drops the last `count` frames of this connection that are under way: they never left the
  // sender. What was sent over an earlier connection, its good-bye above all, is the kernel's to
  // deliver.
  void lose_tail(std::uint64_t connection, std::size_t count = SIZE_MAX);
  // The sender has lost its power, and with it all that it had not sent.
  void lose_all() { frames_.clear(); }
  // Every frame takes longer from now on: exponential, with this mean.
  void stall(Micros mean) { stall_mean_ = mean; }

  const PipeProfile& profile() const { return profile_; }
  void wake(std::uint64_t number) override;

 private:
  struct OnTheWay {
    Time arrives;
    Frame frame;
  };
  Micros delay_of(std::uint32_t bytes);
  void plan();

  Agenda& agenda_;
  PipeProfile profile_;
  Rng rng_;
  FrameSink* sink_ = nullptr;
  std::deque<OnTheWay> frames_;
  Time busy_until_;  // the wire's own end
  Time last_arrival_;
  Time planned_ = Time::never();
  std::uint64_t plan_ = 0;  // only the last one counts
  Time cut_since_;
  Micros stall_mean_;
  bool cut_ = false;
};

struct Link {
  Link(Agenda& agenda, const LinkProfile& profile, std::uint64_t seed)
      : up(agenda, profile.up, seed * 2), down(agenda, profile.down, seed * 2 + 1) {}

  bool is_cut() const { return up.is_cut() || down.is_cut(); }
  // There and back again, for a small frame.
  Micros round_trip() const { return up.profile().latency + down.profile().latency; }

  Pipe up;
  Pipe down;
};

}  // namespace juggler::sim
