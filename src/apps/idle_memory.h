#pragma once
// Memory that a burst needed goes back to the system once the burst is over: malloc keeps what was
// freed, a few hundred megabytes of pictures after a flood.

#include "core/units.h"

namespace juggler {

// thread  one
class IdleMemory {
 public:
  // To be told at each turn whether there is work. The first turn without any, some seconds after
  // the last with some, gives back what is free.
  void turn(bool work, Time now);

 private:
  bool worked_ = false;
  Time last_work_;
};

}  // namespace juggler
