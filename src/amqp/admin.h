#pragma once
// Declares what devices need, on connections of its own: a refusal there costs the working
// connection nothing, and no waiting either.

#include <condition_variable>
#include <deque>
#include <string>
#include <thread>

#include "amqp/mutex.h"
#include "amqp/session.h"

namespace juggler::amqp {

class Admin {
 public:
  static constexpr std::size_t kWaitingMax = 256;

  explicit Admin(BrokerUrl broker) : broker_(std::move(broker)) {}
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  ~Admin();

  // Queues a device to be enrolled. A failure is logged; the device's next hello asks again.
  // thread: one, the transport's owner.
  void enrol(const std::string& device);

 private:
  void run(const std::stop_token& stop);
  bool take(std::string& device);

  const BrokerUrl broker_;
  Mutex mutex_;
  std::deque<std::string> waiting_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false;
  std::jthread worker_;  // ends when nothing waits; the next enrol() starts another
};

}  // namespace juggler::amqp
