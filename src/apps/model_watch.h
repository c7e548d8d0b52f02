#pragma once
// Keeps a device's models as they are wanted: before it serves, and in a thread of its own while it
// does.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "amqp/session.h"
#include "apps/model_fetch.h"
#include "runtime/mutex.h"

namespace juggler {

struct ModelSource {
  amqp::BrokerUrl broker;
  // Its login, before each new connection; none: as it is.
  std::function<Result<amqp::BrokerUrl>()> read_again;
  ModelFetchOptions options;
  ModelFolder folder;
};

// Fetches until the device holds what is wanted, installs it, and removes the rest. Goes on with
// what is there where nobody answers for `patience`; where nothing is there, waits on.
// `refused`: what the device could not serve, so that it waits for something else.
//
// errors  Unavailable: stopped
Result<void> bring_models(const ModelSource& source, const std::vector<wire::FetchProblem>& refused,
                          const std::function<bool()>& stop);

// thread  its own; the functions: the owner's
class ModelWatch {
 public:
  // `changed` is called once, on its thread, when other models are here than those that are served.
  ModelWatch(ModelSource source, std::function<void()> changed);
  ~ModelWatch();
  ModelWatch(const ModelWatch&) = delete;
  ModelWatch& operator=(const ModelWatch&) = delete;

  void ask_soon();
  // An answer of the keeper, which came by the device's control queue.
  void heard(const wire::Envelope& envelope);
  bool changed() const { return changed_.load(); }

 private:
  void run(const std::stop_token& stop);
  std::vector<wire::Envelope> take_heard();

  ModelSource source_;
  std::function<void()> tell_;
  std::unique_ptr<Transport> transport_;
  Mutex mutex_;
  std::vector<wire::Envelope> heard_ GUARDED_BY(mutex_);
  std::atomic<bool> ask_ = false;
  std::atomic<bool> changed_ = false;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace juggler
