#include "runtime/journal_writer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "core/digest.h"

namespace juggler {
namespace {

constexpr std::int64_t kWaitingBytesMax = std::int64_t{8} << 20U;
constexpr Micros kWarnEvery = seconds(60);
// A checkpoint for every so many segments, so that of sixteen at least ten can be reproduced; and
// none larger than so many, so that at least half can.
constexpr std::int64_t kSegmentsPerState = 4;
// After a gap at once, but never more than a fifth of what is written: a gap may come of a disk
// that is too slow.
constexpr std::int64_t kStepBytesPerStateByte = 4;

// Sorts by time, and no two controllers of a machine have the same.
std::string run_name(std::int64_t unix_s) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(static_cast<std::time_t>(unix_s)),
                     getpid());
}

}  // namespace

Result<std::unique_ptr<JournalWriter>> JournalWriter::open(const JournalOptions& options,
                                                           wire::JournalHead head) {
  if (options.bytes_max < kJournalBytesMaxLeast) {
    return fail(ErrorCode::InvalidArgument, "a journal has at least 1 MiB");
  }
  SystemClock clock;
  head.unix_s = clock.unix_seconds();
  head.run = run_name(head.unix_s);
  std::unique_ptr<JournalWriter> writer(new JournalWriter(options, std::move(head)));
  if (Result<void> begun = writer->files_.append(""); !begun) {
    return fail(begun.error().code, "the journal: " + begun.error().message);
  }
  writer->thread_ = std::jthread([raw = writer.get()] {
    JournalBatch batch;
    while (raw->take(batch)) {
      raw->write(batch);
      batch = {};
    }
    if (raw->gap_.steps > 0) {
      raw->write(batch);  // the gap alone
    }
  });
  return writer;
}

JournalWriter::JournalWriter(const JournalOptions& options, wire::JournalHead head)
    : waiting_bytes_max_(static_cast<std::size_t>(
          std::min(kWaitingBytesMax, options.bytes_max.count / kJournalSegments))),
      controller_(options.controller),
      head_(std::move(head)),
      files_({.folder = options.folder,
              .bytes_max = options.bytes_max,
              .run = head_.run,
              .opening = [this](std::int64_t segment) { return opening(segment); }}) {}

JournalWriter::~JournalWriter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
}

void JournalWriter::after(Time now, const ControllerEvent& event,
                          std::vector<ControllerAction>& actions) {
  Digest digest;
  add_step(digest, 0, now, event, actions);
  const std::string line = wire::encode_step(now, digest.value(), event) + "\n";
  const auto* hello = std::get_if<HelloArrived>(&event);
  std::string known = hello != nullptr ? wire::encode_known(hello->facts) + "\n" : std::string();
  std::unique_ptr<const ControllerState> state;
  if (state_wanted()) {
    state = std::make_unique<const ControllerState>(controller_->state());
  }
  bool first = false;
  {
    const MutexLock lock(mutex_);
    first = waiting_.empty();
    if (waiting_.add_step(line, waiting_bytes_max_) && state != nullptr) {
      waiting_.state = std::move(state);
      state_wanted_ = false;
    }
    if (hello != nullptr) {
      // Of more than half a segment the openings keep none.
      waiting_.add_hello(hello->facts.id, std::move(known), waiting_bytes_max_ / 2);
    }
  }
  if (first) {
    ready_.notify_one();
  }
}

bool JournalWriter::state_wanted() {
  const MutexLock lock(mutex_);
  return state_wanted_ && waiting_.state == nullptr && waiting_.lost == 0;
}

// False at the end, once nothing waits. A std::unique_lock, because a condition variable needs one;
// clang's analysis ends here.
bool JournalWriter::take(JournalBatch& batch) JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(mutex_.native());
  writing_ = false;
  idle_.notify_all();
  ready_.wait(lock, [this]() JUGGLER_NO_THREAD_ANALYSIS { return stopping_ || !waiting_.empty(); });
  std::swap(batch, waiting_);
  writing_ = true;
  return !batch.empty();
}

void JournalWriter::flush() JUGGLER_NO_THREAD_ANALYSIS {
  std::unique_lock lock(mutex_.native());
  idle_.wait(lock, [this]() JUGGLER_NO_THREAD_ANALYSIS { return !writing_ && waiting_.empty(); });
}

std::string JournalWriter::opening(std::int64_t segment) {
  head_.segment = segment;
  SystemClock clock;
  head_.unix_s = clock.unix_seconds();
  std::string lines = wire::encode_journal(head_) + "\n";
  for (const auto& [device, line] : known_) {
    lines += line;
  }
  return lines;
}

void JournalWriter::lose(std::int64_t steps, const std::string& reason) {
  behind_gap_ = true;
  gap_.steps += steps;
  gap_.reason = reason;
  const Time now = SystemClock().now();
  if (now >= warn_from_) {
    spdlog::warn("the journal has a gap of {} steps until now: {}; scheduling goes on", gap_.steps,
                 reason);
    warn_from_ = now + kWarnEvery;
  }
}

void JournalWriter::write(JournalBatch& batch) {
  write_steps(batch.steps);
  if (batch.state != nullptr) {
    write_state(*batch.state);
    write_steps(batch.later_steps);
  }
  for (auto& [device, line] : batch.hellos) {
    std::string& known = known_[device];
    known_bytes_ += line.size() - known.size();
    known = std::move(line);
  }
  if (known_bytes_ > static_cast<std::size_t>(files_.segment_max().count) / 2) {
    spdlog::warn(
        "the hellos of {} devices fill half a segment of the journal and are left out of "
        "the next ones' openings; a larger --journal-max keeps them",
        known_.size());
    known_.clear();
    known_bytes_ = 0;
  }
  if (batch.lost > 0) {
    lose(batch.lost, "the disk was slower than the controller");
  }
  want_state();
}

void JournalWriter::write_steps(const JournalSteps& steps) {
  if (const Result<void> written = append(steps.lines); !written) {
    lose(steps.count, written.error().message);
  }
}

// Behind the gap, if one is not written yet.
Result<void> JournalWriter::append(const std::string& lines) {
  const std::string gap = gap_.steps > 0 ? wire::encode_journal(gap_) + "\n" : std::string();
  if (Result<void> written = files_.append(gap + lines); !written) {
    return written;
  }
  gap_ = {};
  since_state_ += static_cast<std::int64_t>(gap.size() + lines.size());
  return {};
}

// One that cannot be written costs nothing but itself. The next one is tried later.
void JournalWriter::write_state(const ControllerState& state) {
  const std::string lines = wire::encode_state(state);
  state_bytes_ = static_cast<std::int64_t>(lines.size());
  since_state_ = 0;
  Result<void> written;
  if (state_bytes_ > kSegmentsPerState * files_.segment_max().count) {
    written =
        fail(ErrorCode::TooLarge, "it is larger than four segments; a larger --journal-max helps");
  } else {
    written = append(lines);
  }
  if (!written) {
    spdlog::warn("the journal goes on without a checkpoint of {} bytes: {}", state_bytes_,
                 written.error().message);
    return;
  }
  since_state_ = 0;
  behind_gap_ = false;
}

void JournalWriter::want_state() {
  const std::int64_t due = behind_gap_ ? kStepBytesPerStateByte * state_bytes_
                                       : kSegmentsPerState * files_.segment_max().count;
  if (controller_ != nullptr && since_state_ >= due) {
    const MutexLock lock(mutex_);
    state_wanted_ = true;
  }
}

}  // namespace juggler
