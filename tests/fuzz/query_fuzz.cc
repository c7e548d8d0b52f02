// Fuzzes the questions of the command line: whatever is asked, the reply is JSON.

#include <nlohmann/json.hpp>

#include "core/check.h"
#include "fuzz/envelope_text.h"
#include "runtime/controller_shell.h"
#include "runtime/queries.h"
#include "support/builders.h"

namespace {

// A controller with a device, a task that runs and one that was rejected.
juggler::Controller& controller() {
  static juggler::Controller made = [] {
    using namespace juggler;  // NOLINT(google-build-using-namespace): one lambda
    Controller fresh({}, std::move(*make_policy("juggler")));
    std::vector<ControllerAction> actions;
    fresh.step(Time{1}, LeadBegun{1, 0}, actions);
    fresh.step(Time{2},
               HelloArrived{test::device("pi-1").serves(test::variant("n-fp32"), milliseconds(5),
                                                        test::energy_mj(5))},
               actions);
    fresh.step(Time{3}, Submitted{test::submission("t"), {1, 1}, {}}, actions);
    fresh.step(Time{4}, Submitted{test::submission("u"), {1, 2}, "junk"}, actions);
    return fresh;
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const juggler::wire::Envelope question = juggler::fuzz::read_envelope(data, size);
  const juggler::wire::Envelope reply = juggler::answer_query(
      controller(), juggler::ShellStats{}, {.version = "fuzz", .login = "controller"},
      juggler::Time{10}, question);
  const auto document = nlohmann::json::parse(*reply.body, nullptr, false);
  JUGGLER_CHECK(document.is_object(), "a reply that is not a JSON object");
  JUGGLER_CHECK(reply.routing_key == question.reply_to, "a reply to somebody else");
  return 0;
}
