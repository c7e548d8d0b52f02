// Labels, groups, what is wanted where, and rollouts: the rules, and their message.

#include "core/fleet_record.h"

#include <gtest/gtest.h>

#include "core/rollout.h"
#include "wire/fleet_record.h"

namespace juggler {
namespace {

using Ids = std::vector<std::string>;

Variant variant(const std::string& id, Weights weights = Weights::Pretrained) {
  Variant made;
  made.id = id;
  made.model = "imagenet";
  made.network = id.substr(0, id.find('-'));
  made.precision = "fp32";
  made.weights = weights;
  return made;
}

const std::vector<Variant> kCatalogue{variant("big-fp32"), variant("new-fp32"),
                                      variant("random-fp32", Weights::Synthetic),
                                      variant("small-fp32")};

Want want(const std::string& where, std::vector<std::string> models) {
  return {*parse_selector(where), std::move(models)};
}

TEST(FleetRecord, NothingSaid_EveryTrainedVariantIsWanted) {
  EXPECT_EQ(wanted_variants({}, "pi-1", kCatalogue), (Ids{"big-fp32", "new-fp32", "small-fp32"}));
}

TEST(FleetRecord, MostSpecificWant_Counts) {
  FleetRecord record;
  record.note_for("pi-1").groups = {"roof"};
  record.note_for("pi-2").labels = {{"site", "roof"}};
  record.wants = {want("all", {"small"}), want("label:site=roof", {"new-fp32"}),
                  want("group:roof", {"big"}), want("device:pi-3", {})};
  EXPECT_EQ(wanted_variants(record, "pi-1", kCatalogue), Ids{"big-fp32"});
  EXPECT_EQ(wanted_variants(record, "pi-2", kCatalogue), Ids{"new-fp32"});
  EXPECT_EQ(wanted_variants(record, "pi-3", kCatalogue), Ids{});
  EXPECT_EQ(wanted_variants(record, "pi-4", kCatalogue), Ids{"small-fp32"});
}

TEST(FleetRecord, SyntheticWeights_OnlyWhereTheyAreNamed) {
  FleetRecord record;
  record.wants = {want("all", {"imagenet"})};
  EXPECT_EQ(wanted_variants(record, "pi-1", kCatalogue).size(), 3U);
  record.wants = {want("all", {"random-fp32"})};
  EXPECT_EQ(wanted_variants(record, "pi-1", kCatalogue), Ids{"random-fp32"});
}

TEST(FleetRecord, Rollout_GivesItsVariantToWhomItHasReached) {
  FleetRecord record;
  record.note_for("pi-1").groups = {"roof"};
  record.note_for("pi-2").groups = {"roof"};
  Rollout rollout;
  rollout.variant = "new-fp32";
  rollout.where = *parse_selector("group:roof");
  rollout.reached = {"pi-1"};
  record.rollouts = {rollout};
  const auto has = [&](const char* device) {
    const Ids ids = wanted_variants(record, device, kCatalogue);
    return std::find(ids.begin(), ids.end(), "new-fp32") != ids.end();
  };
  EXPECT_TRUE(has("pi-1"));
  EXPECT_FALSE(has("pi-2"));
  record.rollouts[0].state = RolloutState::Done;
  EXPECT_TRUE(has("pi-2"));
  EXPECT_FALSE(has("pi-3")) << "it is not of the group";
  record.rollouts[0].state = RolloutState::RolledBack;
  EXPECT_FALSE(has("pi-1"));
}

TEST(FleetRecord, Selectors_AreReadAsWritten) {
  for (const char* text : {"all", "device:pi-1", "group:roof", "label:site=roof"}) {
    const auto selector = parse_selector(text);
    ASSERT_TRUE(selector) << text;
    EXPECT_EQ(to_string(*selector), text);
  }
  for (const char* text : {"", "roof", "device:Pi", "group:", "label:site", "label:=x", "host:a"}) {
    EXPECT_FALSE(parse_selector(text)) << text;
  }
}

FleetRecord full_record() {
  FleetRecord record;
  record.revision = 7;
  record.note_for("pi-2").groups = {"roof", "cameras"};
  record.note_for("pi-1").labels = {{"site", "roof"}};
  record.wants = {want("group:roof", {"small", "big-fp32"}), want("all", {})};
  Rollout rollout;
  rollout.variant = "new-fp32";
  rollout.reached = {"pi-2", "pi-1"};
  rollout.reason = "it takes too long";
  rollout.state = RolloutState::RolledBack;
  rollout.latency_max = milliseconds(80);
  record.rollouts = {rollout};
  record.tidy();
  return record;
}

TEST(FleetRecord, Message_IsReadAsItWasWritten) {
  const auto read = wire::decode_record(wire::encode_record(full_record()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, full_record());
  EXPECT_TRUE(wire::encode_record(full_record()).persistent) << "the broker is the only record";
}

TEST(FleetRecord, Invalid_IsRefused) {
  FleetRecord record = full_record();
  record.devices.push_back(record.devices.front());
  EXPECT_FALSE(validate(record)) << "a device twice";
  record = full_record();
  record.rollouts.push_back(record.rollouts.front());
  EXPECT_FALSE(validate(record)) << "two rollouts of a variant";
  record = full_record();
  record.devices[0].labels["a b"] = "c";
  EXPECT_FALSE(wire::decode_record(wire::encode_record(record)));
}

struct Trial {
  Rollout rollout;
  RolloutTrial seen;
  RolloutView view{.live = true,
                   .measured = milliseconds(10),
                   .since_reached = seconds(30),
                   .since_served = seconds(10)};

  Trial() {
    rollout.reached = {"pi-1"};
    rollout.watch = seconds(60);
  }
  RolloutStep::Kind step() const { return judge(rollout, seen, view).kind; }
};

TEST(RolloutStep, GoodFor_TheWatch_GoesOn) {
  Trial trial;
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait);
  trial.view.since_served = seconds(60);
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait) << "nothing was seen of it yet";
  for (int i = 0; i < 5; ++i) {
    trial.seen.note(false, milliseconds(10), 1);
  }
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Next);
  trial.view.live = false;
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait);
}

