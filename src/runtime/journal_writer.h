#pragma once
// Writes every step of a controller to a journal, on a thread of its own: the controller never
// waits for a disk. What cannot be written leaves a gap that the journal names. Now and then, and
// after a gap, it writes the controller's whole state, a checkpoint, so that a replay can begin or
// go on there.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/controller_shell.h"
#include "runtime/journal_batch.h"
#include "runtime/journal_files.h"
#include "runtime/mutex.h"
#include "wire/journal.h"

namespace juggler {

struct JournalOptions {
  std::filesystem::path folder;
  Bytes bytes_max = kJournalBytesMaxDefault;
  // Whose steps these are; outlives the writer. Without it there are no checkpoints.
  const Controller* controller = nullptr;
};

class JournalWriter final : public ControllerObserver {
 public:
  // Begins a run: writes the head of its first segment, so that a folder that cannot be written is
  // known at the start. `head` needs policy, version and configuration alone.
  static Result<std::unique_ptr<JournalWriter>> open(const JournalOptions& options,
                                                     wire::JournalHead head);
  // Writes what still waits.
  ~JournalWriter() override;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  void before(Time /*now*/, ControllerEvent& /*event*/) override {}
  void after(Time now, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override;

  // Waits until nothing waits any more: it is written, or lost.
  void flush();

 private:
  JournalWriter(const JournalOptions& options, wire::JournalHead head);
  std::string opening(std::int64_t segment);
  bool take(JournalBatch& batch);
  bool state_wanted();
  void write(JournalBatch& batch);
  void write_steps(const JournalSteps& steps);
  void write_state(const ControllerState& state);
  Result<void> append(const std::string& lines);
  void lose(std::int64_t steps, const std::string& reason);
  void want_state();

  const std::size_t waiting_bytes_max_;
  const Controller* const controller_;

  Mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable idle_;
  JournalBatch waiting_ GUARDED_BY(mutex_);
  bool writing_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool state_wanted_ GUARDED_BY(mutex_) = false;

  // The writer's thread's alone.
  wire::JournalHead head_;
  JournalFiles files_;
  std::map<std::string, std::string> known_;  // devices that said hello, as a segment begins
  std::size_t known_bytes_ = 0;
  wire::JournalGap gap_;          // not yet written
  bool behind_gap_ = false;       // there was one since the last checkpoint
  std::int64_t since_state_ = 0;  // bytes written since then
  std::int64_t state_bytes_ = 0;  // of that
  Time warn_from_{};              // not more often than people read

  std::jthread thread_;
};

}  // namespace juggler
