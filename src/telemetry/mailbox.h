#pragma once
// The port to the firmware of a Raspberry Pi: the commands that vcgencmd sends.

#include <memory>
#include <string>

#include "telemetry/absence.h"

namespace juggler {

class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // The firmware's answer to one command, such as "pmic_read_adc". May block for 25 ms.
  //
  // thread  one at a time
  virtual Fact<std::string> ask(const std::string& command) = 0;
};

// By /dev/vcio, which root and the group video may open. Opened at the first question.
std::unique_ptr<Mailbox> make_mailbox(const std::string& device = "/dev/vcio");

}  // namespace juggler