TEST(RolloutStep, WithoutResults_RollsBackInTheEnd) {
  Trial trial;
  trial.view.since_served = seconds(119);
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait);
  trial.view.since_served = seconds(120);
  const RolloutStep step = judge(trial.rollout, trial.seen, trial.view);
  EXPECT_EQ(step.kind, RolloutStep::Kind::RollBack);
  EXPECT_EQ(step.reason, "pi-1 gave 0 results, where 5 are the least");
}

TEST(RolloutStep, Errors_RollBackOnceThereAreEnoughResults) {
  Trial trial;
  for (int i = 0; i < 4; ++i) {
    trial.seen.note(/*failed=*/true, Micros{}, 1);
  }
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait);
  trial.seen.note(false, milliseconds(10), 1);
  const RolloutStep step = judge(trial.rollout, trial.seen, trial.view);
  EXPECT_EQ(step.kind, RolloutStep::Kind::RollBack);
  EXPECT_EQ(step.reason, "4 of 5 attempts on pi-1 failed");
}

TEST(RolloutStep, SlowerThanMeasured_RollsBack) {
  Trial trial;
  for (int i = 0; i < 5; ++i) {
    trial.seen.note(false, milliseconds(40), 2);  // 20 ms for a picture
  }
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait) << "twice is allowed";
  trial.seen.note(false, milliseconds(26), 1);
  EXPECT_EQ(trial.step(), RolloutStep::Kind::RollBack);
}

TEST(RolloutStep, SlowerThanAllowed_RollsBack) {
  Trial trial;
  trial.rollout.latency_max = milliseconds(9);
  for (int i = 0; i < 5; ++i) {
    trial.seen.note(false, milliseconds(10), 1);
  }
  EXPECT_EQ(trial.step(), RolloutStep::Kind::RollBack);
}

TEST(RolloutStep, NeverServed_RollsBack) {
  Trial trial;
  trial.view.measured.reset();
  EXPECT_EQ(trial.step(), RolloutStep::Kind::Wait);
  trial.view.since_reached = kRolloutServeMax;
  EXPECT_EQ(trial.step(), RolloutStep::Kind::RollBack);
}

TEST(RolloutStep, NextDevice_IsTheFirstThatIsMeantAndThere) {
  FleetRecord record;
  record.note_for("pi-2").groups = {"roof"};
  record.note_for("pi-3").groups = {"roof"};
  Rollout rollout;
  rollout.where = *parse_selector("group:roof");
  EXPECT_EQ(next_device(record, rollout, {"pi-3", "pi-1", "pi-2"}), "pi-2");
  rollout.reached = {"pi-2"};
  EXPECT_EQ(next_device(record, rollout, {"pi-1", "pi-2"}), std::nullopt);
}

}  // namespace
}  // namespace juggler
