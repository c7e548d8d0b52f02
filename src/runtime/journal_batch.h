#pragma once
// What a controller's thread hands to its journal's, and how much of that may wait: a disk that
// hangs, unlike one that is full, says nothing, and costs no more memory than this.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/controller_state.h"

namespace juggler {

struct JournalSteps {
  std::string lines;
  std::int64_t count = 0;
};

// thread  one at a time
struct JournalBatch {
  // In this order.
  JournalSteps steps;
  std::unique_ptr<const ControllerState> state;  // after them; seldom there
  JournalSteps later_steps;                      // than the state
  std::int64_t lost = 0;                         // steps after all of them that did not fit

  // By device the latest, for the openings of later segments. Also of steps that were lost.
  std::map<std::string, std::string> hellos;
  std::size_t hello_bytes = 0;

  bool empty() const {
    return steps.count == 0 && state == nullptr && later_steps.count == 0 && lost == 0;
  }

  // Takes the line of a step in. False where it is lost, since the lines would have more than
  // `bytes_max`; so is each one after it, which would hide the gap.
  bool add_step(const std::string& line, std::size_t bytes_max) {
    const std::size_t waiting = steps.lines.size() + later_steps.lines.size();
    if (lost > 0 || (!empty() && waiting + line.size() > bytes_max)) {
      lost += 1;
      return false;
    }
    JournalSteps& now = state == nullptr ? steps : later_steps;
    now.lines += line;
    now.count += 1;
    return true;
  }

  // One for which there is no room is not kept; the device's hello before it stays.
  void add_hello(const std::string& device, std::string line, std::size_t bytes_max) {
    const auto older = hellos.find(device);
    const std::size_t freed = older == hellos.end() ? 0 : device.size() + older->second.size();
    const std::size_t bytes = hello_bytes - freed + device.size() + line.size();
    if (bytes <= bytes_max) {
      hellos.insert_or_assign(device, std::move(line));
      hello_bytes = bytes;
    }
  }
};

}  // namespace juggler
