#pragma once
// A client in virtual time: submits what is due, whatever has become of the tasks before (open
// loop), and collects outcomes. It drops an outcome that comes again, as the protocol asks.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/task.h"
#include "sim/agenda.h"
#include "sim/broker.h"
#include "sim/metrics.h"
#include "sim/transport.h"

namespace juggler::sim {

// What every task of a class has in common.
struct ClientClass {
  Requirements requirements;
  Bytes payload;
  PayloadKind payload_kind = PayloadKind::Jpeg;
};

struct ClientOptions {
  std::string name = "client";
  LinkProfile link;
  std::uint64_t seed = 1;
  bool reads_unrouted = false;  // it also collects the outcomes that nobody else waits for
  // Outcomes that were sent over a connection that is given up are lost with it, but for a client
  // that does either. Then it acks the unrouted ones, too.
  bool durable_replies = false;  // its reply queue outlives its connection, and it acks
  bool resubmits = false;  // all that is open, over the next connection, as apps/client.h does
  // What odd clients do, per million tasks.
  std::int64_t repeats = 0;    // the task is sent again under its id, some time later
  std::int64_t malformed = 0;  // it is no task at all
  std::int64_t no_reply = 0;   // without a reply_to
};

class ClientMachine final : public TransportOwner, public Sleeper {
 public:
  ClientMachine(Agenda& agenda, Broker& broker, ClientOptions options,
                std::vector<ClientClass> classes, Metrics& metrics);

  void begin();
  void submit(std::uint64_t task, std::size_t demand);
  // Called with every outcome, repeated ones included.
  void on_outcome(std::function<void(std::uint64_t task, const Outcome&)> told) {
    told_ = std::move(told);
  }
  const std::vector<std::string>& complaints() const { return complaints_; }
  SimTransport& transport() { return transport_; }

  void input() override;
  void wake(std::uint64_t what) override;

 private:
  struct Sent {
    std::uint64_t task = 0;
    std::size_t demand = 0;
    std::uint64_t session = 0;
  };
  wire::Body body_of(Bytes size);
  wire::Envelope message(std::uint64_t task, std::size_t demand);
  void send(std::uint64_t task, std::size_t demand);
  void settled(const TransportSettled& event);
  void delivered(const TransportDelivery& delivery);

  Agenda& agenda_;
  Broker& broker_;
  ClientOptions options_;
  std::vector<ClientClass> classes_;
  Metrics& metrics_;
  Link link_;
  SimTransport transport_;
  Rng rng_;
  std::map<std::int64_t, wire::Body> bodies_;
  std::string reply_queue_;
  std::uint64_t session_ = 0;                 // grows with each reply queue
  std::unordered_map<PublishId, Sent> open_;  // looked up, never iterated
  std::vector<Sent> waiting_;                 // until there is a reply queue
  PublishId last_publish_ = 0;
  std::vector<Sent> repeats_;
  std::map<std::uint64_t, std::size_t> unanswered_;  // confirmed: task and class
  std::set<std::uint64_t> answered_;                 // where it resubmits
  std::vector<TransportEvent> events_;
  std::function<void(std::uint64_t, const Outcome&)> told_;
  std::vector<std::string> complaints_;
};

// The id of a task by its number, and back; nothing for an id of somebody else's.
std::string task_id(std::uint64_t task);
std::optional<std::uint64_t> task_number(std::string_view id);

}  // namespace juggler::sim
