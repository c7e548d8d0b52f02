#include "apps/model_watch.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "files/sha256.h"

namespace juggler {
namespace {

constexpr Micros kTurn = milliseconds(500);
constexpr Micros kPatience = seconds(15);  // where there are models that can be served
constexpr Micros kCloseMax = seconds(1);

// What is asked for comes within a moment; more than that nobody has asked for.
constexpr std::size_t kHeardMax = 64;

std::unique_ptr<Transport> open_session(const ModelSource& source,
                                        std::optional<std::int64_t> priority) {
  amqp::SessionSpec session{model_fetch_plan(source.options.device, priority), source.broker};
  session.read_again = source.read_again;
  return amqp::make_transport(std::move(session));
}

}  // namespace

Result<void> bring_models(const ModelSource& source, const std::vector<wire::FetchProblem>& refused,
                          const std::function<bool()>& stop) {
  if (Result<void> ready = source.folder.prepare(); !ready) {
    return ready;
  }
  SystemClock clock;
  // As an incarnation grows, so that an older process which is half gone gets no answers; but where
  // the clock has stepped back, for as long as the broker takes to give that one up.
  const std::unique_ptr<Transport> transport = open_session(source, clock.unix_seconds());
  ModelFetch fetch(*transport, clock, source.folder, source.options);
  for (const wire::FetchProblem& problem : refused) {
    fetch.refuse(problem);
  }
  const Time until = clock.now() + kPatience;
  bool said_nothing = false;
  Result<void> end;
  while (true) {
    fetch.turn(kTurn);
    if (stop()) {
      end = fail(ErrorCode::Unavailable, "stopped while models were fetched");
      break;
    }
    if (fetch.changed()) {
      end = source.folder.install(fetch.catalogue());
      source.folder.sweep();
      fetch.ask_now();  // so that the keeper knows
      if (!end || !source.folder.held().empty()) {
        fetch.turn(Micros{0});
        break;
      }
    }
    const bool any = refused.empty() && !source.folder.held().empty();
    if (fetch.settled() && any) {
      source.folder.sweep();
      break;
    }
    if (fetch.settled() && !said_nothing) {
      said_nothing = true;
      spdlog::warn("models: none that this device could serve is wanted here; waiting for others");
    }
    if (any && !fetch.problem().empty() && clock.now() >= until) {
      spdlog::warn("models: serving with those that are here: {}", fetch.problem());
      break;
    }
  }
  transport->close(kCloseMax);
  return end;
}

ModelWatch::ModelWatch(ModelSource source, std::function<void()> changed)
    : source_(std::move(source)),
      tell_(std::move(changed)),
      transport_(open_session(source_, std::nullopt)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ModelWatch::~ModelWatch() {
  thread_.request_stop();
  transport_->wake();
}

void ModelWatch::ask_soon() {
  ask_ = true;
  transport_->wake();
}

void ModelWatch::heard(const wire::Envelope& envelope) {
  {
    const MutexLock lock(mutex_);
    if (heard_.size() >= kHeardMax) {
      return;
    }
    heard_.push_back(envelope);
  }
  transport_->wake();
}

std::vector<wire::Envelope> ModelWatch::take_heard() {
  const MutexLock lock(mutex_);
  return std::exchange(heard_, {});
}

void ModelWatch::run(const std::stop_token& stop) {
  SystemClock clock;
  ModelFetch fetch(*transport_, clock, source_.folder, source_.options);
  RepeatedWarning problem;
  while (!stop.stop_requested()) {
    fetch.turn(seconds(1));
    for (const wire::Envelope& envelope : take_heard()) {
      fetch.heard(envelope);
    }
    if (ask_.exchange(false)) {
      fetch.ask_soon();
    }
    if (!changed_ && fetch.changed()) {
      if (Result<void> kept = source_.folder.install(fetch.catalogue()); !kept) {
        if (const std::uint64_t times = problem.to_say(kept.error().message); times > 0) {
          spdlog::warn("models: {}{}", kept.error().message, times_text(times));
        }
        continue;
      }
      changed_ = true;
      tell_();
    }
  }
  transport_->close(kCloseMax);
}

}  // namespace juggler
