#pragma once
// Timers in virtual time: a sorted map, so that ties run in the order in which they were set.

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "core/units.h"

namespace juggler {

template <class Body>
class Timers {
 public:
  // Names one timer; the default names none.
  struct Id {
    Time at = Time::never();
    std::uint64_t number = 0;

    friend auto operator<=>(const Id&, const Id&) = default;
  };

  Id set(Time at, Body body) {
    const Id id{at, ++last_};
    timers_.emplace(id, std::move(body));
    return id;
  }

  // Cancelling one that has run, or none, does nothing.
  void cancel(Id id) { timers_.erase(id); }

  Time next() const { return timers_.empty() ? Time::never() : timers_.begin()->first.at; }

  // Takes the first timer that is due.
  std::optional<Body> pop_due(Time now) {
    if (timers_.empty() || timers_.begin()->first.at > now) {
      return std::nullopt;
    }
    Body body = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    return body;
  }

  const std::map<Id, Body>& all() const { return timers_; }
  std::uint64_t last() const { return last_; }
  // Replaces all. `last`: the highest number that was ever given.
  void take_up(std::map<Id, Body> timers, std::uint64_t last) {
    timers_ = std::move(timers);
    last_ = last;
  }

 private:
  std::map<Id, Body> timers_;
  std::uint64_t last_ = 0;
};

}  // namespace juggler
