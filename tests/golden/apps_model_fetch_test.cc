// Fetching models by content against a keeper, over a transport in this process: what is asked,
// what is refused, and where it goes on.

#include "apps/model_fetch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "../unit/inference_tiny_model.h"
#include "apps/keeper.h"
#include "files/sha256.h"
#include "runtime/loopback.h"
#include "support/runtime_fakes.h"
#include "support/temp_folder.h"
#include "wire/messages.h"

namespace juggler {
namespace {

namespace fs = std::filesystem;

// A keeper and a device, with a postman between them who can spoil what he carries.
class ModelFetchTest : public ::testing::Test {
 protected:
  ModelFetchTest()
      : shelf_(shelf_home_.path()),
        keeper_(keeper_side_, clock_, shelf_,
                {.read = [this] { return Result<FleetRecord>(record_); },
                 .edit = [this](const auto& /*change*/) { return Result<FleetRecord>(record_); },
                 .nudge = [] {},
                 .open_results = [] { return std::unique_ptr<Transport>(); }},
                "controller"),
        folder_(home_.path(), {.disk_kept_free = {}, .memory = {}}),
        fetch_(device_side_, clock_, folder_,
               {.device = "pi-1", .login = "pi-1", .version = "test"}) {
    test::make_tiny_home(shelf_home_.path());
    EXPECT_TRUE(folder_.prepare());
    keeper_side_.connect(1);
    device_side_.connect(1);
  }

  // Turns of both sides with the messages between them, at most so many.
  void exchange(int rounds) {
    for (int i = 0; i < rounds && !fetch_.settled(); ++i) {
      fetch_.turn(Micros{0});
      for (wire::Envelope& sent : device_side_.take_published()) {
        asked_ += 1;
        if (carry_) {
          keeper_side_.deliver(wire::kFetchesQueue, std::move(sent));
        }
      }
      keeper_.turn(Micros{0});
      for (wire::Envelope& sent : keeper_side_.take_published()) {
        if (spoil_ > 0 && wire::is_chunk(sent)) {
          spoil_ -= 1;
          std::string bytes = *sent.body;
          bytes[0] ^= 1;
          sent.body = wire::make_body(std::move(bytes));
        }
        if (lies_ && wire::is_chunk(sent)) {
          wire::Chunk chunk = wire::decode_chunk(sent)->chunk;
          const std::string other(chunk.bytes->size(), 'x');
          chunk.bytes = wire::make_body(other);
          sent = wire::encode_chunk(chunk, sha256_hex(other), "pi-1");
        }
        EXPECT_EQ(sent.exchange + " " + sent.routing_key, "juggler.control device.pi-1");
        device_side_.deliver("juggler.device.pi-1.control", std::move(sent));
      }
    }
  }

  test::TempFolder shelf_home_;
  test::TempFolder home_;
  test::ManualClock clock_;
  LoopbackTransport keeper_side_;
  LoopbackTransport device_side_;
  ModelShelf shelf_;
  FleetRecord record_;
  Keeper keeper_;
  ModelFolder folder_;
  ModelFetch fetch_;
  int asked_ = 0;
  int spoil_ = 0;
  bool carry_ = true;
  bool lies_ = false;  // every chunk is whole, and of another file
};

TEST_F(ModelFetchTest, WhatIsWanted_IsFetchedAndVerified) {
  exchange(20);
  ASSERT_TRUE(fetch_.settled()) << fetch_.problem();
  EXPECT_TRUE(fetch_.changed());
  ASSERT_TRUE(folder_.install(fetch_.catalogue()));
  EXPECT_FALSE(fetch_.changed());
  const auto catalogue = Catalogue::load(home_.path());
  ASSERT_TRUE(catalogue);
  EXPECT_TRUE(verify_model_file(*catalogue->find("tiny-fp32")));
  EXPECT_EQ(load_labels(catalogue->find("tiny-fp32")->labels)->at(1), "green");
}

TEST_F(ModelFetchTest, CorruptChunk_IsRefusedAndAskedForAgain) {
  spoil_ = 2;
  exchange(20);
  EXPECT_TRUE(fetch_.settled()) << fetch_.problem();
  EXPECT_EQ(asked_, 1 + 2 + 2) << "the question, a chunk of each file, and two again";
}

TEST_F(ModelFetchTest, AlwaysCorrupt_IsGivenUpAndReported) {
  spoil_ = 1'000;
  exchange(20);
  EXPECT_FALSE(fetch_.settled());
  EXPECT_NE(fetch_.problem().find("corrupt"), std::string::npos);
  EXPECT_LE(asked_, 10) << "it pauses";
}

TEST_F(ModelFetchTest, FileThatIsNotWhatTheCatalogueSays_IsNotFetchedOverAndOver) {
  lies_ = true;
  exchange(50);
  EXPECT_FALSE(fetch_.settled());
  EXPECT_NE(fetch_.problem().find("something else"), std::string::npos);
  EXPECT_EQ(asked_, 1 + 2) << "the question, and the first file twice";
  clock_.advance(seconds(300));
  exchange(50);
  EXPECT_EQ(asked_, 1 + 2) << "it waits for ten minutes";
  clock_.advance(seconds(301));
  lies_ = false;
  exchange(50);
  EXPECT_TRUE(fetch_.settled()) << fetch_.problem();
}

TEST_F(ModelFetchTest, ForAnotherDevice_NobodyIsAnswered) {
  wire::ModelsAsked asked;
  asked.device = "pi-2";
  asked.problems = {{"tiny-fp32", "crashed"}};
  wire::Envelope question = wire::encode_models_asked(asked, "pi-1");
  question.reply_to = "amq.rabbitmq.reply-to.%%%.x";
  keeper_side_.deliver(wire::kFetchesQueue, std::move(question));
  keeper_.turn(Micros{0});
  const auto answers = keeper_side_.take_published();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].routing_key, "device.pi-1") << "whatever reply_to says";
  EXPECT_NE(wire::decode_models_wanted(answers[0])->problem.find("another device"),
            std::string::npos);
}

