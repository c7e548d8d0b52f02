// Who is told where many ask for the same task, or clients ask again for all that they have open.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/controller_harness.h"

namespace juggler {
namespace {

using test::ControllerHarness;
using test::device;
using test::energy_mj;
using test::result_of;
using test::submission;
using test::variant;

DeviceFacts board() {
  return device("d").serves(variant("n-fp32", 76.1), milliseconds(50), energy_mj(100));
}

class AskersTest : public ::testing::Test {
 protected:
  AskersTest() {
    harness_.lead_with({board()});
    first_ = ask("t", "first");
    dispatch_ = harness_.last_dispatch();
    harness_.confirm_all();
  }

  DeliveryId ask(const std::string& id, const std::string& reply_to) {
    return harness_.submit(submission(id).reply_to(reply_to).deadline(seconds(600)));
  }
  // Other tasks, with as many who ask for them as there may be of all.
  void fill_all_places() {
    for (int id = 0; joined() < kJoinedMax; ++id) {
      const std::string name = "filler" + std::to_string(id);
      ask(name, "r");
      for (std::size_t i = 1; i < kAskersMax && joined() < kJoinedMax; ++i) {
        ask(name, "r" + std::to_string(i));
      }
    }
  }
  std::size_t joined() { return harness_.controller().tasks().joined(); }
  std::vector<std::string> told() const {
    std::vector<std::string> queues;
    for (const SendOutcome& sent : harness_.all<SendOutcome>()) {
      queues.push_back(sent.reply_to);
    }
    return queues;
  }

