#pragma once
// The port to whoever looks over a state machine's shoulder: a journal, the simulator's checks and
// digest, a test that plants a bug.

#include <vector>

#include "core/units.h"

namespace juggler {

// thread  the shell's owner
template <class Event, class Action>
class StepObserver {
 public:
  virtual ~StepObserver() = default;

  // Just before a step. What it changes is what the state machine sees.
  virtual void before(Time now, Event& event) = 0;
  // Just after it, before the actions are performed.
  virtual void after(Time now, const Event& event, std::vector<Action>& actions) = 0;
};

}  // namespace juggler
