// The journal's files: what is written is read, also after a crash, a full disk, and when the
// oldest was deleted.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "core/policies/policy.h"
#include "runtime/journal_reader.h"
#include "runtime/journal_writer.h"
#include "support/builders.h"
#include "support/temp_folder.h"

namespace juggler {
namespace {

using test::TempFolder;
using wire::JournalGap;
using wire::JournalKnown;
using wire::JournalLine;
using wire::JournalStep;

wire::JournalHead head() {
  wire::JournalHead made;
  made.policy = "juggler";
  made.juggler = "test";
  return made;
}

std::unique_ptr<JournalWriter> writer_in(const TempFolder& folder,
                                         Bytes max = kJournalBytesMaxDefault) {
  auto writer =
      JournalWriter::open({.folder = folder.path() / "journal", .bytes_max = max}, head());
  EXPECT_TRUE(writer.has_value()) << writer.error().message;
  return std::move(*writer);
}

// Ticks at `first` and on, microsecond by microsecond.
void write_ticks(JournalWriter& writer, int count, std::int64_t first = 0) {
  std::vector<ControllerAction> none;
  for (int i = 0; i < count; ++i) {
    writer.after(Time{first + i}, Tick{}, none);
  }
}

JournalReader reader_of(const TempFolder& folder) {
  auto reader = JournalReader::open(folder.path() / "journal");
  EXPECT_TRUE(reader.has_value()) << reader.error().message;
  return std::move(*reader);
}

template <class Line>
std::vector<Line> all(JournalReader reader) {
  std::vector<Line> found;
  for (;;) {
    const Result<std::optional<JournalLine>> line = reader.next();
    EXPECT_TRUE(line.has_value()) << line.error().message;
    if (!line || !line->has_value()) {
      return found;
    }
    if (const auto* one = std::get_if<Line>(&**line)) {
      found.push_back(*one);
    }
  }
}

std::vector<JournalFile> files_of(const TempFolder& folder) {
  return list_journal(folder.path() / "journal");
}

// Lets no file grow beyond a size, as a full disk would, until it is destroyed.
class FullDisk {
 public:
  explicit FullDisk(rlim_t file_max) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = file_max;
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(Journal, StepsOfARun_ReadBackInOrder) {
  const TempFolder folder;
  write_ticks(*writer_in(folder), 1000);
  const std::vector<JournalStep> steps = all<JournalStep>(reader_of(folder));
  ASSERT_EQ(steps.size(), 1000U);
  EXPECT_EQ(steps.front().at, Time{0});
  EXPECT_EQ(steps.back().at, Time{999});
  EXPECT_TRUE(reader_of(folder).from_the_start());
  EXPECT_EQ(reader_of(folder).head().policy, "juggler");
}

TEST(Journal, CutLastLine_CostsThatLineAlone) {
  const TempFolder folder;
  write_ticks(*writer_in(folder), 10);
  const std::filesystem::path file = files_of(folder).front().path;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 5);
  JournalReader reader = reader_of(folder);
  int steps = 0;
  for (auto line = reader.next(); line && line->has_value(); line = reader.next()) {
    steps += 1;
  }
  EXPECT_EQ(steps, 9);
  EXPECT_TRUE(reader.torn());
}

// Killed just when the next segment was begun.
TEST(Journal, LastSegmentWithoutAWholeFirstLine_CostsNothingBeforeIt) {
  const TempFolder folder;
  {
    const auto writer = writer_in(folder, mebibytes(1));
    write_ticks(*writer, 20'000);
  }
  std::vector<JournalFile> files = files_of(folder);
  ASSERT_GE(files.size(), 2U);
  const std::filesystem::path last = files.back().path;
  const std::size_t whole = all<JournalStep>(reader_of(folder)).size();
  const std::size_t in_last = [&] {
    std::ifstream file(last);
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
  }();
  for (const std::uintmax_t size : {200U, 0U}) {
    std::filesystem::resize_file(last, size);
    JournalReader reader = reader_of(folder);
    std::size_t steps = 0;
    auto line = reader.next();
    for (; line && line->has_value(); line = reader.next()) {
      steps += std::holds_alternative<JournalStep>(**line) ? 1U : 0U;
    }
    EXPECT_TRUE(line.has_value()) << line.error().message;
    EXPECT_TRUE(reader.torn());
    EXPECT_GT(steps, 0U);
    EXPECT_GE(steps + in_last, whole);
  }
}

TEST(Journal, JunkInTheMiddle_IsAnErrorWithItsLine) {
  const TempFolder folder;
  write_ticks(*writer_in(folder), 1);
  std::ofstream(files_of(folder).front().path, std::ios::app) << "junk\n";
  JournalReader reader = reader_of(folder);
  ASSERT_TRUE(reader.next().has_value());
  const auto line = reader.next();
  ASSERT_FALSE(line.has_value());
  EXPECT_NE(line.error().message.find(".jsonl:3: not JSON"), std::string::npos)
      << line.error().message;
}

TEST(Journal, BeyondItsBound_LosesItsOldestSegments) {
  const TempFolder folder;
  {
    const auto writer = writer_in(folder, mebibytes(1));
    std::vector<ControllerAction> none;
    writer->after(Time{0}, HelloArrived{test::device("orin-1")}, none);
    for (int i = 0; i < 300; ++i) {  // about 2 MiB
      write_ticks(*writer, 100, 100 * i + 1);
      writer->flush();
    }
  }
  std::uintmax_t bytes = 0;
  for (const JournalFile& file : files_of(folder)) {
    bytes += std::filesystem::file_size(file.path);
  }
  EXPECT_LE(bytes, std::uintmax_t{1} << 20U);
  EXPECT_GE(bytes, std::uintmax_t{1} << 19U);
  EXPECT_FALSE(reader_of(folder).from_the_start());
  const std::vector<JournalKnown> known = all<JournalKnown>(reader_of(folder));
  ASSERT_FALSE(known.empty());
  EXPECT_EQ(known.front().facts.id, "orin-1");
}

TEST(Journal, FullDisk_LeavesAGapAndGoesOn) {
  const TempFolder folder;
  {
    const auto writer = writer_in(folder);
    {
      const FullDisk full(4096);
      for (int i = 0; i < 20; ++i) {
        write_ticks(*writer, 10, 10 * i);
        writer->flush();
      }
    }
    write_ticks(*writer, 1, 5000);
  }
  const std::vector<JournalStep> steps = all<JournalStep>(reader_of(folder));
  std::int64_t lost = 0;
  for (const JournalGap& gap : all<JournalGap>(reader_of(folder))) {
    EXPECT_NE(gap.reason.find("cannot write"), std::string::npos) << gap.reason;
    lost += gap.steps;
  }
  EXPECT_GT(lost, 0);
  EXPECT_EQ(static_cast<std::int64_t>(steps.size()) + lost, 201);
  EXPECT_EQ(steps.back().at, Time{5000});
}

TEST(Journal, BehindAGap_ACheckpointFollows) {
  const TempFolder folder;
  const Controller controller({}, std::move(*make_policy("juggler")));
  {
    auto opened = JournalWriter::open(
        {.folder = folder.path() / "journal", .controller = &controller}, head());
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    JournalWriter& writer = **opened;
    {
      const FullDisk full(4096);
      for (int i = 0; i < 20; ++i) {
        write_ticks(writer, 10, 10 * i);
        writer.flush();
      }
    }
    for (int i = 0; i < 200; ++i) {
      write_ticks(writer, 10, 5000 + 10 * i);
      writer.flush();
    }
  }
  JournalReader reader = reader_of(folder);
  bool gap = false;
  bool state = false;
  for (auto line = reader.next(); line && line->has_value(); line = reader.next()) {
    gap = gap || std::holds_alternative<JournalGap>(**line);
    const auto* part = std::get_if<wire::JournalState>(&**line);
    EXPECT_TRUE(part == nullptr || gap) << "a checkpoint before any gap, in so short a journal";
    state = state || (part != nullptr && std::holds_alternative<wire::StateEnd>(*part->part));
  }
  EXPECT_TRUE(gap);
  EXPECT_TRUE(state);
}

TEST(Journal, MoreThanTheQueueHolds_LeavesAGap) {
  const TempFolder folder;
  write_ticks(*writer_in(folder, mebibytes(1)), 20'000);
  std::int64_t lost = 0;
  for (const JournalGap& gap : all<JournalGap>(reader_of(folder))) {
    lost += gap.steps;
  }
  // How many depends on the disk; none is lost without a mark, but those that were deleted.
  EXPECT_LE(static_cast<std::int64_t>(all<JournalStep>(reader_of(folder)).size()) + lost, 20'000);
}

// As on a disk that hangs: nobody takes anything away.
TEST(JournalBatch, NobodyWrites_KeepsTheFirstStepsAndTheLatestHellosWithinBounds) {
  constexpr std::size_t kMost = 100'000;
  const auto line = [](int i) { return std::string(1'000, static_cast<char>('a' + i % 26)); };
  JournalBatch waiting;
  for (int i = 0; i < 10'000; ++i) {
    waiting.add_step(line(i), kMost);
    waiting.add_hello("edge-" + std::to_string(i % 10), line(i), kMost);
  }
  EXPECT_EQ(waiting.steps.count, 100);
  EXPECT_EQ(waiting.steps.lines.size(), kMost);
  EXPECT_EQ(waiting.lost, 9'900);
  EXPECT_EQ(waiting.hellos.size(), 10U);
  EXPECT_EQ(waiting.hellos.at("edge-9"), line(9'999)) << "not the latest";
  for (int i = 0; i < 10'000; ++i) {
    waiting.add_hello("other-" + std::to_string(i), line(i), kMost);
  }
  std::size_t kept = 0;
  for (const auto& [device, hello] : waiting.hellos) {
    kept += device.size() + hello.size();
  }
  EXPECT_EQ(kept, waiting.hello_bytes);
  EXPECT_LE(kept, kMost);
  EXPECT_GT(kept, kMost - 2'000);
}

TEST(JournalBatch, StateThatIsLargerThanTheBound_DoesNotEndTheStepsAfterIt) {
  JournalBatch waiting;
  EXPECT_TRUE(waiting.add_step(std::string(500, 'x'), 100)) << "alone, any fits";
  EXPECT_FALSE(waiting.add_step("x", 100));
  waiting = {};
  waiting.state = std::make_unique<const ControllerState>();
  EXPECT_TRUE(waiting.add_step("later", 100));
  EXPECT_EQ(waiting.later_steps.lines, "later");
}

TEST(Journal, MissingSegment_IsAGap) {
  const TempFolder folder;
  {
    const auto writer = writer_in(folder, mebibytes(1));
    for (int i = 0; i < 40; ++i) {
      write_ticks(*writer, 100, 100 * i);
      writer->flush();
    }
  }
  const std::vector<JournalFile> files = files_of(folder);
  ASSERT_GE(files.size(), 3U);
  std::filesystem::remove(files[1].path);
  const std::vector<JournalGap> gaps = all<JournalGap>(reader_of(folder));
  ASSERT_FALSE(gaps.empty());
  EXPECT_EQ(gaps.front().reason, "segment 2 is missing");
}

TEST(Journal, WithoutFilesOrRun_SaysWhereToLook) {
  const TempFolder folder;
  EXPECT_NE(JournalReader::open(folder.path()).error().message.find("there is no journal at"),
            std::string::npos);
  write_ticks(*writer_in(folder), 1);
  const auto other = JournalReader::open(folder.path() / "journal", "yesterday");
  ASSERT_FALSE(other.has_value());
  EXPECT_NE(other.error().message.find("no run 'yesterday'"), std::string::npos);
}

TEST(Journal, FolderThatCannotBeMade_IsKnownAtTheStart) {
  const TempFolder folder;
  std::ofstream(folder.path() / "journal") << "a file";
  const auto writer = JournalWriter::open({.folder = folder.path() / "journal"}, head());
  ASSERT_FALSE(writer.has_value());
  EXPECT_NE(writer.error().message.find("cannot create"), std::string::npos);
}

}  // namespace
}  // namespace juggler