  ControllerHarness harness_;
  DeliveryId first_;
  Dispatch dispatch_;
};

using Queues = std::vector<std::string>;

TEST_F(AskersTest, MoreThanSixteenOfOneTask_TheFirstAndTheLastFifteenAreTold) {
  std::vector<DeliveryId> copies;
  for (int i = 0; i < 19; ++i) {
    copies.push_back(ask("t", "r" + std::to_string(i)));
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    EXPECT_EQ(harness_.acked(copies[i]), i < 4) << i;
  }
  EXPECT_FALSE(harness_.acked(first_));
  harness_.result(result_of(dispatch_));
  const Queues queues = told();
  ASSERT_EQ(queues.size(), 16U);
  EXPECT_EQ(queues.front(), "first");
  EXPECT_EQ(queues[1], "r4");
  EXPECT_EQ(queues.back(), "r18");
  harness_.confirm_all();
  EXPECT_TRUE(harness_.acked(first_));
  EXPECT_TRUE(harness_.acked(copies.back()));
  EXPECT_EQ(harness_.dispatches().size(), 1U) << "it ran once";
}

// What is confirmed for one who is no longer told says nothing of who is told in its place.
TEST_F(AskersTest, OneMoreWhileSixteenAreBeingAnswered_IsToldAndAckedAfterItsOwnConfirm) {
  for (int i = 1; i < 16; ++i) {
    ask("t", "r" + std::to_string(i));
  }
  harness_.result(result_of(dispatch_));
  const std::vector<SendOutcome> sent = harness_.all<SendOutcome>();
  ASSERT_EQ(sent.size(), 16U);
  const DeliveryId late = ask("t", "late");
  ASSERT_EQ(told().size(), 17U);
  EXPECT_EQ(told().back(), "late");
  for (const SendOutcome& outcome : sent) {
    harness_.settle(outcome.id);
  }
  EXPECT_FALSE(harness_.acked(late));
  EXPECT_FALSE(harness_.acked(first_));
  harness_.confirm_all();
  EXPECT_TRUE(harness_.acked(late));
  EXPECT_TRUE(harness_.acked(first_));
}

// As our own clients do with all that they have open when they come back.
TEST_F(AskersTest, AllOfManyTasksAskedForAgain_AreToldToTheNewQueue) {
  constexpr int kTasks = 1'200;
  for (int id = 0; id < kTasks; ++id) {
    ask("many" + std::to_string(id), "old");
  }
  for (int id = 0; id < kTasks; ++id) {
    EXPECT_FALSE(harness_.acked(ask("many" + std::to_string(id), "new")));
  }
  for (const auto& [number, record] : harness_.controller().tasks().all()) {
    EXPECT_EQ(record.requesters.back().reply_to, number == 1 ? "first" : "new") << number;
  }
}

TEST_F(AskersTest, CopiesOfManyTasks_TakeNoMoreThanTheirPartOfTheWindow) {
  std::vector<DeliveryId> copies;
  for (int id = 0; id < 300; ++id) {
    for (int i = 0; i < 15; ++i) {
      copies.push_back(ask("many" + std::to_string(id), "r" + std::to_string(i)));
    }
  }
  std::size_t acked = 0;
  for (const DeliveryId& copy : copies) {
    acked += harness_.acked(copy) ? 1U : 0U;
  }
  EXPECT_EQ(acked, copies.size() - 300 - kJoinedMax);
  for (const auto& [number, record] : harness_.controller().tasks().all()) {
    EXPECT_EQ(record.requesters.back().reply_to, number == 1 ? "first" : "r14") << number;
  }
}

// Else it could be a message of 16 MiB for each place, which the broker keeps.
TEST_F(AskersTest, CopyLargerThanItsTask_IsToldInTheFirstsPlaceAndNotHeld) {
  harness_.clear();
  const auto large = submission("t")
                         .reply_to("large")
                         .deadline(seconds(600))
                         .payload(PayloadKind::Jpeg, mebibytes(16));
  EXPECT_TRUE(harness_.acked(harness_.submit(large)));
  EXPECT_EQ(joined(), 0U);
  harness_.result(result_of(dispatch_));
  EXPECT_EQ(told(), Queues({"large"}));
  harness_.confirm_all();
  EXPECT_TRUE(harness_.acked(first_));
}

TEST_F(AskersTest, CopiesOfLargeTasks_TakeNoMoreThanTheirBytes) {
  for (int id = 0; id < 30; ++id) {
    const std::string name = "large" + std::to_string(id);
    for (int i = 0; i < 10; ++i) {
      harness_.submit(submission(name)
                          .reply_to("r" + std::to_string(i))
                          .deadline(seconds(600))
                          .payload(PayloadKind::Jpeg, mebibytes(8)));
    }
  }
  EXPECT_EQ(joined(), 32U);
  EXPECT_EQ(harness_.controller().tasks().joined_bytes(), kJoinedBytesMax);
  for (const auto& [number, record] : harness_.controller().tasks().all()) {
    EXPECT_EQ(record.requesters.back().reply_to, number == 1 ? "first" : "r9") << number;
  }
}

TEST_F(AskersTest, NoPlaceLeft_TheLatestIsToldAndTheFirstDeliveryStaysTheTasks) {
  fill_all_places();
  harness_.clear();
  const DeliveryId second = ask("t", "second");
  const DeliveryId third = ask("t", "third");
  EXPECT_TRUE(harness_.acked(second));
  EXPECT_TRUE(harness_.acked(third));
  EXPECT_FALSE(harness_.acked(first_));
  harness_.result(result_of(dispatch_));
  EXPECT_EQ(told(), Queues{"third"});
  const DeliveryId late = ask("t", "late");
  EXPECT_TRUE(harness_.acked(late));
  EXPECT_EQ(told(), (Queues{"third", "late"}));
  harness_.settle(harness_.all<SendOutcome>().front().id);
  EXPECT_FALSE(harness_.acked(first_)) << "the last is not confirmed yet";
  harness_.settle(harness_.all<SendOutcome>().back().id);
  EXPECT_TRUE(harness_.acked(first_));
}

// The broker knows of the first alone, and has its reply queue.
TEST_F(AskersTest, NoPlaceLeft_RedeliveredAfterAReconnect_TheLatestIsStillTold) {
  fill_all_places();
  ask("t", "second");
  harness_.end_lead();
  harness_.begin_lead(2);
  harness_.clear();
  const DeliveryId again =
      harness_.submit(submission("t").reply_to("first").deadline(seconds(600)).redelivered());
  harness_.result(result_of(dispatch_));
  EXPECT_EQ(told(), Queues{"second"});
  EXPECT_FALSE(harness_.acked(again));
  harness_.settle(harness_.all<SendOutcome>().front().id);
  EXPECT_TRUE(harness_.acked(again));
}

}  // namespace
}  // namespace juggler
