// Bytes of strangers do not reach the terminal or the log as commands.

#include "telemetry/printable.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/outcome_table.h"
#include "apps/query_tables.h"
#include "telemetry/log.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr const char* kHostile = "a\x1b[2J\x1b]0;t\x07\r\n\x7f\xc2\x9b\x9b\xe2\x80\xae z";

// Whether a terminal would obey anything in it but the line breaks that we write.
bool harmless(const std::string& text) {
  const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n') || byte == 0x7f;
  });
  return !controls && text.find("\xc2\x9b") == std::string::npos &&
         text.find("\xe2\x80\xae") == std::string::npos;
}

TEST(Printable, ControlCharacters_AreShownAsQuestionMarks) {
  EXPECT_EQ(printable("\x1b[31mred\x07\x7f"), "?[31mred??");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m");                                // CSI as one C1 character
  EXPECT_EQ(printable("\xe2\x80\xaegpj"), "?gpj");  // right-to-left override
}

TEST(Printable, LineBreaks_BecomeSpacesOrStay) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a b c d");
  EXPECT_EQ(printable_lines("a\nb\x1b"), "a\nb?");
}

TEST(Printable, Text_StaysAsItIs) {
  for (const char* text : {"", "plain ~ text", "grüße, 東京 😀", "─ ✓ µs"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, BytesThatAreNoUtf8_AreShownAsQuestionMarks) {
  EXPECT_EQ(printable("\x9b."), "?.");            // C1 as one byte
  EXPECT_EQ(printable("\xc0\x9b."), "??.");       // overlong ESC
  EXPECT_EQ(printable("\xe0\x80\x9b."), "???.");  // overlong
  EXPECT_EQ(printable("\xed\xa0\x80."), "???.");  // a surrogate
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "????");
  EXPECT_EQ(printable("\xe6\x9d"), "??");  // cut short
}

// An answer in which every text is hostile.
json hostile_answer() {
  json task{{"id", kHostile},      {"state", kHostile},  {"device", kHostile},
            {"variant", kHostile}, {"reason", kHostile}, {"waiting_for", kHostile}};
  json device{{"id", kHostile},
              {"board", kHostile},
              {"state", kHostile},
              {"device", kHostile},
              {"processors", {{{"id", kHostile}, {"runtime", kHostile}}}}};
  json model{{"id", kHostile},      {"model", kHostile},
             {"weights", kHostile}, {"accuracy_evidence", kHostile},
             {"name", kHostile},    {"about", kHostile}};
  json candidate{{"device", kHostile},
                 {"processor", kHostile},
                 {"variant", kHostile},
                 {"verdict", kHostile},
                 {"why", kHostile}};
  return {{"task", kHostile},
          {"policy", kHostile},
          {"version", kHostile},
          {"decision", kHostile},
          {"reason", kHostile},
          {"auto_model", kHostile},
          {"requirements", {{"model", kHostile}}},
          {"tasks", {task}},
          {"devices", {device}},
          {"models", {model}},
          {"policies", {model}},
          {"candidates", {candidate}}};
}

TEST(Printable, EveryAnswerOfAController_IsCleanedBeforeItIsShown) {
  const Screen screen{.terminal = true, .width = 120, .utf8 = true};
  const json answer = hostile_answer();
  EXPECT_TRUE(harmless(devices_text(answer, screen)));
  EXPECT_TRUE(harmless(models_text(answer, screen)));
  EXPECT_TRUE(harmless(policies_text(answer, screen)));
  EXPECT_TRUE(harmless(tasks_text(answer, screen)));
  EXPECT_TRUE(harmless(status_text(answer, screen)));
  EXPECT_TRUE(harmless(explain_text(answer, screen, {.all = true})));
}

TEST(Printable, Outcomes_AreCleanedBeforeTheyAreShown) {
  OutcomeTable table({.terminal = true, .width = 120, .utf8 = true});
  ClientAnswer refused;
  refused.end = ClientEnd::Answered;
  refused.outcome.kind = OutcomeKind::Rejected;
  refused.outcome.reason = kHostile;
  ClientAnswer served = refused;
  served.outcome.kind = OutcomeKind::Completed;
  served.outcome.device = kHostile;
  served.outcome.processor = kHostile;
  served.outcome.variant = kHostile;
  served.outcome.labels = {{1, kHostile, 0.5}};
  table.section(kHostile);
  table.add({kHostile, &refused, {}});
  table.add({kHostile, &served, {}});
  table.add_grouped({refused, served});
  EXPECT_TRUE(harmless(table.text()));
}

TEST(Printable, Log_WritesOneCleanLineForEachEvent) {
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  testing::internal::CaptureStderr();
  ASSERT_TRUE(set_up_log("printable", "info"));
  spdlog::warn("dead-lettered: {}", kHostile);
  const std::string line = testing::internal::GetCapturedStderr();
  spdlog::set_default_logger(before);
  EXPECT_TRUE(harmless(line)) << line;
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_NE(line.find("warning dead-lettered: a?[2J?]0;t?  ????"), std::string::npos) << line;
}

}  // namespace
}  // namespace juggler
