#pragma once
// What `juggler doctor` says of one thing.

#include <string>

namespace juggler {

struct Finding {
  enum class State {
    Works,
    Note,     // worth knowing; nothing is broken
    Missing,  // something that is needed
  };

  std::string what;
  State state = State::Works;
  std::string found;
  std::string remedy{};  // what to do; empty where nothing is
};

}  // namespace juggler
