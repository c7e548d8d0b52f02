#pragma once
// Declares what devices need and asks who is there, on connections of its own: a refusal there
// costs the working connection nothing, and no waiting either.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "amqp/connection.h"
#include "amqp/mutex.h"
#include "amqp/session.h"
#include "amqp/topology.h"
#include "runtime/transport.h"

namespace juggler::amqp {

class Admin {
 public:
  static constexpr std::size_t kWaitingMax = 4096;

  // `answered` is called on the worker's thread when there is something for take_answers().
  Admin(BrokerUrl broker, std::function<void()> answered)
      : broker_(std::move(broker)), answered_(std::move(answered)) {}
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  ~Admin();

  // The broker's addresses, in the order in which they are tried from the next connection on.
  void use(BrokerUrl broker);
  // Queues a device to be enrolled. A failure is logged; the device's next hello asks again.
  // thread: one, the transport's owner.
  void enrol(const std::string& device) { add({Job::Kind::Enrol, device}); }
  // Queues the question whether anybody consumes the device's queue.
  void ask_presence(const std::string& device) { add({Job::Kind::Presence, device}); }
  void take_answers(std::vector<TransportEvent>& events);

 private:
  struct Job {
    enum class Kind { Enrol, Presence };
    Kind kind = Kind::Enrol;
    std::string device;

    friend bool operator==(const Job&, const Job&) = default;
  };

  void add(const Job& job);
  void run(const std::stop_token& stop);
  bool take(Job& job);
  Result<void> connect(std::unique_ptr<Connection>& connection);
  void enrol(std::unique_ptr<Connection>& connection, const std::string& device);
  tl::expected<void, CallFailure> declare_device(Connection& connection, const std::string& device);
  void look_for(std::unique_ptr<Connection>& connection, const std::string& device);

  Mutex mutex_;
  BrokerUrl broker_ GUARDED_BY(mutex_);
  const std::function<void()> answered_;
  std::deque<Job> waiting_ GUARDED_BY(mutex_);
  std::vector<TransportEvent> answers_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false;
  std::optional<QueueKind> kind_;  // the worker's; asked for again by the next one
  std::jthread worker_;            // ends when nothing waits; the next job starts another
};

}  // namespace juggler::amqp
