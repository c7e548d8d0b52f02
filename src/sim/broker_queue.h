#pragma once
// The parts of the simulated broker that know nothing of connections: exchanges with their
// bindings, queues with their limits.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/units.h"
#include "runtime/topology.h"
#include "sim/frame.h"

namespace juggler::sim {

using QueueIndex = std::uint32_t;
inline constexpr QueueIndex kNoQueue = UINT32_MAX;

struct StoredMessage {
  Content content;
  Time expires = Time::never();
  Time on_disk;  // a broker that dies before then may lose it
  bool redelivered = false;
  std::uint64_t position = 0;  // in its queue: what comes back goes to its old place
};

// Somebody who consumes a queue.
struct QueueConsumer {
  std::uint64_t connection = 0;
  std::uint16_t subscription = 0;
  int prefetch = 0;  // 0: no bound
  int unacked = 0;
  std::int64_t priority = 0;
  bool no_ack = false;
  bool exclusive = false;

  bool has_room() const { return no_ack || prefetch == 0 || unacked < prefetch; }
};

struct Queue {
  std::string name;
  bool exists = false;
  bool durable = true;
  std::uint64_t owner = 0;  // the connection of an exclusive one
  Micros message_ttl;       // 0: none
  std::size_t length_max = SIZE_MAX;
  std::size_t bytes_max = SIZE_MAX;
  bool reject_publish = false;  // else the oldest goes
  bool single_active = false;
  bool has_dead_letters = false;
  std::string dead_exchange;
  std::string dead_key;  // empty: the message's own

  std::deque<StoredMessage> ready;
  std::size_t ready_bytes = 0;
  // Acked, and the ack not on disk yet: a broker that dies has forgotten it. An ack gets there with
  // the next persistent message of its queue, or after a while of rest.
  struct Settled {
    StoredMessage message;
    Time at;
  };
  std::deque<Settled> settled;
  struct Written {
    Time put;  // what was there before
    Time on_disk;
  };
  std::deque<Written> written;
  std::uint64_t last_position = 0;
  std::vector<QueueConsumer> consumers;  // by priority, then as they came
  std::size_t next_consumer = 0;         // whose turn it is among equals

  bool is_full() const { return ready.size() >= length_max || ready_bytes >= bytes_max; }
};

class Exchanges {
 public:
  Exchanges();

  void declare(const ExchangeSpec& spec);
  void remove(const std::string& exchange);
  bool has(const std::string& exchange) const { return exchanges_.contains(exchange); }
  void bind(const BindingSpec& binding, QueueIndex queue);
  void bind(const ExchangeBindingSpec& binding);  // in no circle
  void forget(QueueIndex queue);                  // with its bindings
  // Queues by name, for the default exchange.
  void name_queue(const std::string& name, QueueIndex queue);
  QueueIndex find_queue(const std::string& name) const;

  // The queues that take a message; empty where none does, or where there is no such exchange.
  // Valid until the next change.
  const std::vector<QueueIndex>& route(const std::string& exchange, const std::string& key);

 private:
  enum class Type { Direct, Topic, Fanout };
  struct Binding {
    std::string key;
    QueueIndex queue = kNoQueue;
    std::string exchange;  // where it is bound to no queue
  };
  struct Exchange {
    Type type = Type::Direct;
    std::string alternate;
    std::vector<Binding> bindings;
    std::unordered_map<std::string, std::vector<QueueIndex>> routes;  // looked up only
  };
  void bind(const std::string& source, Binding binding);
  void forget_routes();

  std::map<std::string, Exchange, std::less<>> exchanges_;
  std::unordered_map<std::string, std::vector<QueueIndex>> queues_;  // looked up only
  std::vector<QueueIndex> none_;
};

// Whether a topic's pattern (words by dots, `*` one word, `#` any number) takes a key.
bool topic_matches(std::string_view pattern, std::string_view key);

// A queue as its specification says.
Queue make_queue(const QueueSpec& spec);

}  // namespace juggler::sim
