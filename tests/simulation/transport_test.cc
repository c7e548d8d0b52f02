// Sessions over the simulated link: what production promises of reconnecting holds there.

#include "sim/transport.h"

#include <gtest/gtest.h>

#include "sim/broker.h"

namespace juggler::sim {
namespace {

class NoOwner final : public TransportOwner {
 public:
  void input() override {}
};

// How long after the broker's return a session is there again.
Micros back_after(const SessionPlan& plan, Micros outage, std::uint64_t seed) {
  Agenda agenda;
  Broker broker(agenda, BrokerProfile{}, seed);
  Link link(agenda, symmetric({.latency = Micros{50}, .jitter = Micros{10}}), seed);
  SimTransport transport(agenda, broker, link, seed);
  NoOwner owner;
  transport.begin(plan, owner);
  agenda.run_until(Time{} + seconds(20));
  EXPECT_TRUE(transport.announced());

  broker.stop();
  agenda.run_until(agenda.now() + outage);
  broker.start();
  const Time returned = agenda.now();
  const Time latest = returned + seconds(60);
  while (!transport.announced() && agenda.next() <= latest) {
    agenda.run_one();
  }
  return agenda.now() - returned;
}

// While no controller leads nothing is answered: its pause must not grow with the outage.
TEST(SimTransport, BrokerBackAfterMinutes_ControllerIsBackInTwoSeconds) {
  Micros longest;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    longest = std::max(longest, back_after(controller_plan("c"), seconds(300), seed));
  }
  EXPECT_LT(longest, milliseconds(2'100));
}

TEST(SimTransport, BrokerBackAfterMinutes_ClientIsBackInTenSecondsAndNotAtOnce) {
  Micros longest;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    longest = std::max(longest, back_after(client_plan("c"), seconds(300), seed));
  }
  EXPECT_LT(longest, milliseconds(10'100));
  EXPECT_GT(longest, seconds(5));
}

}  // namespace
}  // namespace juggler::sim