TEST_F(ModelFetchTest, ChunkIntoAnothersQueue_IsNotSent) {
  const auto answers = [this](const std::string& device, const std::string& user) {
    wire::Envelope question = wire::encode_chunk_asked({device, std::string(64, 'a'), {0}}, user);
    question.reply_to = "amq.gen-of-somebody";
    keeper_side_.deliver(wire::kFetchesQueue, std::move(question));
    keeper_.turn(Micros{0});
    std::vector<std::string> keys;
    for (const wire::Envelope& sent : keeper_side_.take_published()) {
      keys.push_back(sent.routing_key);
    }
    return keys;
  };
  EXPECT_TRUE(answers("pi-2", "pi-1").empty());
  EXPECT_TRUE(answers("pi-2", "").empty());
  EXPECT_TRUE(answers("", "").empty());
  EXPECT_TRUE(answers("no device", "controller").empty());
  EXPECT_EQ(answers("", "pi-1"), std::vector<std::string>{"device.pi-1"});
  EXPECT_EQ(answers("pi-2", "controller"), std::vector<std::string>{"device.pi-2"});
}

TEST_F(ModelFetchTest, QuestionToTheKeeperWithAForgedDirectReplyTo_IsNotAnswered) {
  for (const char* queue : {"amq.rabbitmq.reply-to.%%%.x", "juggler.tasks", ""}) {
    wire::Envelope question;
    question.reply_to = queue;
    question.body = wire::make_body(R"({"query":"fleet"})");
    keeper_side_.deliver("juggler.keeper", std::move(question));
  }
  keeper_.turn(Micros{0});
  EXPECT_TRUE(keeper_side_.take_published().empty());
}

TEST_F(ModelFetchTest, DeviceWithoutItsQueues_IsGivenThem) {
  keeper_side_.settle_as(wire::kControlExchange, PublishEnd::Returned);
  exchange(3);
  EXPECT_EQ(keeper_side_.take_enrolled(), std::vector<std::string>{"pi-1"});
}

TEST_F(ModelFetchTest, AnswerThatAnotherSessionHasRead_Counts) {
  fetch_.heard(wire::encode_models_wanted({"", {}, "nothing today"}, "pi-1"));
  EXPECT_EQ(fetch_.problem(), "nothing today");
}

TEST_F(ModelFetchTest, LostAnswer_IsAskedForAgain) {
  carry_ = false;
  exchange(3);
  EXPECT_EQ(asked_, 1);
  carry_ = true;
  clock_.advance(seconds(11));
  exchange(1);  // lost, it is said; asked again after a moment
  clock_.advance(seconds(1));
  exchange(20);
  EXPECT_TRUE(fetch_.settled()) << fetch_.problem();
}

TEST_F(ModelFetchTest, NoKeeper_IsSaidAndTriedAgain) {
  device_side_.settle_as(wire::kModelsExchange, PublishEnd::Returned);
  carry_ = false;
  exchange(3);
  EXPECT_NE(fetch_.problem().find("juggler keeper"), std::string::npos);
}

TEST_F(ModelFetchTest, NothingWanted_SettlesWithAnEmptyCatalogue) {
  record_.wants = {{Selector{}, {}}};
  exchange(20);
  ASSERT_TRUE(fetch_.settled());
  ASSERT_TRUE(folder_.install(fetch_.catalogue()));
  EXPECT_TRUE(folder_.held().empty());
}

}  // namespace
}  // namespace juggler
