#include "core/task_table.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace juggler {
namespace {

using test::outcome_of;
using test::submission;

TaskRecord record_of(const Submission& submission, Time deadline) {
  TaskRecord record;
  record.submission = submission;
  record.deadline = deadline;
  return record;
}

TEST(TaskTable, Insert_IsFoundByNumberAndKey) {
  TaskTable table;
  const TaskNumber number = table.insert(record_of(submission("a"), Time{10})).number;
  ASSERT_NE(table.find(number), nullptr);
  EXPECT_EQ(table.find(TaskKey{"reply_to:replies", "a"}), table.find(number));
  EXPECT_EQ(table.find(TaskKey{"reply_to:other", "a"}), nullptr);
}

TEST(TaskTable, Erase_ForgetsEverythingOfATask) {
  TaskTable table;
  TaskRecord& record = table.insert(record_of(submission("a"), Time{10}));
  table.wait(record);
  table.erase(record.number);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.waiting_size(), 0U);
  EXPECT_EQ(table.payload_bytes(), Bytes{0});
  EXPECT_EQ(table.find(TaskKey{"reply_to:replies", "a"}), nullptr);
}

TEST(TaskTable, PayloadBytes_AreTheSumOfLiveTasks) {
  TaskTable table;
  table.insert(record_of(submission("a").payload(PayloadKind::Png, {700}), Time{10}));
  table.insert(record_of(submission("b").payload(PayloadKind::Png, {300}), Time{10}));
  EXPECT_EQ(table.payload_bytes(), Bytes{1000});
}

TEST(TaskTable, Waiting_IsOrderedByPriorityThenDeadlineThenArrival) {
  TaskTable table;
  const auto add = [&](const char* id, int priority, Time deadline) {
    TaskRecord& record = table.insert(record_of(submission(id).priority(priority), deadline));
    table.wait(record);
    return record.number;
  };
  const TaskNumber late = add("late", 0, Time{20});
  const TaskNumber first = add("first", 0, Time{10});
  const TaskNumber second = add("second", 0, Time{10});
  const TaskNumber urgent = add("urgent", 9, Time{90});
  EXPECT_EQ(table.in_no_line(10), (std::vector<TaskNumber>{urgent, first, second, late}));
  EXPECT_EQ(table.in_no_line(2), (std::vector<TaskNumber>{urgent, first}));
}

TEST(TaskTable, Leave_TakesATaskOutOfTheLineOnly) {
  TaskTable table;
  TaskRecord& record = table.insert(record_of(submission("a"), Time{10}));
  table.wait(record);
  table.leave(record);
  EXPECT_EQ(table.waiting_size(), 0U);
  EXPECT_EQ(table.size(), 1U);
}

TEST(TaskTable, KeyTakenByALaterTask_StaysWithIt) {
  TaskTable table;
  const TaskNumber first = table.insert(record_of(submission("a"), Time{10})).number;
  const TaskNumber second = table.insert(record_of(submission("a"), Time{10})).number;
  table.erase(first);
  ASSERT_NE(table.find({"reply_to:replies", "a"}), nullptr);
  EXPECT_EQ(table.find({"reply_to:replies", "a"})->number, second);
}

TEST(AnsweredMemory, Remembered_IsFound) {
  AnsweredMemory memory({.outcomes = 2, .bytes = mebibytes(1)});
  memory.remember({outcome_of("a", OutcomeKind::Completed), {}});
  ASSERT_NE(memory.find({"reply_to:replies", "a"}), nullptr);
  EXPECT_EQ(memory.find({"reply_to:other", "a"}), nullptr);
}

TEST(AnsweredMemory, Full_ForgetsTheOldest) {
  AnsweredMemory memory({.outcomes = 2, .bytes = mebibytes(1)});
  for (const char* id : {"a", "b", "c"}) {
    memory.remember({outcome_of(id, OutcomeKind::Completed), {}});
  }
  EXPECT_EQ(memory.find({"reply_to:replies", "a"}), nullptr);
  EXPECT_NE(memory.find({"reply_to:replies", "b"}), nullptr);
  EXPECT_NE(memory.find({"reply_to:replies", "c"}), nullptr);
}

TEST(AnsweredMemory, FullOfBytes_ForgetsTheOldestAndKeepsTheLast) {
  AnsweredMemory memory({.outcomes = 10, .bytes = mebibytes(1)});
  const auto remember = [&](const std::string& id, Bytes labels) {
    memory.remember({outcome_of(id, OutcomeKind::Completed), {}, 0, labels});
  };
  const auto known = [&](const std::string& id) {
    return memory.find({"reply_to:replies", id}) != nullptr;
  };
  remember("a", Bytes{400'000});
  remember("b", Bytes{400'000});
  remember("b", Bytes{400'000});  // no more than before
  EXPECT_TRUE(known("a"));
  remember("c", Bytes{400'000});
  EXPECT_FALSE(known("a"));
  EXPECT_TRUE(known("b"));
  remember("large", mebibytes(2));
  EXPECT_FALSE(known("c"));
  EXPECT_TRUE(known("large"));
  EXPECT_GE(memory.bytes(), mebibytes(2));
  remember("d", Bytes{});
  EXPECT_FALSE(known("large"));
  EXPECT_TRUE(known("d"));
  EXPECT_LT(memory.bytes(), Bytes{10'000});
}

TEST(AnsweredMemory, SameTaskTwice_CountsOnce) {
  AnsweredMemory memory({.outcomes = 2, .bytes = mebibytes(1)});
  for (const char* id : {"a", "b", "b"}) {
    memory.remember({outcome_of(id, OutcomeKind::Completed), {}});
  }
  EXPECT_NE(memory.find({"reply_to:replies", "a"}), nullptr);
}

TEST(AnsweredMemory, Recent_IsNewestFirst) {
  AnsweredMemory memory({.outcomes = 10, .bytes = mebibytes(1)});
  for (const char* id : {"a", "b", "c"}) {
    memory.remember({outcome_of(id, OutcomeKind::Completed), {}});
  }
  const std::vector<const Outcome*> recent = memory.recent(2);
  ASSERT_EQ(recent.size(), 2U);
  EXPECT_EQ(recent[0]->key.id, "c");
  EXPECT_EQ(recent[1]->key.id, "b");
}

}  // namespace
}  // namespace juggler
